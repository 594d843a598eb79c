//! A partition: what its customers have contributed, and the deadlines that are open.
//!
//! Its customers are divided among buckets, which are shared with a snapshot that is being written and copied when
//! they change meanwhile. What has not changed for long may be spilled: then it is only in the checkpoint's row of its
//! bucket, and the bucket knows whose it is and when the first deadline of it comes. Read next: `bucket`, `spill`.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::ids::CustomerId;
use eventlog::record::Error;
use hashbrown::hash_map::Entry;

use super::bucket::{self, Bucket, Kept, Of, SPILLED_COST, cost};
use super::slots::{Slot, Slots};
use super::store::{Lost, Store};
use crate::matching::codec::Malformed;
use crate::matching::{Found, Machine, State};

/// How many buckets a partition has.
const BUCKETS: usize = 256;

/// The states and deadlines of one partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) id: u8,
    pub(super) places: Vec<Place>,
    /// Open deadlines of what is in memory, in the order in which they pass.
    pub(super) deadlines: BTreeSet<(i64, CustomerId, Slot)>,
    /// Of buckets: before this nothing of theirs that is spilled is due.
    pub(super) spilled_due: BTreeSet<(i64, u8)>,
    /// About how many bytes are in memory.
    pub(super) used: usize,
    /// The stamp of the last row.
    pub reached: i64,
}

/// A bucket's place.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The snapshot that will have its last change, or has it.
    pub changed: u32,
    pub bucket: Arc<Bucket>,
}

/// What a partition's work needs besides.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub slots: &'a Slots,
    pub store: &'a Store,
}

/// The bucket of a customer. (What a customer's id begins with tells the partition.)
pub(super) fn bucket_of(customer: CustomerId) -> u8 {
    customer.0[15]
}

impl Partition {
    pub fn new(id: u8) -> Self {
        Self {
            id,
            places: (0..BUCKETS).map(|_| Place::default()).collect(),
            deadlines: BTreeSet::new(),
            spilled_due: BTreeSet::new(),
            used: 0,
            reached: 0,
        }
    }

    /// No deadline is earlier.
    pub fn deadline(&self) -> Option<i64> {
        let in_memory = self.deadlines.first().map(|(time, ..)| *time);
        let spilled = self.spilled_due.first().map(|(time, _)| *time);
        in_memory.into_iter().chain(spilled).min()
    }

    /// Takes out the earliest deadline, if it is earlier than `time`.
    pub fn due(&mut self, time: i64, host: Host<'_>) -> Result<Option<(i64, Of)>, Lost> {
        while let Some((_, number)) = self.spilled_due.first().copied().filter(|(due, _)| *due < time) {
            self.read_back(number, host)?;
        }
        let Some(due) = self.deadlines.first().copied().filter(|(due, ..)| *due < time) else {
            return Ok(None);
        };
        self.deadlines.remove(&due);
        let (time, customer, slot) = due;
        Ok(Some((time, (slot, customer))))
    }

    /// Changes a state, which is dropped if it is fresh afterwards.
    pub fn change(
        &mut self,
        of: Of,
        machine: &Machine,
        host: Host<'_>,
        change: impl FnOnce(&mut State) -> Option<Found>,
    ) -> Result<Option<Found>, Lost> {
        let number = bucket_of(of.1);
        if self.place(number).is_some_and(|place| place.bucket.spilled.binary_search(&of).is_ok()) {
            self.read_back(number, host)?;
        }
        let Self { places, deadlines, used, .. } = self;
        let Some(place) = places.get_mut(usize::from(number)) else { return Ok(None) };
        let now = host.store.next;
        let mut moved = |before: Option<i64>, after: Option<i64>| {
            if before != after {
                before.map(|time| deadlines.remove(&(time, of.1, of.0)));
                after.map(|time| deadlines.insert((time, of.1, of.0)));
            }
        };
        match Arc::make_mut(&mut place.bucket).states.entry(of) {
            Entry::Occupied(mut entry) => {
                let kept = entry.get_mut();
                *used = used.saturating_sub(cost(&kept.state));
                let before = machine.deadline(&kept.state);
                let found = change(&mut kept.state);
                moved(before, machine.deadline(&kept.state));
                kept.changed = now;
                place.changed = now;
                if kept.state.is_fresh() {
                    entry.remove();
                } else {
                    *used += cost(&kept.state);
                }
                Ok(found)
            }
            Entry::Vacant(entry) => {
                let mut state = State::default();
                let found = change(&mut state);
                if !state.is_fresh() {
                    moved(None, machine.deadline(&state));
                    *used += cost(&state);
                    entry.insert(Kept { state, changed: now });
                    place.changed = now;
                }
                Ok(found)
            }
        }
    }

