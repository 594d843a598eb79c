//! Every way in goes through here: REST, NATS publishers, listeners, and a reaction's `event`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use domain::augment::Service;
use domain::customer_event::{CustomerEvent, Origin, Refusal};
use domain::ids::{Position, TenantId};
use domain::json::Json;
use domain::time::Stamp;

use super::configuration::{Configurations, Current};
use super::prepare::{idempotency, prepare};
use crate::augment::{Augmenter, Plan};
use crate::crypto::{Opened, Vault};
use crate::record::{Error, Fence, Item, Metadata, Outcome, Record, Recorded};

/// How often events are prepared again when their tenant's configuration changes at the same time.
const ATTEMPTS: usize = 32;

/// An event that asks to come in; already read as JSON within the event limits.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Whose.
    pub tenant: TenantId,
    /// The event as it came.
    pub event: Json,
    /// The idempotency key, where the way in has one.
    pub idempotency_key: Option<String>,
    /// Which way in.
    pub origin: Origin,
    /// Cause and author.
    pub metadata: Metadata,
}

/// An event that was accepted: committed and fsynced.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// As stored.
    pub event: CustomerEvent,
    /// Where.
    pub position: Position,
    /// When.
    pub stamp: Stamp,
    /// Whether the idempotency key had been used: this is the answer of then.
    pub duplicate: bool,
}

/// Why an event was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// The event's own fault.
    #[error(transparent)]
    Event(#[from] Refusal),
    /// The event that used this idempotency key first was erased with its customer: its answer is gone.
    #[error("the event that used this idempotency key was erased")]
    Erased,
    /// Another server has taken over the way in by which it came.
    #[error("another server takes these events in")]
    Fenced,
    /// The record's.
    #[error(transparent)]
    Record(#[from] Error),
}

/// An event ready to be appended, for a caller that appends it together with more.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The item: one write, `config` set, keys included.
    pub item: Item,
    /// What it holds.
    pub event: CustomerEvent,
}

/// The door.
pub struct Door {
    pub(super) record: Arc<dyn Record>,
    pub(super) vault: Arc<Vault>,
    pub(super) configurations: Configurations,
    augmenter: Option<Augmenter>,
}

impl Door {
    /// A door to a record, at which nothing is added to events.
    pub fn new(record: Arc<dyn Record>, vault: Arc<Vault>) -> Self {
        Self { record, vault, configurations: Configurations::default(), augmenter: None }
    }

    /// The same with augments.
    #[must_use]
    pub fn augmented_by(self, augmenter: Augmenter) -> Self {
        Self { augmenter: Some(augmenter), ..self }
    }

    /// Whether the tenant has augments of a service: found out without waiting for their files.
    ///
    /// # Errors
    /// The record's.
    pub async fn is_augmented(&self, tenant: &TenantId, service: Service) -> Result<bool, Error> {
        if self.augmenter.is_none() {
            return Ok(false);
        }
        let current = self.configurations.current(&*self.record, tenant).await?;
        let mut augments = current.configuration.augments.iter();
        Ok(augments.any(|augment| augment.definition.service == service))
    }

    /// The attribute that says whose a customer event is; none if it is not set yet.
    ///
    /// # Errors
    /// The record's.
    pub async fn key_attribute(&self, tenant: &TenantId) -> Result<Option<String>, Error> {
        let current = self.configurations.current(&*self.record, tenant).await?;
        Ok(current.configuration.key_attribute.clone())
    }

    /// What the augments of a service are to do, as they are in force now.
    ///
    /// # Errors
    /// The record's.
    pub async fn plan(&self, tenant: &TenantId, service: Service) -> Result<Plan, Error> {
        Ok(self.current(tenant, service).await?.1)
    }

