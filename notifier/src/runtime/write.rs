//! The batch: inputs taken through the interpreter, sealed, appended, and what follows from how that went.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::ids::{Position, ReactionId};
use domain::reaction::{Effect, Event, Input, InputKind, Outcome as Ending, State, step};
use domain::time::Stamp;
use eventlog::record::{self, Expect, Fence, Item, Metadata, NewEvent, NewKey, Outcome, Write};
use tokio::task::JoinHandle;
use tracing::{error, warn};

use super::core::Core;
use super::slot::{Letter, Slot, What};
use super::{Cancelled, Error, Tools};
use crate::history::step_of;

/// A step that has been decided and is being appended.
struct Decided {
    reaction: ReactionId,
    letter: Letter,
    effects: Vec<Effect>,
    /// How many rows of the item are the reaction's: they are its last ones.
    rows: u64,
    /// The state before, where the step may have to be undone.
    before: Option<State>,
}

/// A batch that is being appended, beside the loop.
pub(super) struct Batch {
    decided: Vec<Decided>,
    outcomes: JoinHandle<Result<Vec<Outcome>, Error>>,
}

impl Batch {
    /// Waits until a batch is in the log, for ever if there is none. Cancel-safe.
    pub(super) async fn landed(batch: &mut Option<Self>) -> Result<Vec<Outcome>, Error> {
        match batch {
            None => std::future::pending().await,
            Some(batch) => match (&mut batch.outcomes).await {
                Ok(outcomes) => outcomes,
                Err(broken) => Err(record::Error::Unavailable(broken.to_string()).into()),
            },
        }
    }
}

impl Core {
    /// Writes all that has come in, and what comes of that in turn.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        loop {
            if self.batch.is_none() {
                self.launch().await?;
            }
            if self.batch.is_none() {
                return Ok(());
            }
            let outcomes = Batch::landed(&mut self.batch).await?;
            self.landed(outcomes).await?;
        }
    }

    /// Decides what has come in and begins to append it; meanwhile the loop goes on.
    pub(super) async fn launch(&mut self) -> Result<(), Error> {
        while !self.ready.is_empty() && self.batch.is_none() {
            let (items, decided) = self.decide().await?;
            if !items.is_empty() {
                let tools = self.tools.clone();
                let outcomes = tokio::spawn(async move { tools.append(items).await });
                self.batch = Some(Batch { decided, outcomes });
            }
        }
        Ok(())
    }

    /// A batch is in the log: what was decided is carried out.
    pub(super) async fn landed(&mut self, outcomes: Vec<Outcome>) -> Result<(), Error> {
        let Some(batch) = self.batch.take() else { return Ok(()) };
        let mut conflicts: BTreeMap<ReactionId, Vec<Letter>> = BTreeMap::new();
        for (decided, outcome) in batch.decided.into_iter().zip(outcomes) {
            self.touch_down(decided.reaction);
            match outcome {
                Outcome::Appended { last, stamp, .. } => self.appended(decided, last, stamp).await?,
                Outcome::Fenced => return Err(Error::Fenced(self.partition_of(decided.reaction))),
                Outcome::Stale(_) | Outcome::KeyTaken if decided.before.is_some() => self.undo(decided),
                Outcome::Conflict(_) | Outcome::Stale(_) | Outcome::KeyTaken | Outcome::Duplicate(_) => {
                    conflicts.entry(decided.reaction).or_default().push(decided.letter);
                }
            }
        }
        for (reaction, letters) in conflicts {
            self.read_again(reaction, letters).await?;
        }
        Ok(())
    }

    /// Nothing of it is being appended any more: what has come in meanwhile can be decided.
    fn touch_down(&mut self, reaction: ReactionId) {
        let Some(slot) = self.open.get_mut(&reaction) else { return };
        if std::mem::take(&mut slot.in_air) && !slot.inbox.is_empty() {
            self.ready.push_back(reaction);
        }
    }

    fn partition_of(&self, reaction: ReactionId) -> u8 {
        self.open.get(&reaction).map_or(0, |slot| slot.owner.partition.0)
    }

    /// Takes letters through the interpreter, up to a batch of them.
    async fn decide(&mut self) -> Result<(Vec<Item>, Vec<Decided>), Error> {
        let (mut items, mut all) = (Vec::new(), Vec::new());
        while items.len() < self.tools.options.batch {
            let Some(reaction) = self.ready.pop_front() else { break };
            let Some(slot) = self.open.get_mut(&reaction) else { continue };
            let fence = self.fences.get(usize::from(slot.owner.partition.0));
            let mut taken = 0;
            while let Some(letter) = slot.inbox.pop_front() {
                // An event of its own may have to be prepared again, so nothing is built upon it, nor it on others.
                let alone = matches!(letter.what, What::Append { .. });
                if alone && taken > 0 {
                    slot.inbox.push_front(letter);
                    break;
                }
                if let Some((item, decided)) = self.tools.decide(slot, letter, fence).await? {
                    items.push(item);
                    all.push(decided);
                    taken += 1;
                }
                if alone {
                    break;
                }
            }
            slot.in_air = taken > 0;
            match slot.inbox.is_empty() {
                _ if taken > 0 => {}
                true => self.let_go_if_over(reaction),
                false => self.ready.push_back(reaction),
            }
        }
        Ok((items, all))
    }

    /// A step is in the log: now it is done what it decided.
    async fn appended(&mut self, decided: Decided, last: Position, stamp: Stamp) -> Result<(), Error> {
        let Decided { reaction, letter, effects, rows, .. } = decided;
        let Some(slot) = self.open.get_mut(&reaction) else { return Ok(()) };
        let first_effect = last.0 + 1 - effects.len() as u64;
        debug_assert!(rows >= effects.len() as u64);
        for (effect, position) in effects.iter().zip(first_effect..) {
            if let Some(id) = step_of(effect) {
                slot.begun.insert(id, Position(position));
            }
        }
        let owner = slot.owner.clone();
        let over = slot.is_over();
        match &letter.what {
            What::Input(InputKind::Started(_)) if !over => {
                self.changes.insert(reaction, Some(owner.clone()));
            }
            What::Input(InputKind::Polled { poll, .. }) => self.poll_again(reaction, *poll, stamp),
            What::Input(InputKind::SendResumed { send }) => self.send(reaction, *send),
            What::Append { append, .. } => drop(slot.preparing.remove(append)),
            _ => {}
        }
        for effect in &effects {
            self.perform(reaction, effect);
        }
        // Rows may have been read past an expect's own while that was being appended.
        if last < self.seen.position && effects.iter().any(|effect| matches!(effect, Effect::OpenExpect(_))) {
            self.look_again(&owner.tenant, last).await?;
        }
        self.close_expects(reaction);
        if over {
            self.changes.insert(reaction, None);
        }
        if let Some(reply) = letter.reply {
            let _ = reply.send(Cancelled::Cancelled);
        }
        for order in self.early.remove(&reaction).unwrap_or_default() {
            self.post_cancel(order);
        }
        self.let_go_if_over(reaction);
        Ok(())
    }

    /// The door's part of a step was decided on what has changed since: the event is prepared again.
    fn undo(&mut self, decided: Decided) {
        let Some(slot) = self.open.get_mut(&decided.reaction) else { return };
        slot.version -= decided.rows;
        if let Some(before) = decided.before {
            slot.state = before;
        }
        if let What::Append { append, .. } = decided.letter.what {
            slot.preparing.remove(&append);
            self.prepare(decided.reaction, append);
        }
    }
}

