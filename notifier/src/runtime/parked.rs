//! Reactions that only wait are let out of memory once there are many: the record has all of them. What they wait for
//! is still known (timers, expects, their turn to send), and each is read back when that comes.

use domain::ids::{Position, ReactionId};
use domain::reaction::{Effect, Expectation, StepId};
use domain::time::Stamp;
use eventlog::record;
use tracing::warn;

use super::Error;
use super::core::{AT_ONCE, Core, Who};
use super::follow::AWAY;
use super::perform::Wake;
use super::slot::{Letter, Owner, Slot, What};
use crate::history::{self, Trail};

/// An open reaction that is not in memory.
pub(super) struct Parked {
    pub(super) owner: Owner,
    /// Its sends and polls that wait in a lane.
    flights: Box<[StepId]>,
    /// Its timers.
    timers: Box<[StepId]>,
    /// The expects that are in the index, and where each was recorded: most events that an index finds for an expect
    /// do not meet it, and nothing is to be read for those.
    expects: Box<[(Position, Expectation)]>,
}

impl Parked {
    fn awaited(&self, expect: StepId) -> Option<(Position, &Expectation)> {
        self.expects.iter().find(|(_, open)| open.id == expect).map(|(begun, open)| (*begun, open))
    }
}

impl Core {
    /// Whether a reaction is open, in memory or not.
    pub(super) fn is_open(&self, reaction: ReactionId) -> bool {
        self.open.contains_key(&reaction) || self.parked.contains_key(&reaction)
    }

    /// An expect that is in the index, and where it was recorded.
    pub(super) fn awaited(&self, (reaction, expect): Who) -> Option<(Position, &Expectation)> {
        match self.parked.get(&reaction) {
            Some(parked) => parked.awaited(expect),
            None => self.open.get(&reaction)?.awaited(expect),
        }
    }

    /// Whose expect that is, if it is in the index.
    pub(super) fn expected_by(&self, (reaction, expect): Who) -> Option<&Owner> {
        match self.parked.get(&reaction) {
            Some(parked) => parked.awaited(expect).map(|_| &parked.owner),
            None => self
                .open
                .get(&reaction)
                .filter(|slot| slot.expects.contains_key(&expect))
                .map(|slot| &slot.owner),
        }
    }

    /// Whether a reaction still waits for that.
    pub(super) fn waits_for(&self, reaction: ReactionId, wake: Wake) -> bool {
        let (Wake::Timer(step) | Wake::Poll(step)) = wake;
        match self.parked.get(&reaction) {
            Some(parked) => parked.timers.contains(&step),
            None => self.open.get(&reaction).is_some_and(|slot| slot.state.is_open(step)),
        }
    }

    /// The expects of a reaction in memory whose deadline is before that stamp.
    pub(super) fn overdue(&self, reaction: ReactionId, stamp: Stamp) -> Vec<StepId> {
        let Some(slot) = self.open.get(&reaction) else { return Vec::new() };
        let deadline =
            |expect: &StepId| slot.awaited(*expect)?.1.deadline.map(|deadline| (deadline, *expect));
        let mut overdue: Vec<_> =
            slot.expects.keys().filter_map(deadline).filter(|(at, _)| *at < stamp).collect();
        overdue.sort_unstable();
        overdue.into_iter().map(|(_, expect)| expect).collect()
    }

    /// Lets those out of memory that only wait, once there are too many.
    pub(super) fn park(&mut self) {
        if self.open.len() < self.park_at {
            return;
        }
        let attempts = &self.attempts;
        let resting = |id: &ReactionId, slot: &mut Slot| {
            slot.rests() && !slot.flights.iter().any(|step| attempts.contains_key(&(*id, *step)))
        };
        self.parked.extend(self.open.extract_if(resting).map(|(id, slot)| (id, slot.parked())));
        // What is left is at work. Looking through it again pays once a part has come to it.
        let left = self.open.len();
        self.park_at = self.tools.options.awake.max(left + left / 4);
    }

    /// Reads those back that are parked. While the record is away, they wait.
    pub(super) async fn awaken(
        &mut self,
        reactions: impl IntoIterator<Item = ReactionId>,
    ) -> Result<(), Error> {
        let of_parked = |id| Some((id, self.parked.remove(&id)?));
        let parked: Vec<(ReactionId, Parked)> = reactions.into_iter().filter_map(of_parked).collect();
        let mut parked = parked.into_iter().peekable();
        while parked.peek().is_some() {
            let page: Vec<_> = parked.by_ref().take(AT_ONCE).collect();
            let streams = page.iter().map(|(id, parked)| parked.owner.stream(*id)).collect();
            for ((id, parked), trail) in page.into_iter().zip(self.tools.trails(streams).await) {
                self.unpark(id, parked, trail).await?;
            }
        }
        Ok(())
    }

    async fn unpark(
        &mut self,
        reaction: ReactionId,
        parked: Parked,
        mut trail: Result<Trail, history::Error>,
    ) -> Result<(), Error> {
        let Parked { owner, flights, timers: _, expects } = parked;
        let (mut slot, hopeless) = loop {
            match self.folded(reaction, owner.clone(), trail).await {
                Err(Error::Record(record::Error::Unavailable(reason))) => {
                    warn!(%reason, "the record is away; a reaction that is to go on waits");
                    tokio::time::sleep(AWAY).await;
                    trail = self.tools.trail(owner.stream(reaction)).await;
                }
                folded => break folded?,
            }
        };
        slot.flights = flights.into_iter().collect();
        slot.expects = expects.into_iter().map(|(_, expect)| (expect.id, expect.equality)).collect();
        self.open.insert(reaction, slot);
        if let Some(reason) = hopeless {
            self.post(reaction, Letter::new(What::BreakOff(reason), None));
        }
        Ok(())
    }
}

impl Slot {
    /// Whether it only waits for what is known without it, and all of it is in the log.
    fn rests(&self) -> bool {
        let nothing_under_way = self.inbox.is_empty()
            && !self.in_air
            && self.preparing.is_empty()
            && self.receipts == 0
            && !self.polls.keys().any(|poll| self.state.is_open(*poll));
        nothing_under_way
            && self.state.is_started()
            && !self.is_over()
            && self.flights.iter().all(|step| self.state.is_open(*step))
            && self.expects.keys().all(|expect| self.awaited(*expect).is_some())
    }

    /// An expect that is in the index, and where it was recorded.
    fn awaited(&self, expect: StepId) -> Option<(Position, &Expectation)> {
        let Some(Effect::OpenExpect(expectation)) = self.state.open(expect) else { return None };
        let begun = self.begun.get(&expect).filter(|_| self.expects.contains_key(&expect))?;
        Some((*begun, expectation))
    }

    /// What is kept of it while it is not in memory.
    fn parked(self) -> Parked {
        let timer = |effect: &Effect| match effect {
            Effect::SetTimer(timer) => Some(timer.id),
            _ => None,
        };
        let known = |expect: &StepId| self.awaited(*expect).map(|(begun, open)| (begun, open.clone()));
        Parked {
            expects: self.expects.keys().filter_map(known).collect(),
            flights: self.flights.iter().copied().collect(),
            timers: self.state.outstanding().filter_map(timer).collect(),
            owner: self.owner,
        }
    }
}