    /// A tenant's configuration, and what its augments of a service are to do under it.
    pub(super) async fn current(
        &self,
        tenant: &TenantId,
        service: Service,
    ) -> Result<(Arc<Current>, Plan), Error> {
        let mut current = self.configurations.current(&*self.record, tenant).await?;
        let Some(augmenter) = &self.augmenter else { return Ok((current, Plan::nothing(tenant))) };
        for _ in 0..ATTEMPTS {
            let augments = &current.configuration.augments;
            if augments.is_empty() {
                break;
            }
            let plan = augmenter.plan(tenant, augments, service).await?;
            let newer = self.configurations.current(&*self.record, tenant).await?;
            // A file that is gone while it is in force is lost: the events go on without it, and say so.
            if !plan.is_stale || Arc::ptr_eq(&newer, &current) {
                return Ok((current, plan));
            }
            current = newer;
        }
        Ok((current, Plan::nothing(tenant)))
    }

    /// Accepts a batch; each event's answer, in order. A bad one does not hold back the others.
    pub async fn accept(&self, incoming: Vec<Incoming>) -> Vec<Result<Accepted, Refused>> {
        self.accept_under(incoming, None).await
    }

    /// The same for a way in that one server has at a time: where another has taken it over, it is
    /// [`Refused::Fenced`].
    pub async fn accept_under(
        &self,
        incoming: Vec<Incoming>,
        fence: Option<&Fence>,
    ) -> Vec<Result<Accepted, Refused>> {
        let mut batch = Batch::new(&incoming, fence);
        for _ in 0..ATTEMPTS {
            let open = std::mem::take(&mut batch.open);
            if open.is_empty() {
                break;
            }
            self.attempt(&mut batch, open).await;
        }
        for n in std::mem::take(&mut batch.open) {
            let unsettled = Error::Unavailable("the tenant's configuration keeps changing".into());
            batch.answers.insert(n, Err(unsettled.into()));
        }
        self.duplicates(&mut batch).await;
        batch.answers.into_values().collect()
    }

    /// Validates, augments and seals an event without appending it. An [`Outcome::Stale`] or
    /// [`Outcome::KeyTaken`] of the append means: prepare again.
    ///
    /// # Errors
    /// Why it cannot be accepted.
    pub async fn prepare(&self, incoming: &Incoming) -> Result<Prepared, Refused> {
        let mut prepared = prepare(self, &[incoming]).await;
        prepared.pop().unwrap_or_else(|| Err(Error::Unavailable("an event was not prepared".into()).into()))
    }

    /// Prepares the open events and appends them in one batch.
    async fn attempt(&self, batch: &mut Batch<'_>, open: Vec<usize>) {
        let incoming: Vec<&Incoming> = open.iter().filter_map(|n| batch.incoming.get(*n)).collect();
        let mut items = Vec::with_capacity(open.len());
        let mut sent = Vec::with_capacity(open.len());
        for (n, prepared) in open.into_iter().zip(prepare(self, &incoming).await) {
            match prepared {
                Ok(Prepared { mut item, event }) => {
                    item.fence = batch.fence.cloned();
                    sent.push((n, event, item.keys.first().cloned()));
                    items.push(item);
                }
                Err(refused) => drop(batch.answers.insert(n, Err(refused))),
            }
        }
        match self.record.append(items).await {
            Ok(outcomes) => {
                for ((n, event, key), outcome) in sent.into_iter().zip(outcomes) {
                    if let (Outcome::Appended { .. }, Some(key)) = (&outcome, key) {
                        self.vault.stored(&key);
                    }
                    batch.settle(n, event, outcome);
                }
            }
            Err(error) => {
                batch.answers.extend(sent.into_iter().map(|(n, ..)| (n, Err(error.clone().into()))));
            }
        }
    }

    /// Answers those whose idempotency key was used before with the event that used it.
    async fn duplicates(&self, batch: &mut Batch<'_>) {
        if let Err(error) = self.refused_duplicates(batch).await {
            tracing::warn!(%error, "refused events could not be held against earlier idempotency keys");
        }
        let duplicates = std::mem::take(&mut batch.duplicates);
        if duplicates.is_empty() {
            return;
        }
        match self.stored(&duplicates).await {
            Ok(stored) => {
                for (n, position) in duplicates {
                    let answer = stored.get(&position).cloned().unwrap_or(Err(Refused::Erased));
                    batch.answers.insert(n, answer);
                }
            }
            Err(error) => {
                let refused = |(n, _)| (n, Err(error.clone().into()));
                batch.answers.extend(duplicates.into_iter().map(refused));
            }
        }
    }