impl Tools {
    /// Takes one letter through the interpreter; nothing, if it changes nothing any more.
    async fn decide(
        &self,
        slot: &mut Slot,
        letter: Letter,
        fence: Option<&Fence>,
    ) -> Result<Option<(Item, Decided)>, Error> {
        let Letter { what, cause, reply } = letter;
        let (kind, own) = match what {
            What::BreakOff(_) if slot.is_over() => return Ok(None),
            What::BreakOff(reason) => {
                return self.break_off(slot, reason, cause, reply, fence).await.map(Some);
            }
            What::Input(kind) => (kind, None),
            What::Append { append, event, item } => {
                (InputKind::EventAppended { append, event }, Some((append, event, item)))
            }
        };
        if slot.broken_off || !slot.takes(&kind) {
            if let Some(reply) = reply {
                let _ = reply.send(match slot.state.finished() {
                    Some(Ending::Cancelled { .. }) => Cancelled::Already,
                    _ => Cancelled::Finished,
                });
            }
            return Ok(None);
        }
        let Some(pinned) = slot.pinned.clone() else {
            let reason = "what it runs is not known".to_owned();
            return self.break_off(slot, reason, cause, reply, fence).await.map(Some);
        };
        let by = match &kind {
            InputKind::Cancelled { by } => Some(by.clone()),
            _ => None,
        };
        if let InputKind::ExpectMet { position, .. } = &kind {
            slot.met.push(*position);
        }
        let before = own.is_some().then(|| slot.state.clone());
        let input = Input { at: self.record.now(), jitter: rand::random_range(0..=200), kind };
        let effects = step(&pinned, &mut slot.state, &input);
        let mut events = vec![Event::Input(input)];
        events.extend(effects.into_iter().map(Event::Effect));
        let Some(sealed) = self.seal(slot, &events).await? else {
            return self.break_off(slot, ERASED.to_owned(), cause, reply, fence).await.map(Some);
        };
        let mut effects = events.into_iter();
        let Some(Event::Input(Input { kind, .. })) = effects.next() else { return Ok(None) };
        let effects = effects.filter_map(|event| match event {
            Event::Effect(effect) => Some(effect),
            _ => None,
        });
        let rows = sealed.events.len() as u64;
        let (mut item, what) = match own {
            Some((append, event, item)) => (*item, What::Append { append, event, item: Box::default() }),
            None => (Item::default(), What::Input(kind)),
        };
        item.writes.push(slot.write(sealed.events, true));
        item.keys.extend(sealed.keys);
        item.fence = fence.cloned();
        item.metadata = Metadata { cause, by, request: None };
        let letter = Letter { what, cause, reply };
        let decided = Decided { reaction: slot.id, letter, effects: effects.collect(), rows, before };
        Ok(Some((item, decided)))
    }

