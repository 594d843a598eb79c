//! The batch: inputs taken through the interpreter, and what follows from how their appending (`draft`) went.

use std::collections::{BTreeMap, VecDeque};

use domain::ids::{Position, ReactionId};
use domain::reaction::{Effect, Event, Input, InputKind, Outcome as Ending, step};
use domain::time::Stamp;
use eventlog::crypto::Sealer;
use eventlog::record::{Expect, Fence, Item, Metadata, Outcome, Write};
use tracing::warn;

use super::core::Core;
use super::draft::{Batch, Decided, Draft, Landed};
use super::slot::{Letter, Reply, Slot, What};
use super::{Error, Tools};
use crate::history::step_of;

/// So many batches may be on their way: one is committed while the next is sealed, and one more is decided.
const AHEAD: usize = 3;

impl Core {
    /// Writes all that has come in, and what comes of that in turn.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        loop {
            self.launch().await?;
            if self.batches.is_empty() {
                return Ok(());
            }
            let landed = Self::next_landed(&mut self.batches).await?;
            self.landed(landed).await?;
        }
    }

    /// Decides what has come in and begins to append it; meanwhile the loop goes on.
    pub(super) async fn launch(&mut self) -> Result<(), Error> {
        while !self.ready.is_empty() && self.batches.len() < AHEAD {
            let drafts = self.decide().await?;
            if eventlog::broken!("send-before-record") {
                for draft in &drafts {
                    for event in &draft.events {
                        if let Event::Effect(effect) = event {
                            self.perform(draft.reaction, effect);
                        }
                    }
                }
                self.dispatch();
            }
            if !drafts.is_empty() {
                self.batches.push_back(Batch::begin(self.tools.clone(), drafts));
            }
        }
        Ok(())
    }

    /// Waits until the batch that was begun first is in the log, for ever if there is none. Cancel-safe.
    pub(super) async fn next_landed(batches: &mut VecDeque<Batch>) -> Result<Landed, Error> {
        let Some(first) = batches.front_mut() else { return std::future::pending().await };
        let landed = first.landed().await;
        batches.pop_front();
        landed
    }

    /// A batch is in the log: what was decided is carried out.
    pub(super) async fn landed(&mut self, landed: Landed) -> Result<(), Error> {
        let mut conflicts: BTreeMap<ReactionId, Vec<Letter>> = BTreeMap::new();
        for (decided, outcome) in landed {
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
    async fn decide(&mut self) -> Result<Vec<Draft>, Error> {
        let mut drafts = Vec::new();
        while drafts.len() < self.tools.options.batch {
            let Some(reaction) = self.ready.pop_front() else { break };
            let Some(slot) = self.open.get_mut(&reaction) else { continue };
            // What has come in meanwhile waits until it has landed.
            if slot.in_air {
                continue;
            }
            let fence = self.fences.get(usize::from(slot.owner.partition.0));
            let mut taken = 0;
            while let Some(letter) = slot.inbox.pop_front() {
                // An event of its own may have to be prepared again, so nothing is built upon it, nor it on others.
                let alone = matches!(letter.what, What::Append { .. } | What::Receipt { .. });
                if alone && taken > 0 {
                    slot.inbox.push_front(letter);
                    break;
                }
                if let Some(draft) = self.tools.decide(slot, letter, fence).await? {
                    drafts.push(draft);
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
        Ok(drafts)
    }

    /// A step is in the log: now it is done what it decided.
    async fn appended(&mut self, decided: Decided, last: Position, stamp: Stamp) -> Result<(), Error> {
        let Decided { reaction, letter, effects, rows, .. } = decided;
        debug_assert!(!self.parked.contains_key(&reaction), "what is in the air is not let out");
        let Some(slot) = self.open.get_mut(&reaction) else {
            // It was over with a step before.
            if let Some(reply) = letter.reply {
                reply.done();
            }
            return Ok(());
        };
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
            What::Input(InputKind::Started(_) | InputKind::SendRedriven { .. }) if !over => {
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
            self.look_again(reaction, last).await?;
        }
        self.close_expects(reaction);
        if over {
            self.changes.insert(reaction, None);
        }
        if let Some(reply) = letter.reply {
            reply.done();
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
        match decided.letter.what {
            What::Append { append, .. } => {
                slot.preparing.remove(&append);
                self.prepare(decided.reaction, append);
            }
            What::Receipt { .. } => self.receipt_again(decided.reaction, decided.letter),
            What::Input(_) | What::BreakOff(_) => {}
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
    ) -> Result<Option<Draft>, Error> {
        let Letter { what, cause, reply } = letter;
        let (kind, own) = match what {
            What::BreakOff(_) if slot.is_over() => return Ok(None),
            What::BreakOff(reason) => {
                return self.break_off(slot, reason, cause, reply, fence).await.map(Some);
            }
            What::Input(kind) => (kind, None),
            What::Append { append, event, item } => {
                let what = What::Append { append, event, item: Box::default() };
                (InputKind::EventAppended { append, event }, Some((what, item)))
            }
            What::Receipt { receipt, item } => {
                let what = What::Receipt { receipt: receipt.clone(), item: Box::default() };
                (InputKind::ReceiptCame(receipt), Some((what, item)))
            }
        };
        if slot.broken_off || !slot.takes(&kind) {
            if let Some(reply) = reply {
                reply.refused(slot.state.finished());
            }
            return Ok(None);
        }
        let Some(pinned) = slot.pinned.clone() else {
            let reason = "what it runs is not known".to_owned();
            return self.break_off(slot, reason, cause, reply, fence).await.map(Some);
        };
        let sealer = self.sealer(slot).await?;
        if sealer.is_none() {
            return self.break_off(slot, ERASED.to_owned(), cause, reply, fence).await.map(Some);
        }
        let by = match &kind {
            InputKind::Cancelled { by }
            | InputKind::SendReleased { by, .. }
            | InputKind::SendDiscarded { by, .. }
            | InputKind::SendRedriven { by, .. } => Some(by.clone()),
            _ => None,
        };
        if let InputKind::ExpectMet { position, .. } = &kind {
            slot.met.push(*position);
        }
        let before = own.is_some().then(|| slot.state.clone());
        let input = Input { at: self.record.now(), jitter: rand::random_range(0..=200), kind };
        let effects = step(&pinned, &mut slot.state, &input);
        let events: Vec<Event> =
            std::iter::once(Event::Input(input)).chain(effects.into_iter().map(Event::Effect)).collect();
        let (item, what) = match own {
            Some((what, item)) => (*item, Some(what)),
            None => (Item::default(), None),
        };
        let metadata = Metadata { cause, by, request: None };
        let item = Item { fence: fence.cloned(), metadata, ..item };
        let write = slot.write(events.len(), true);
        Ok(Some(Draft { reaction: slot.id, what, reply, events, sealer, write, item, before }))
    }

    /// Ends a reaction from outside the interpreter, since there is nothing that it could be given to decide on.
    async fn break_off(
        &self,
        slot: &mut Slot,
        reason: String,
        cause: Option<Position>,
        reply: Option<Reply>,
        fence: Option<&Fence>,
    ) -> Result<Draft, Error> {
        warn!(tenant.id = %slot.owner.tenant, reaction.id = %slot.id, %reason, "a reaction is broken off");
        slot.broken_off = true;
        let events = vec![Event::Effect(Effect::Finished(Ending::Failed { reason: reason.clone() }))];
        let sealer = self.sealer(slot).await?;
        let write = slot.write(events.len(), sealer.is_some());
        let metadata = Metadata { cause, ..Metadata::default() };
        let item = Item { fence: fence.cloned(), metadata, ..Item::default() };
        let what = Some(What::BreakOff(reason));
        Ok(Draft { reaction: slot.id, what, reply, events, sealer, write, item, before: None })
    }

    /// What the reaction's customer's entries are sealed with; nothing, if the customer was erased.
    async fn sealer(&self, slot: &Slot) -> Result<Option<Sealer>, Error> {
        let owner = &slot.owner;
        let sealer = self.vault.sealer(&owner.tenant, owner.customer).await?;
        // The match is sealed under the customer's key: one that is not in the record is new, and of somebody who
        // was erased.
        let erased =
            sealer.row().is_some() && self.record.key(&owner.tenant, Some(owner.customer)).await?.is_none();
        Ok((!erased).then_some(sealer))
    }
}

/// Why a reaction ends whose customer is no more.
pub(super) const ERASED: &str = "the customer was erased";

impl Slot {
    /// A write of so many events to the reaction's stream, still without them, which counts as made.
    fn write(&mut self, events: usize, sealed: bool) -> Write {
        let expect = Expect::Version(self.version);
        self.version += events as u64;
        Write {
            stream: self.owner.stream(self.id),
            expect,
            customer: sealed.then_some(self.owner.customer),
            partition: Some(self.owner.partition),
            events: Vec::new(),
        }
    }
}
