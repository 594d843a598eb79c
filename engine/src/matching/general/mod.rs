//! The machine for every trigger: an arena of nodes, each of which tells at every point what completes there.
//!
//! It follows when.md §2–3 to the letter: nodes hand up completions (start, witness) that end at the point in hand,
//! and those that have to wait for others are stored where they wait. What is dropped is only what no way of going on
//! can prefer: too old for a window around it, ruled out by a guard, or outdone in every way that matters there
//! ([`completion::Matters`]). Read next: `build`, then `chain` and `all`.

mod all;
mod build;
mod chain;
mod completion;
mod encode;

use std::collections::VecDeque;

use super::Met;
use super::moment::Moment;
use super::plan::Plan;
use completion::{New, Prefix, Witness, reduce};

/// A node's place in the arena; children stand before their parents.
type NodeId = usize;

/// A trigger ready to run.
#[derive(Debug)]
pub(super) struct Machine {
    nodes: Vec<Node>,
    /// How many of the nodes keep something.
    slots: usize,
}

#[derive(Debug)]
struct Node {
    kind: Kind,
    /// Whether a completion with an earlier start may be needed beside one that starts later.
    exact: bool,
    /// The tightest window around it: what started earlier than that cannot count any more.
    horizon: Option<i64>,
    /// Where its state is, if it keeps any.
    slot: usize,
}

#[derive(Debug)]
enum Kind {
    /// One event; whether anyone asks for its position.
    Event(Met, bool),
    /// The n-th event; whether anyone asks for the positions.
    Count(usize, Met, bool),
    Any(Vec<NodeId>),
    Within(i64, NodeId),
    Chain(chain::Chain),
    All(all::All),
}

/// What has been contributed since the last match. Nothing, to begin with.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    slots: Vec<Slot>,
}

#[derive(Clone, Debug, PartialEq)]
enum Slot {
    /// Nothing yet.
    Fresh,
    Ring(VecDeque<Moment>),
    Chain(chain::Progress),
    All(all::Progress),
}

impl State {
    /// Whether it is as at the start.
    pub fn is_fresh(&self) -> bool {
        self.slots.is_empty()
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let prefixes = |lists: &[Vec<Prefix>]| {
            let prefix = |prefix: &Prefix| size_of::<Prefix>() + prefix.witness.capacity() * size_of::<u64>();
            lists.iter().map(|list| size_of_val(list) + list.iter().map(prefix).sum::<usize>()).sum::<usize>()
        };
        let slot = |slot: &Slot| match slot {
            Slot::Fresh => 0,
            Slot::Ring(ring) => ring.capacity() * size_of::<Moment>(),
            Slot::Chain(progress) => {
                let seen = progress.seen.iter().map(|seen| seen.capacity() * size_of::<[Moment; 2]>());
                prefixes(&progress.prefixes) + seen.sum::<usize>()
            }
            Slot::All(progress) => prefixes(&progress.stored),
        };
        size_of::<Self>() + size_of_val(&*self.slots) + self.slots.iter().map(slot).sum::<usize>()
    }

    /// The latest start of anything that is held.
    pub fn latest_start(&self) -> Option<i64> {
        let latest = |slot: &Slot| match slot {
            Slot::Fresh => None,
            Slot::Ring(ring) => ring.back().copied(),
            Slot::Chain(progress) => progress.prefixes.iter().flatten().map(|p| p.start).max(),
            Slot::All(progress) => progress.stored.iter().flatten().map(|p| p.start).max(),
        };
        self.slots.iter().filter_map(latest).max().map(|moment| moment.time)
    }
}

impl Machine {
    /// The machine of a plan.
    pub fn new(plan: &Plan) -> Self {
        build::build(plan)
    }

    /// What an event or a tick does: the best witness, if it completes. A match leaves the state as at the start.
    pub fn step(&self, state: &mut State, at: Moment, met: &Met) -> Option<Witness> {
        if !at.is_tick() && met.is_empty() {
            return None;
        }
        if state.slots.is_empty() {
            state.slots.resize(self.slots, Slot::Fresh);
        }
        let mut new: Vec<Vec<New>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut completed = node.step(&mut state.slots, at, met, &new);
            reduce(&mut completed, node.exact);
            new.push(completed);
        }
        let found = new.pop()?.into_iter().max_by(New::preference);
        if found.is_some() || state.slots.iter().all(Slot::is_empty) {
            state.slots = Vec::new();
        }
        found.map(|best| best.witness)
    }

    /// The next tick that may do something.
    pub fn deadline(&self, state: &State) -> Option<i64> {
        let pending = |node: &Node| match (&node.kind, state.slots.get(node.slot)) {
            (Kind::Chain(chain), Some(Slot::Chain(progress))) => chain.deadline(progress),
            _ => None,
        };
        self.nodes.iter().filter_map(pending).min()
    }
}

