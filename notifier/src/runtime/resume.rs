//! Taking up what is open in the log: after a crash, and where the log has gone on without this run.

use std::collections::HashSet;

use domain::ids::{Position, ReactionId, TenantId};
use domain::reaction::{Effect, InputKind, StepId};
use eventlog::record::{self, Head, Select, StreamId, StreamKind};
use tracing::{error, info, warn};

use super::core::{AT_ONCE, Core, NAME};
use super::slot::{Letter, Owner, Slot, What};
use super::{Cancelled, Error, Tools};
use crate::history::{self, History, Trail, step_of};
use crate::sources;

impl Core {
    /// Reads back what was open when the place was kept last.
    pub(super) async fn recover(&mut self) -> Result<(), Error> {
        let kept = match self.tools.checkpoints.load(NAME).await {
            Err(record::Error::Damaged(error)) => {
                warn!(error, "the notifier's place is damaged: it is found again from the whole record");
                self.tools.checkpoints.forget(NAME).await?;
                None
            }
            kept => kept?,
        };
        let Some((position, rows)) = kept else { return Ok(()) };
        self.seen = Head { position, ..Head::default() };
        self.began = position;
        let open: Vec<_> = rows.iter().filter_map(|(key, value)| open_row(key, value)).collect();
        for page in open.chunks(AT_ONCE) {
            let streams = page.iter().map(|(id, owner)| owner.stream(*id)).collect();
            for ((id, owner), trail) in page.iter().cloned().zip(self.tools.trails(streams).await) {
                self.resume(id, owner, trail, HashSet::new(), HashSet::new()).await?;
            }
            self.flush().await?;
            self.park();
        }
        info!(reactions = self.open.len() + self.parked.len(), position = position.0, "the notifier goes on");
        Ok(())
    }

    /// The log has gone on without us, or took what we thought it had not: it is right.
    pub(super) async fn read_again(
        &mut self,
        reaction: ReactionId,
        letters: Vec<Letter>,
    ) -> Result<(), Error> {
        let Some(old) = self.open.remove(&reaction) else { return Ok(()) };
        for expect in old.expects.iter() {
            let borrowed = expect.1.as_ref().map(|(name, value)| (name.as_str(), value));
            self.expects.remove(&old.owner.tenant, borrowed, &(reaction, *expect.0));
        }
        let trail = self.tools.trail(old.owner.stream(reaction)).await;
        self.resume(reaction, old.owner, trail, old.flights, old.preparing).await?;
        if let Some(slot) = self.open.get_mut(&reaction) {
            slot.receipts = old.receipts;
        }
        for letter in letters.into_iter().chain(old.inbox) {
            match &letter.what {
                What::Receipt { .. } => self.receipt_again(reaction, letter),
                // It was decided on what is no longer so: it is prepared again.
                What::Append { append, .. } => {
                    if let Some(slot) = self.open.get_mut(&reaction) {
                        slot.preparing.remove(append);
                    }
                    self.prepare(reaction, *append);
                }
                _ if self.open.contains_key(&reaction) => self.post(reaction, letter),
                _ => {
                    if let Some(reply) = letter.reply {
                        reply.refused(None);
                    }
                }
            }
        }
        Ok(())
    }

    /// Folds a reaction's stream and takes up what is outstanding in it, but for what is under way in this run.
    pub(super) async fn resume(
        &mut self,
        id: ReactionId,
        owner: Owner,
        trail: Result<Trail, history::Error>,
        flights: HashSet<StepId>,
        preparing: HashSet<StepId>,
    ) -> Result<(), Error> {
        let (mut slot, hopeless) = self.folded(id, owner, trail).await?;
        slot.flights = flights;
        slot.preparing = preparing;
        let over = slot.is_over();
        self.changes.insert(id, (!over).then(|| slot.owner.clone()));
        if over && slot.flights.is_empty() {
            return Ok(());
        }
        self.open.insert(id, slot);
        match hopeless {
            _ if over => Ok(()),
            Some(reason) => {
                self.post(id, Letter::new(What::BreakOff(reason), None));
                Ok(())
            }
            None => self.take_up(id).await,
        }
    }

    /// Reads a reaction that is over back, for what somebody wants of it; whether there is such a one.
    pub(super) async fn reopen(&mut self, id: ReactionId, owner: Owner) -> Result<bool, Error> {
        let trail = self.tools.trail(owner.stream(id)).await;
        let (slot, hopeless) = self.folded(id, owner, trail).await?;
        let good = hopeless.is_none() && slot.is_over();
        if good {
            self.open.insert(id, slot);
        }
        Ok(good)
    }