    /// Ends a reaction from outside the interpreter, since there is nothing that it could be given to decide on.
    async fn break_off(
        &self,
        slot: &mut Slot,
        reason: String,
        cause: Option<Position>,
        reply: Option<tokio::sync::oneshot::Sender<Cancelled>>,
        fence: Option<&Fence>,
    ) -> Result<(Item, Decided), Error> {
        warn!(tenant.id = %slot.owner.tenant, reaction.id = %slot.id, %reason, "a reaction is broken off");
        slot.broken_off = true;
        let effect = Effect::Finished(Ending::Failed { reason: reason.clone() });
        let events = [Event::Effect(effect)];
        // Of one who was erased nothing is left to seal with, and nothing of theirs is said.
        let (sealed, has_key) = match self.seal(slot, &events).await? {
            Some(sealed) => (sealed, true),
            None => (Sealed { events: clear(&events)?, keys: Vec::new() }, false),
        };
        let item = Item {
            writes: vec![slot.write(sealed.events, has_key)],
            fence: fence.cloned(),
            keys: sealed.keys,
            metadata: Metadata { cause, ..Metadata::default() },
            ..Item::default()
        };
        let letter = Letter { what: What::BreakOff(reason), cause, reply };
        Ok((item, Decided { reaction: slot.id, letter, effects: Vec::new(), rows: 1, before: None }))
    }

    /// Seals events under the customer's key; `None` if the customer was erased.
    async fn seal(&self, slot: &Slot, events: &[Event]) -> Result<Option<Sealed>, Error> {
        let owner = &slot.owner;
        let mut sealed = Sealed { events: clear(events)?, keys: Vec::new() };
        for event in &mut sealed.events {
            let (payload, key) =
                self.vault.seal(&owner.tenant, owner.customer, event.event_type, &event.payload).await?;
            // The match is sealed under the customer's key: one that is not in the record is new, and of somebody
            // who was erased.
            if let Some(key) = key
                && sealed.keys.is_empty()
            {
                if self.record.key(&owner.tenant, Some(owner.customer)).await?.is_none() {
                    return Ok(None);
                }
                sealed.keys.push(key);
            }
            event.payload = payload;
        }
        Ok(Some(sealed))
    }

    /// Appends, again and again while the record is away.
    pub(super) async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let mut wait = Duration::from_millis(50);
        loop {
            match self.record.append(items.clone()).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(record::Error::Unavailable(reason)) => {
                    warn!(%reason, wait_ms = wait.as_millis(), "the record is away; trying again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(5));
                }
                Err(other) => {
                    error!(error = %other, "the record refuses what the notifier appends");
                    return Err(other.into());
                }
            }
        }
    }
}

/// Events as they are stored, and the key row that they need, if the vault is not sure that it is there.
struct Sealed {
    events: Vec<NewEvent>,
    keys: Vec<NewKey>,
}

/// Why a reaction ends whose customer is no more.
pub(super) const ERASED: &str = "the customer was erased";

fn clear(events: &[Event]) -> Result<Vec<NewEvent>, Error> {
    let encode = |event: &Event| {
        let payload = event.to_json().map_err(|error| record::Error::Damaged(error.to_string()))?;
        Ok(NewEvent {
            event_type: event.event_type(),
            event_version: Event::VERSION,
            payload,
            event_id: None,
            configures: false,
        })
    };
    events.iter().map(encode).collect()
}

impl Slot {
    /// A write to the reaction's stream, which counts as made.
    fn write(&mut self, events: Vec<NewEvent>, sealed: bool) -> Write {
        let expect = Expect::Version(self.version);
        self.version += events.len() as u64;
        Write {
            stream: self.owner.stream(self.id),
            expect,
            customer: sealed.then_some(self.owner.customer),
            partition: Some(self.owner.partition),
            events,
        }
    }
}