impl Slot {
    fn is_empty(&self) -> bool {
        match self {
            Self::Fresh => true,
            Self::Ring(ring) => ring.is_empty(),
            Self::Chain(progress) => progress.is_empty(),
            Self::All(progress) => progress.is_empty(),
        }
    }
}

impl Node {
    fn step(&self, slots: &mut [Slot], at: Moment, met: &Met, new: &[Vec<New>]) -> Vec<New> {
        match &self.kind {
            Kind::Event(wanted, witnessed) if !at.is_tick() && wanted.meets(met) => {
                vec![New { start: at, witness: if *witnessed { vec![at.position] } else { Witness::new() } }]
            }
            Kind::Event(..) => Vec::new(),
            Kind::Any(members) => members.iter().flat_map(|m| completed(new, *m)).cloned().collect(),
            Kind::Within(span, inner) => {
                completed(new, *inner).iter().filter(|c| at.within(*span, c.start)).cloned().collect()
            }
            Kind::Count(n, wanted, witnessed) => {
                if at.is_tick() || !wanted.meets(met) {
                    return Vec::new();
                }
                let Some(ring) = ring(slots, self.slot) else { return Vec::new() };
                while self.horizon.is_some_and(|h| ring.front().is_some_and(|old| !at.within(h, *old))) {
                    ring.pop_front();
                }
                count(ring, at, *n, *witnessed, self.exact)
            }
            Kind::Chain(chain) => match chain_progress(slots, self.slot) {
                Some(progress) => chain.step(progress, at, self.horizon, new),
                None => Vec::new(),
            },
            Kind::All(all) => match all_progress(slots, self.slot) {
                Some(progress) => all.step(progress, at, self.horizon, new),
                None => Vec::new(),
            },
        }
    }
}

/// What of a node completes at the point in hand.
fn completed(new: &[Vec<New>], node: NodeId) -> &[New] {
    new.get(node).map_or(&[], Vec::as_slice)
}

fn ring(slots: &mut [Slot], slot: usize) -> Option<&mut VecDeque<Moment>> {
    let slot = slots.get_mut(slot)?;
    if matches!(slot, Slot::Fresh) {
        *slot = Slot::Ring(VecDeque::new());
    }
    match slot {
        Slot::Ring(ring) => Some(ring),
        _ => None,
    }
}

fn chain_progress(slots: &mut [Slot], slot: usize) -> Option<&mut chain::Progress> {
    let slot = slots.get_mut(slot)?;
    if matches!(slot, Slot::Fresh) {
        *slot = Slot::Chain(chain::Progress::default());
    }
    match slot {
        Slot::Chain(progress) => Some(progress),
        _ => None,
    }
}

fn all_progress(slots: &mut [Slot], slot: usize) -> Option<&mut all::Progress> {
    let slot = slots.get_mut(slot)?;
    if matches!(slot, Slot::Fresh) {
        *slot = Slot::All(all::Progress::default());
    }
    match slot {
        Slot::All(progress) => Some(progress),
        _ => None,
    }
}

/// The n-th event since each earlier one that is worth starting from: the witness is that one and the latest.
fn count(ring: &mut VecDeque<Moment>, at: Moment, n: usize, witnessed: bool, exact: bool) -> Vec<New> {
    ring.push_back(at);
    let Some(latest_start) = ring.len().checked_sub(n) else { return Vec::new() };
    let first_start = if exact { 0 } else { latest_start };
    let from = |start: usize| {
        let start = *ring.get(start)?;
        let mut witness = Witness::new();
        if witnessed {
            witness.extend(ring.iter().rev().take(n - 1).map(|m| m.position));
            witness.push(start.position);
        }
        Some(New { start, witness })
    };
    let new = (first_start..=latest_start).filter_map(from).collect();
    if !exact {
        // Only the latest n − 1 can serve again.
        ring.drain(..=latest_start);
    }
    new
}

/// Drops what started too long ago to lie in a window that ends now or later.
fn expire(prefixes: &mut Vec<Prefix>, at: Moment, horizon: Option<i64>) {
    if let Some(horizon) = horizon {
        prefixes.retain(|prefix| at.within(horizon, prefix.start));
    }
}
