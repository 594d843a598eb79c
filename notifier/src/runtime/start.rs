//! A match starts a reaction: what it runs, and the context that it runs in, are fixed here (then.md §2).

use std::collections::{BTreeSet, HashMap};

use domain::augment::Service;
use domain::customer_event::{Augmentations, CustomerEvent};
use domain::ids::{Position, ReactionId, TenantId};
use domain::json::Object;
use domain::reaction::{Event, InputKind, Match, Started};
use eventlog::augment::Plan;
use eventlog::crypto::Opened;
use eventlog::record::{self, Recorded, StreamKind};
use tokio::task::JoinError;
use tracing::error;

use super::core::Core;
use super::slot::{Letter, Owner, Slot, What};
use super::write::ERASED;
use super::{Error, Tools};
use crate::sources;

/// Witnesses are read together up to about so many events.
const WITNESSES: usize = 4_096;

/// A match that was read.
struct Arrival {
    id: ReactionId,
    owner: Owner,
    position: Position,
    /// The match, or why there is none.
    matched: Result<Match, String>,
}

/// How a reaction starts.
enum Start {
    /// With this, once its context is complete, for the customer of this key.
    With(Box<Started>, String),
    /// Not at all.
    BreakOff(String),
}

/// A reaction whose context has been completed.
pub(super) struct Beginning {
    position: Position,
    started: Box<Started>,
    augmented: Result<Augmentations, record::Error>,
}

impl Core {
    /// Begins the reactions to matches; those that run already are left alone.
    pub(super) async fn begin(&mut self, rows: Vec<Recorded>) -> Result<(), Error> {
        let mut arrivals = Vec::new();
        let mut witnesses = BTreeSet::new();
        for row in &rows {
            let Some(arrival) = self.tools.arrival(row).await? else { continue };
            if self.is_open(arrival.id) {
                continue;
            }
            if let Ok(matched) = &arrival.matched {
                witnesses.extend(matched.witness.iter().copied());
            }
            arrivals.push(arrival);
            if witnesses.len() >= WITNESSES {
                self.begin_together(std::mem::take(&mut arrivals), std::mem::take(&mut witnesses)).await?;
            }
        }
        self.begin_together(arrivals, witnesses).await
    }

    async fn begin_together(
        &mut self,
        arrivals: Vec<Arrival>,
        witnesses: BTreeSet<Position>,
    ) -> Result<(), Error> {
        let events = self.tools.events(&witnesses.into_iter().collect::<Vec<_>>()).await?;
        for arrival in arrivals {
            let Arrival { id, owner, position, matched } = arrival;
            let mut slot = Slot::new(id, owner);
            let start = match matched {
                Ok(matched) => self.started(&mut slot, matched, &events).await?,
                Err(reason) => Start::BreakOff(reason),
            };
            let tenant = slot.owner.tenant.clone();
            self.open.insert(id, slot);
            match start {
                Start::BreakOff(reason) => {
                    self.post(id, Letter::new(What::BreakOff(reason), Some(position)));
                }
                Start::With(started, key) => self.augment(tenant, position, started, key).await?,
            }
        }
        Ok(())
    }

    /// Completes a reaction's context, if the tenant has augments for that, and begins the reaction. That may take
    /// as long as a server of the tenant's, so it is done beside the loop; until the reaction has begun, the
    /// notifier's place in the record stays before its match.
    async fn augment(
        &mut self,
        tenant: TenantId,
        position: Position,
        started: Box<Started>,
        key: String,
    ) -> Result<(), Error> {
        if !self.tools.door.is_augmented(&tenant, Service::Notification).await? {
            self.set_off(Beginning { position, started, augmented: Ok(Augmentations::default()) })?;
            return Ok(());
        }
        self.starting.insert(position, started.reaction);
        let tools = self.tools.clone();
        self.beginnings.spawn(async move {
            let augmented = tools.augmentations(&tenant, &key, &started.context).await;
            Beginning { position, started, augmented }
        });
        Ok(())
    }