    /// A key that was used gets the first answer again whatever the body is now, a bad one too: those that were
    /// refused are held against the keys in the record.
    async fn refused_duplicates(&self, batch: &mut Batch<'_>) -> Result<(), Error> {
        let refused: Vec<(usize, [u8; 32])> = batch.refused_with_key().collect();
        if refused.is_empty() {
            return Ok(());
        }
        // What came before is on its way through the writer: once this returns, it is in the record.
        self.record.append(vec![Item::default()]).await?;
        for (n, hash) in refused {
            if let Some(position) = self.record.idempotent(hash).await?
                && !batch.accepted_later(n, position)
            {
                batch.duplicates.push((n, position));
            }
        }
        Ok(())
    }

    /// The answers that were given to the events at these positions.
    async fn stored(
        &self,
        duplicates: &[(usize, Position)],
    ) -> Result<HashMap<Position, Result<Accepted, Refused>>, Error> {
        let positions: BTreeSet<Position> = duplicates.iter().map(|(_, position)| *position).collect();
        let rows = self.record.read_at(&positions.into_iter().collect::<Vec<_>>()).await?;
        let opened = self.vault.open_all(&rows).await?;
        rows.iter().zip(opened).map(|(row, opened)| Ok((row.position, first_answer(row, &opened)?))).collect()
    }
}

/// The answer that the event of a row was given.
fn first_answer(row: &Recorded, opened: &Opened) -> Result<Result<Accepted, Refused>, Error> {
    let Opened::Clear(clear) = opened else { return Ok(Err(Refused::Erased)) };
    let event = serde_json::from_slice(clear)
        .map_err(|error| Error::Damaged(format!("position {}: {error}", row.position)))?;
    Ok(Ok(Accepted { event, position: row.position, stamp: row.stamp, duplicate: true }))
}

/// A batch on its way in.
struct Batch<'a> {
    incoming: &'a [Incoming],
    fence: Option<&'a Fence>,
    /// Those that have no answer yet and are not duplicates, in order.
    open: Vec<usize>,
    /// Those whose key was used by the event at that position.
    duplicates: Vec<(usize, Position)>,
    answers: BTreeMap<usize, Result<Accepted, Refused>>,
}

impl<'a> Batch<'a> {
    fn new(incoming: &'a [Incoming], fence: Option<&'a Fence>) -> Self {
        let open = (0..incoming.len()).collect();
        Self { incoming, fence, open, duplicates: Vec::new(), answers: BTreeMap::new() }
    }

    fn settle(&mut self, n: usize, event: CustomerEvent, outcome: Outcome) {
        let answer = match outcome {
            Outcome::Appended { first, stamp, .. } => {
                Ok(Accepted { event, position: first, stamp, duplicate: false })
            }
            Outcome::Duplicate(position) => return self.duplicates.push((n, position)),
            // Prepared on what is no longer so: again.
            Outcome::Stale(_) | Outcome::KeyTaken => return self.open.push(n),
            Outcome::Fenced => Err(Refused::Fenced),
            Outcome::Conflict(_) => {
                Err(Error::Unavailable(format!("an event was answered {outcome:?}")).into())
            }
        };
        self.answers.insert(n, answer);
    }

    fn refused_with_key(&self) -> impl Iterator<Item = (usize, [u8; 32])> {
        let refused = self.answers.iter().filter(|(_, answer)| matches!(answer, Err(Refused::Event(_))));
        refused.filter_map(|(n, _)| Some((*n, idempotency(self.incoming.get(*n)?)?)))
    }

    /// Whether the event at this position is a later one of this very batch: then it was not first.
    fn accepted_later(&self, n: usize, position: Position) -> bool {
        let mut later = self.answers.range(n..).filter_map(|(_, answer)| answer.as_ref().ok());
        later.any(|accepted| accepted.position == position)
    }
}
