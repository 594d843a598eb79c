//! A match starts a reaction: what it runs, and the context that it runs in, are fixed here (then.md §2).

use std::collections::{BTreeSet, HashMap};

use domain::customer_event::CustomerEvent;
use domain::ids::{Position, ReactionId};
use domain::json::Object;
use domain::reaction::{Event, InputKind, Match, Started};
use eventlog::crypto::Opened;
use eventlog::record::{self, Recorded, StreamKind};
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

impl Core {
    /// Begins the reactions to matches; those that run already are left alone.
    pub(super) async fn begin(&mut self, rows: Vec<Recorded>) -> Result<(), Error> {
        let mut arrivals = Vec::new();
        let mut witnesses = BTreeSet::new();
        for row in &rows {
            let Some(arrival) = self.tools.arrival(row).await? else { continue };
            if self.open.contains_key(&arrival.id) {
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
            let what = match matched {
                Ok(matched) => self.started(&mut slot, matched, &events).await?,
                Err(reason) => What::BreakOff(reason),
            };
            self.open.insert(id, slot);
            self.post(id, Letter::new(what, Some(position)));
        }
        Ok(())
    }

    async fn started(
        &mut self,
        slot: &mut Slot,
        matched: Match,
        events: &HashMap<Position, CustomerEvent>,
    ) -> Result<What, Error> {
        let source = match self.sources.in_force(&slot.owner.tenant, matched.program).await {
            Ok(source) => source,
            Err(sources::Error::Unusable(reason)) => return Ok(What::BreakOff(reason)),
            Err(sources::Error::Record(error)) => return Err(error.into()),
        };
        let mut context = Object::new();
        let mut depth = 0;
        for position in &matched.witness {
            let Some(event) = events.get(position) else { return Ok(What::BreakOff(ERASED.to_owned())) };
            context.merge(&event.effective());
            depth = depth.max(event.origin.depth());
        }
        slot.witness = matched.witness;
        slot.depth = Some(depth);
        slot.pinned = Some(source.pinned);
        let started = Started {
            reaction: slot.id,
            program: matched.program,
            templates: source.templates,
            context,
            rules: self.tools.options.rules,
        };
        Ok(What::Input(InputKind::Started(Box::new(started))))
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