    /// Where a bucket is.
    fn place(&self, number: u8) -> Option<&Place> {
        self.places.get(usize::from(number))
    }

    /// Reads back what is spilled of a bucket.
    pub(super) fn read_back(&mut self, number: u8, host: Host<'_>) -> Result<(), Lost> {
        let row = host.store.row([self.id, number])?;
        let Some(place) = self.places.get_mut(usize::from(number)) else { return Ok(()) };
        let bucket = Arc::make_mut(&mut place.bucket);
        let spilled = std::mem::take(&mut bucket.spilled);
        self.spilled_due.remove(&(bucket.due, number));
        (bucket.due, bucket.expiry) = (i64::MAX, i64::MAX);
        self.used = self.used.saturating_sub(spilled.len() * SPILLED_COST);
        let mut missing = spilled.len();
        let read = bucket::each(&row, |of, bytes| {
            if spilled.binary_search(&of).is_ok() {
                missing = missing.wrapping_sub(1);
                self.insert(of, bucket::state(host.slots, of.0, bytes)?, host, 0);
            }
            Ok(())
        });
        match (read, missing) {
            (Ok(()), 0) => Ok(()),
            _ => Err(Lost(Error::Damaged("a row of the engine's checkpoint lacks what was spilled".into()))),
        }
    }

    /// Puts a state in that was read from the checkpoint.
    fn insert(&mut self, of: Of, state: State, host: Host<'_>, changed: u32) {
        if let Some(time) = host.slots.machine(of.0).and_then(|machine| machine.deadline(&state)) {
            self.deadlines.insert((time, of.1, of.0));
        }
        if let Some(place) = self.places.get_mut(usize::from(bucket_of(of.1)))
            && !state.is_fresh()
        {
            self.used += cost(&state);
            Arc::make_mut(&mut place.bucket).states.insert(of, Kept { state, changed });
        }
    }

    /// Takes a bucket's row in, its slots being translated; those that are no more in force are left out. `changed`
    /// is 0 if the row may stay as it is.
    pub fn restore(
        &mut self,
        number: u8,
        row: &[u8],
        slot: impl Fn(Slot) -> Option<Slot>,
        host: Host<'_>,
        changed: u32,
    ) -> Result<(), Malformed> {
        if let Some(place) = self.places.get_mut(usize::from(number)) {
            place.changed = changed;
        }
        bucket::each(row, |(said, customer), bytes| {
            if let Some(slot) = slot(said) {
                self.insert((slot, customer), bucket::state(host.slots, slot, bytes)?, host, changed);
            }
            Ok(())
        })
    }

    /// Drops all that belongs to a pattern's version.
    pub fn forget(&mut self, slot: Slot, store: &Store) {
        self.deadlines.retain(|(_, _, of)| *of != slot);
        for place in &mut self.places {
            let theirs = |of: &Of| of.0 == slot;
            if !place.bucket.states.keys().any(theirs) && !place.bucket.spilled.iter().any(theirs) {
                continue;
            }
            place.changed = store.next;
            let bucket = Arc::make_mut(&mut place.bucket);
            let gone: usize =
                bucket.states.extract_if(|of, _| theirs(of)).map(|(_, kept)| cost(&kept.state)).sum();
            let spilled = bucket.spilled.len();
            // When the first of the rest is due may be later than is noted now: it is looked at too early, once.
            bucket.spilled.retain(|of| !theirs(of));
            let spilled = (spilled - bucket.spilled.len()) * SPILLED_COST;
            self.used = self.used.saturating_sub(gone + spilled);
        }
    }

    /// Drops the states that cannot matter any more at the time that the partition has reached.
    pub fn sweep(&mut self, host: Host<'_>) -> Result<(), Lost> {
        let now = self.reached;
        for number in 0..=u8::MAX {
            if self.place(number).is_some_and(|place| place.bucket.expiry < now) {
                self.read_back(number, host)?;
            }
            let Self { places, deadlines, used, .. } = self;
            let Some(place) = places.get_mut(usize::from(number)) else { continue };
            let expired = |(slot, _): &Of, kept: &Kept| {
                let expiry = host.slots.machine(*slot).and_then(|machine| machine.expiry(&kept.state));
                expiry.is_some_and(|expiry| expiry < now)
            };
            if !place.bucket.states.iter().any(|(of, kept)| expired(of, kept)) {
                continue;
            }
            place.changed = host.store.next;
            let bucket = Arc::make_mut(&mut place.bucket);
            for (of, kept) in bucket.states.extract_if(|of, kept| expired(of, kept)) {
                *used = used.saturating_sub(cost(&kept.state));
                if let Some(time) = host.slots.machine(of.0).and_then(|m| m.deadline(&kept.state)) {
                    deadlines.remove(&(time, of.1, of.0));
                }
            }
        }
        Ok(())
    }
}
