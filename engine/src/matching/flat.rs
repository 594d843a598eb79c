//! Machines for the simple triggers, which are nearly all: a few moments in one small block are the whole state.
//!
//! Here a later start is always the better one, so that one chain of each length is enough:
//! - n events: the latest n − 1.
//! - Events one after the other, single events as guards: of each length the chain that began latest. A newer chain of
//!   the same length never began earlier, and what guards drop is older than all that comes.
//! - The same with a `fail` up to a deadline at the end: the earliest deadline that still stands. It is the first to
//!   pass, and uses up the rest.
//! - All of some events or counts of them, single events as guards: the latest of each member. What a guard sees bars
//!   everything before it, so everything is dropped.
//!
//! Anything else is `general`'s. A window stands around the whole or nowhere.

use super::Met;
use super::moment::Moment;
use super::moments::Moments;
use super::plan::{Anchor, Plan, Seq, Step, Trailing};

/// The longest chain that is kept here, in members; a state holds n (n + 1) / 2 moments at most.
const LONGEST_CHAIN: usize = 8;

/// The most events that an `all` may wait for here.
const WIDEST_ALL: usize = 16;

/// A simple trigger ready to run.
#[derive(Debug)]
pub(super) struct Machine {
    window: Option<i64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// So many events.
    Count(usize, Met),
    Chain(Chain),
    All(All),
}

impl Machine {
    /// The machine of a plan, if it is simple enough.
    pub fn new(plan: &Plan) -> Option<Self> {
        let (window, plan) = match plan {
            Plan::Within(span, plan) => (Some(*span), plan.as_ref()),
            plan => (None, plan),
        };
        let kind = match plan {
            Plan::Event(met) => Kind::Count(1, met.clone()),
            Plan::Count(n, met) => Kind::Count(usize::try_from(*n).ok()?, met.clone()),
            Plan::Seq(seq) => Kind::Chain(Chain::new(seq)?),
            Plan::All { members, guards } => Kind::All(All::new(members, guards)?),
            Plan::Any(_) | Plan::Within(..) | Plan::Repeat(..) => return None,
        };
        Some(Self { window, kind })
    }

    /// What an event does: the witness from the latest to the earliest, if it completes. A match leaves the state fresh.
    pub fn event(&self, state: &mut Moments, at: Moment, met: &Met) -> Option<Vec<u64>> {
        let found = match &self.kind {
            Kind::Count(n, wanted) if wanted.meets(met) => count(state, *n, self.window, at),
            Kind::Count(..) => None,
            Kind::Chain(chain) => chain.event(state, self.window, at, met),
            Kind::All(all) => all.event(state, self.window, at, met),
        };
        if found.is_some() {
            *state = Moments::new();
        }
        found
    }

    /// The tick that completes what is waited for.
    pub fn deadline(&self, state: &Moments) -> Option<i64> {
        match &self.kind {
            Kind::Chain(chain) => chain.deadline(state),
            Kind::Count(..) | Kind::All(_) => None,
        }
    }

    /// Lets a deadline pass.
    pub fn tick(&self, state: &mut Moments, deadline: i64) -> Option<Vec<u64>> {
        let Kind::Chain(chain) = &self.kind else { return None };
        chain.deadline(state).filter(|due| *due <= deadline)?;
        let witness = chain.held(state, chain.steps.len()).map(positions);
        *state = Moments::new();
        witness
    }

    /// Whether moments can be a state of this machine.
    pub fn accepts(&self, state: &Moments) -> bool {
        match &self.kind {
            Kind::Count(n, _) => state.len() < *n,
            Kind::Chain(chain) => state.len() == chain.room(),
            Kind::All(all) => state.len() == all.room(),
        }
    }
}

/// No moment: the place is free.
const NONE: Moment = Moment::tick(i64::MIN);

fn make_room(state: &mut Moments, room: usize) {
    if state.is_empty() {
        *state = Moments::filled(NONE, room);
    }
}