    /// What a reaction's stream comes to, and why it cannot go on if it cannot.
    pub(super) async fn folded(
        &mut self,
        id: ReactionId,
        owner: Owner,
        trail: Result<Trail, history::Error>,
    ) -> Result<(Slot, Option<String>), Error> {
        let stream = owner.stream(id);
        let history = match trail {
            Ok(trail) => History::of(trail, &mut self.sources).await,
            Err(error) => Err(error),
        };
        let mut slot = Slot::new(id, owner);
        let hopeless = match history {
            Ok(history) => {
                if let Some(difference) = history.differences.first() {
                    error!(
                        tenant.id = %slot.owner.tenant, reaction.id = %id, position = difference.input.0,
                        "the interpreter decides otherwise than it did; the record stands"
                    );
                }
                let hopeless = history.pinned.is_none().then(|| "it has not begun as it should".to_owned());
                slot.broken_off = history.broken_off.is_some();
                slot.witness = history.matched.witness;
                slot.pinned = history.pinned;
                slot.state = history.state;
                slot.version = history.version;
                slot.begun = history.begun;
                slot.met = history.met;
                hopeless
            }
            Err(history::Error::Record(error) | history::Error::Source(sources::Error::Record(error))) => {
                return Err(error.into());
            }
            Err(hopeless) => {
                slot.version = self.version(&stream).await?;
                Some(hopeless.to_string())
            }
        };
        Ok((slot, hopeless))
    }

    /// Takes up what is outstanding.
    async fn take_up(&mut self, id: ReactionId) -> Result<(), Error> {
        let Some(slot) = self.open.get(&id) else { return Ok(()) };
        let outstanding: Vec<Effect> = slot.state.outstanding().cloned().collect();
        let begun = slot.begun.clone();
        let mut look_from: Option<Position> = None;
        for effect in outstanding {
            let position = step_of(&effect).and_then(|step| begun.get(&step).copied());
            match &effect {
                Effect::Send(request) if !request.poll => {
                    let under_way = self.open.get(&id).is_some_and(|slot| slot.flights.contains(&request.id));
                    if eventlog::broken!("resend-silently") {
                        self.perform(id, &effect);
                    } else if !under_way {
                        // Begun and not ended: it goes out again under its key once that is in the log too.
                        let kind = InputKind::SendResumed { send: request.id };
                        self.post(id, Letter::input(kind, position));
                    }
                }
                Effect::OpenExpect(_) => {
                    self.perform(id, &effect);
                    look_from = look_from.into_iter().chain(position).min();
                }
                _ => self.perform(id, &effect),
            }
        }
        match look_from {
            Some(from) => self.look_again(id, from).await,
            None => Ok(()),
        }
    }

    async fn version(&self, stream: &StreamId) -> Result<u64, Error> {
        let last = self.tools.record.read_before(Select::Stream(stream.clone()), None, 1).await?.pop();
        Ok(last.map_or(0, |row| row.version))
    }

    /// How a reaction that is not open here ended; `None` if it has not begun.
    pub(super) async fn outcome_in_log(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
    ) -> Result<Option<Cancelled>, Error> {
        let stream = StreamId::new(tenant, StreamKind::Reaction, reaction.to_string());
        let mut before = None;
        let mut found = false;
        loop {
            let rows = self.tools.record.read_before(Select::Stream(stream.clone()), before, 64).await?;
            let Some(last) = rows.last() else { break };
            (before, found) = (Some(last.position), true);
            for row in &rows {
                match row.event_type.as_str() {
                    "reaction-cancelled" => return Ok(Some(Cancelled::Already)),
                    "reaction-done" | "reaction-failed" => return Ok(Some(Cancelled::Finished)),
                    _ => {}
                }
            }
        }
        Ok((!found).then_some(Cancelled::Missing))
    }
}

impl Tools {
    /// Reactions' streams, read.
    pub(super) async fn trails(&self, streams: Vec<StreamId>) -> Vec<Result<Trail, history::Error>> {
        history::trails(&*self.record, &self.vault, streams).await
    }

    /// A reaction's stream, read.
    pub(super) async fn trail(&self, stream: StreamId) -> Result<Trail, history::Error> {
        Trail::read(&*self.record, &self.vault, stream).await
    }
}

/// A row of the table of open reactions.
fn open_row(key: &[u8], value: &[u8]) -> Option<(ReactionId, Owner)> {
    let id = key.try_into().map(ReactionId).ok();
    let row = id.zip(serde_json::from_slice(value).ok());
    if row.is_none() {
        error!("a row of the table of open reactions cannot be read");
    }
    row
}
