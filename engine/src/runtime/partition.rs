//! A partition: what its customers have contributed, and the deadlines that are open.

use std::collections::BTreeSet;

use domain::ids::CustomerId;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::matching::{Found, Machine, Met, State};

/// The number of a pattern's version, given in the order in which the record has them start.
pub(super) type Slot = u32;

/// The states and deadlines of one partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// What is not fresh.
    states: HashMap<(Slot, CustomerId), State, FxBuildHasher>,
    /// Open deadlines in the order in which they pass.
    deadlines: BTreeSet<(i64, CustomerId, Slot)>,
    /// The stamp of the last row.
    pub reached: i64,
    /// Whether a state has changed since the last checkpoint.
    pub dirty: bool,
}

impl Partition {
    /// The earliest deadline.
    pub fn deadline(&self) -> Option<i64> {
        self.deadlines.first().map(|(time, ..)| *time)
    }

    /// Takes out the earliest deadline, if it is earlier than `time`.
    pub fn due(&mut self, time: i64) -> Option<(i64, CustomerId, Slot)> {
        let first = self.deadlines.first().filter(|(deadline, ..)| *deadline < time)?;
        let due = *first;
        self.deadlines.remove(&due);
        Some(due)
    }

    /// Lets a deadline pass that [`Self::due`] has taken out.
    pub fn tick(&mut self, customer: CustomerId, slot: Slot, machine: &Machine, time: i64) -> Option<Found> {
        let mut state = self.states.remove(&(slot, customer))?;
        let found = machine.tick(&mut state, time);
        self.put(customer, slot, machine, state);
        found
    }

    /// Feeds an event.
    pub fn event(
        &mut self,
        customer: CustomerId,
        slot: Slot,
        machine: &Machine,
        (position, time): (u64, i64),
        met: &Met,
    ) -> Option<Found> {
        let mut state = self.states.remove(&(slot, customer)).unwrap_or_default();
        if let Some(deadline) = machine.deadline(&state) {
            self.deadlines.remove(&(deadline, customer, slot));
        }
        let found = machine.event(&mut state, position, time, met);
        self.put(customer, slot, machine, state);
        found
    }

    /// Puts a state in.
    pub fn put(&mut self, customer: CustomerId, slot: Slot, machine: &Machine, state: State) {
        self.dirty = true;
        if let Some(deadline) = machine.deadline(&state) {
            self.deadlines.insert((deadline, customer, slot));
        }
        if !state.is_fresh() {
            self.states.insert((slot, customer), state);
        }
    }

    /// Drops all that belongs to a pattern's version.
    pub fn forget(&mut self, slot: Slot) {
        let before = self.states.len();
        self.states.retain(|(of, _), _| *of != slot);
        self.deadlines.retain(|(_, _, of)| *of != slot);
        self.dirty |= self.states.len() != before;
    }

    /// Drops the states that cannot matter any more at the time that the partition has reached.
    pub fn sweep<'m>(&mut self, machine: impl Fn(Slot) -> Option<&'m Machine>) {
        let now = self.reached;
        self.states.retain(|(slot, _), state| {
            machine(*slot).and_then(|machine| machine.expiry(state)).is_none_or(|expiry| expiry >= now)
        });
    }

    /// What is not fresh, in no order.
    pub fn states(&self) -> impl ExactSizeIterator<Item = (Slot, CustomerId, &State)> {
        self.states.iter().map(|((slot, customer), state)| (*slot, *customer, state))
    }
}