fn positions(ascending: &[Moment]) -> Vec<u64> {
    ascending.iter().rev().map(|moment| moment.position).collect()
}

/// The n-th event: the state is a ring of the latest n − 1, whose oldest is where it turns.
fn count(ring: &mut Moments, n: usize, window: Option<i64>, at: Moment) -> Option<Vec<u64>> {
    if ring.len() + 1 < n {
        ring.push(at);
        return None;
    }
    let Some(first) = ring.first().copied() else { return Some(vec![at.position]) };
    let turn = ring.partition_point(|moment| *moment >= first);
    let oldest = if turn < ring.len() { turn } else { 0 };
    let start = ring.get_mut(oldest)?;
    if window.is_some_and(|window| !at.within(window, *start)) {
        *start = at;
        return None;
    }
    ring.rotate_left(oldest);
    ring.push(at);
    Some(positions(ring))
}

/// Events one after the other. Of j members done, the state holds the j events of the chain that began latest.
#[derive(Debug)]
struct Chain {
    steps: Vec<Link>,
    /// What must not follow, and for how long.
    trailing: Option<(Met, i64)>,
}

#[derive(Debug)]
struct Link {
    /// What must not lie before it.
    guards: Met,
    wanted: Met,
}

impl Chain {
    fn new(seq: &Seq) -> Option<Self> {
        let link = |step: &Step| match &step.plan {
            Plan::Event(wanted) => Some(Link { guards: events(&step.guards)?, wanted: wanted.clone() }),
            _ => None,
        };
        let steps: Vec<Link> = seq.steps.iter().map(link).collect::<Option<_>>()?;
        let trailing = match &seq.trailing {
            None => None,
            // Of a lone event start and end are one.
            Some(Trailing { guards, span, from }) if *from == Anchor::End || steps.len() == 1 => {
                Some((events(guards)?, *span))
            }
            Some(_) => return None,
        };
        (steps.len() <= LONGEST_CHAIN).then_some(Self { steps, trailing })
    }

    /// How many members the longest chain has that is held.
    fn longest(&self) -> usize {
        self.steps.len() - usize::from(self.trailing.is_none())
    }

    fn room(&self) -> usize {
        room_below(self.longest() + 1)
    }

    /// The chain of so many members, if there is one.
    fn held<'s>(&self, state: &'s Moments, members: usize) -> Option<&'s [Moment]> {
        let from = room_below(members);
        state.get(from..from + members).filter(|chain| chain.first() != Some(&NONE))
    }

    fn drop(&self, state: &mut Moments, members: usize) {
        if let Some(first) = state.get_mut(room_below(members)) {
            *first = NONE;
        }
    }

    fn event(&self, state: &mut Moments, window: Option<i64>, at: Moment, met: &Met) -> Option<Vec<u64>> {
        let all = self.steps.len();
        if let Some((guards, _)) = &self.trailing
            && guards.meets(met)
        {
            self.drop(state, all);
        }
        // From the end, so that each member goes on from what was there before this event, and so that a guard, which
        // rules out only what ended before it, meets that and not what is made now.
        for (before, link) in self.steps.iter().enumerate().rev() {
            let goes_on = link.wanted.meets(met) && (before == 0 || self.fits(state, before, window, at));
            if goes_on {
                if before + 1 == all && self.trailing.is_none() {
                    let mut witness = vec![at.position];
                    witness.extend(positions(self.held(state, before).unwrap_or_default()));
                    return Some(witness);
                }
                self.longer(state, before, window, at);
            }
            if link.guards.meets(met) {
                self.drop(state, before);
            }
        }
        if !state.is_empty() && (1..=self.longest()).all(|members| self.held(state, members).is_none()) {
            *state = Moments::new();
        }
        None
    }

    /// Whether there is a chain of so many members that is young enough; one that is not is dropped.
    fn fits(&self, state: &mut Moments, members: usize, window: Option<i64>, at: Moment) -> bool {
        let Some(start) = self.held(state, members).and_then(<[Moment]>::first) else { return false };
        let fits = window.is_none_or(|window| at.within(window, *start));
        if !fits {
            self.drop(state, members);
        }
        fits
    }

    /// Makes a chain of one more member.
    fn longer(&self, state: &mut Moments, before: usize, window: Option<i64>, at: Moment) {
        if before + 1 == self.steps.len() && !self.opens(state, before, window, at) {
            return;
        }
        make_room(state, self.room());
        let (from, to) = (room_below(before), room_below(before + 1));
        state.copy_within(from..from + before, to);
        if let Some(last) = state.get_mut(to + before) {
            *last = at;
        }
    }

    /// Whether a whole chain that ends now is to wait for its deadline: if none waits for an earlier one, and if it
    /// would then lie in the window.
    fn opens(&self, state: &Moments, before: usize, window: Option<i64>, at: Moment) -> bool {
        let Some((_, span)) = &self.trailing else { return false };
        let start = self.held(state, before).and_then(<[Moment]>::first).copied().unwrap_or(at);
        let due = Moment::tick(at.time.saturating_add(*span));
        let waiting = self.held(state, self.steps.len()).and_then(<[Moment]>::last);
        window.is_none_or(|window| due.within(window, start)) && waiting.is_none_or(|w| w.time == at.time)
    }

    fn deadline(&self, state: &Moments) -> Option<i64> {
        let (_, span) = self.trailing.as_ref()?;
        let end = self.held(state, self.steps.len())?.last()?;
        Some(end.time.saturating_add(*span))
    }
}