    /// A reaction's context is complete.
    pub(super) fn set_off(&mut self, beginning: Beginning) -> Result<(), Error> {
        let Beginning { position, mut started, augmented } = beginning;
        self.starting.remove(&position);
        started.augmented = augmented?;
        started.augmented.apply(&mut started.context);
        let reaction = started.reaction;
        self.post(reaction, Letter::input(InputKind::Started(started), Some(position)));
        Ok(())
    }

    /// One that broke, broke for a reason that is not this reaction's.
    pub(super) fn begun(&mut self, ended: Result<Beginning, JoinError>) -> Result<(), Error> {
        let ended = ended.map_err(|broken| record::Error::Unavailable(broken.to_string()));
        self.set_off(ended?)
    }

    async fn started(
        &mut self,
        slot: &mut Slot,
        matched: Match,
        events: &HashMap<Position, CustomerEvent>,
    ) -> Result<Start, Error> {
        let source = match self.sources.in_force(&slot.owner.tenant, matched.program).await {
            Ok(source) => source,
            Err(sources::Error::Unusable(reason)) => return Ok(Start::BreakOff(reason)),
            Err(sources::Error::Record(error)) => return Err(error.into()),
        };
        let mut context = Object::new();
        let (mut depth, mut key) = (0, String::new());
        for position in &matched.witness {
            let Some(event) = events.get(position) else { return Ok(Start::BreakOff(ERASED.to_owned())) };
            context.merge(&event.effective());
            depth = depth.max(event.origin.depth());
            key.clone_from(&event.key);
        }
        slot.witness = matched.witness;
        slot.depth = Some(depth);
        slot.pinned = Some(source.pinned);
        let started = Started {
            reaction: slot.id,
            program: matched.program,
            templates: source.templates,
            context,
            augmented: Augmentations::default(),
            rules: self.tools.options.rules,
        };
        Ok(Start::With(Box::new(started), key))
    }
}

impl Tools {
    /// The match in a row; nothing if it is no reaction's.
    async fn arrival(&self, row: &Recorded) -> Result<Option<Arrival>, Error> {
        let (Ok(id), Some(customer), Some(partition)) = (row.stream.id.parse(), row.customer, row.partition)
        else {
            error!(position = row.position.0, "a match without reaction, customer or partition");
            return Ok(None);
        };
        debug_assert_eq!(row.stream.kind, StreamKind::Reaction);
        let owner = Owner { tenant: row.stream.tenant.clone(), customer, partition };
        let matched = match self.vault.open(row).await {
            Ok(Opened::Clear(clear)) => match Event::from_json(&row.event_type, row.event_version, &clear) {
                Ok(Event::Matched(matched)) => Ok(matched),
                Ok(_) => Err("the match cannot be read".to_owned()),
                Err(unreadable) => Err(unreadable.to_string()),
            },
            Ok(Opened::Erased) => Err(ERASED.to_owned()),
            Err(record::Error::Damaged(reason)) => Err(reason),
            Err(other) => return Err(other.into()),
        };
        Ok(Some(Arrival { id, owner, position: row.position, matched }))
    }

    /// What the augments of reactions do to a context. While the record is away it is tried again.
    async fn augmentations(
        &self,
        tenant: &TenantId,
        key: &str,
        context: &Object,
    ) -> Result<Augmentations, record::Error> {
        let plan =
            record::while_away("a reaction's augments", || self.door.plan(tenant, Service::Notification));
        Ok(plan.await?.apply(Some(key), context, Plan::deadline()).await)
    }

    /// The customer events at these positions.
    async fn events(&self, positions: &[Position]) -> Result<HashMap<Position, CustomerEvent>, Error> {
        let mut events = HashMap::with_capacity(positions.len());
        for page in positions.chunks(500) {
            for row in self.record.read_at(page).await? {
                if let Some(event) = self.customer_event(&row).await? {
                    events.insert(row.position, event);
                }
            }
        }
        Ok(events)
    }
}
