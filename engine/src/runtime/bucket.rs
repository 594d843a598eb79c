//! A bucket: the states of some of a partition's customers, in memory or in the checkpoint, and its row there.
//!
//! The row: two format bytes, then for each pattern's version that has states its slot, their number, and of each the
//! customer, the length of its bytes, and its bytes; in the order of slots and customers. Numbers are of variable
//! length. Which pattern a slot is, is said by a row of its own (`snapshot`).

use std::ops::Range;

use domain::ids::CustomerId;
use eventlog::record::Error;
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use super::slots::{Slot, Slots};
use crate::matching::codec::{Malformed, Reader, Writer};
use crate::matching::{self, State};

/// Whose a state is.
pub(super) type Of = (Slot, CustomerId);

/// Raised with every change of the form; another one is refused, and the states are made anew from the record.
const FORMAT: u8 = 2;

/// A state in memory.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub state: State,
    /// The snapshot that will have its last change, or has it; 0: it was read from the checkpoint.
    pub changed: u32,
}

/// The states of some customers.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// What is not fresh, and in memory.
    pub states: HashMap<Of, Kept, FxBuildHasher>,
    /// What is not fresh, and only in the checkpoint's row; ascending.
    pub spilled: Vec<Of>,
    /// No deadline of what is spilled is earlier.
    pub due: i64,
    /// Nothing of what is spilled expires earlier.
    pub expiry: i64,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { states: HashMap::default(), spilled: Vec::new(), due: i64::MAX, expiry: i64::MAX }
    }
}

/// What a state costs in memory: its entry, of which a table may have twice as many as it needs, and its blocks.
pub(super) fn cost(state: &State) -> usize {
    size_of::<(Of, Kept)>() * 2 + state.blocks()
}

/// What of a spilled state stays in memory.
pub(super) const SPILLED_COST: usize = size_of::<Of>();

impl Bucket {
    /// Whether it has no states at all.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.spilled.is_empty()
    }

    /// Its row. What is spilled is taken from `row`, which is asked for only then.
    pub fn row(&self, row: impl FnOnce() -> Result<Vec<u8>, Error>) -> Result<Vec<u8>, Error> {
        let mut entries = Entries { list: Vec::with_capacity(self.states.len()), bytes: Writer::default() };
        for (of, kept) in &self.states {
            entries.add(*of, |bytes| kept.state.write(bytes));
        }
        if !self.spilled.is_empty() {
            let in_memory = entries.list.len();
            let take = |of: Of, bytes: &[u8]| {
                if self.spilled.binary_search(&of).is_ok() {
                    entries.add(of, |writer| writer.0.extend_from_slice(bytes));
                }
                Ok(())
            };
            let read = each(&row()?, take);
            if read.is_err() || entries.list.len() != in_memory + self.spilled.len() {
                return Err(Error::Damaged("a row of the engine's checkpoint lacks what was spilled".into()));
            }
        }
        Ok(entries.row())
    }
}

struct Entries {
    list: Vec<(Of, Range<usize>)>,
    bytes: Writer,
}

impl Entries {
    fn add(&mut self, of: Of, write: impl FnOnce(&mut Writer)) {
        let from = self.bytes.0.len();
        write(&mut self.bytes);
        self.list.push((of, from..self.bytes.0.len()));
    }

    fn row(mut self) -> Vec<u8> {
        self.list.sort_unstable_by_key(|(of, _)| *of);
        let mut row = Writer(Vec::with_capacity(self.bytes.0.len() + self.list.len() * 18 + 16));
        row.0.extend([FORMAT, matching::FORMAT]);
        for group in self.list.chunk_by(|a, b| a.0.0 == b.0.0) {
            row.number(group.first().map_or(0, |((slot, _), _)| u64::from(*slot)));
            row.number(group.len() as u64);
            for ((_, customer), range) in group {
                row.0.extend_from_slice(&customer.0);
                row.number(range.len() as u64);
                row.0.extend_from_slice(self.bytes.0.get(range.clone()).unwrap_or_default());
            }
        }
        row.0
    }
}

/// Shows whose states a row has, and their bytes.
pub(super) fn each(
    row: &[u8],
    mut show: impl FnMut(Of, &[u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut reader = Reader(row);
    if reader.bytes(2)? != [FORMAT, matching::FORMAT] {
        return Err(Malformed);
    }
    while !reader.0.is_empty() {
        let slot = Slot::try_from(reader.number()?).map_err(|_| Malformed)?;
        for _ in 0..reader.number()? {
            let customer = CustomerId(*reader.bytes(16)?.first_chunk().ok_or(Malformed)?);
            let length = usize::try_from(reader.number()?).map_err(|_| Malformed)?;
            show((slot, customer), reader.bytes(length)?)?;
        }
    }
    Ok(())
}

/// The state of a row's bytes.
pub(super) fn state(slots: &Slots, slot: Slot, bytes: &[u8]) -> Result<State, Malformed> {
    slots.machine(slot).ok_or(Malformed)?.read(bytes)
}