/// How many moments the chains of fewer members take.
const fn room_below(members: usize) -> usize {
    members * members.saturating_sub(1) / 2
}

/// All of some counts of events: the state holds the latest events of each member, in ascending order, one member
/// after the other.
#[derive(Debug)]
struct All {
    members: Vec<(usize, Met)>,
    guards: Met,
}

impl All {
    fn new(members: &[Plan], guards: &[Plan]) -> Option<Self> {
        let member = |plan: &Plan| match plan {
            Plan::Event(met) => Some((1, met.clone())),
            Plan::Count(n, met) => Some((usize::try_from(*n).ok()?, met.clone())),
            _ => None,
        };
        let all =
            Self { members: members.iter().map(member).collect::<Option<_>>()?, guards: events(guards)? };
        (all.room() <= WIDEST_ALL).then_some(all)
    }

    fn room(&self) -> usize {
        self.members.iter().fold(0, |sum, (n, _)| sum.saturating_add(*n))
    }

    fn event(&self, state: &mut Moments, window: Option<i64>, at: Moment, met: &Met) -> Option<Vec<u64>> {
        if self.guards.meets(met) {
            *state = Moments::new();
            return None;
        }
        if !self.members.iter().any(|(_, wanted)| wanted.meets(met)) {
            return None;
        }
        make_room(state, self.room());
        let mut rest = &mut state[..];
        let mut start = at;
        let mut complete = true;
        for (n, wanted) in &self.members {
            let (latest, others) = rest.split_at_mut_checked(*n)?;
            rest = others;
            if wanted.meets(met) {
                latest.rotate_left(1);
                *latest.last_mut()? = at;
            }
            let oldest = *latest.first()?;
            complete &= oldest != NONE;
            start = start.min(oldest);
        }
        if !complete || window.is_some_and(|window| !at.within(window, start)) {
            return None;
        }
        let mut witness = positions(state);
        witness.sort_unstable_by(|a, b| b.cmp(a));
        Some(witness)
    }
}

/// The events that guards wait for, if they wait for single events.
fn events(guards: &[Plan]) -> Option<Met> {
    let mut all = Met::none();
    for guard in guards {
        match guard {
            Plan::Event(met) => all.extend(met),
            _ => return None,
        }
    }
    Some(all)
}
