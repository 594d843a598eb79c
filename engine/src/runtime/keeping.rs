//! The matcher and its checkpoint: snapshots, restoring, and memory that is bounded.

use std::sync::Arc;

use eventlog::checkpoint::Rows;
use rustc_hash::FxHashMap;

use super::matcher::Matcher;
use super::partition::Host;
use super::slots::{self, Slot};
use super::snapshot::Snapshot;
use super::store::Lost;
use crate::matching::codec::Malformed;

/// How many partitions are swept before a snapshot.
const SWEPT: usize = 8;

/// What the slots of a checkpoint are in this matcher.
#[derive(Debug, Default)]
pub struct Said {
    slots: FxHashMap<Slot, Slot>,
    moved: bool,
}

/// A row of a checkpoint is not of this release, or not of what the record says is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint is damaged, of another release, or not of this record")]
pub struct Unusable;

impl From<Malformed> for Unusable {
    fn from(_: Malformed) -> Self {
        Self
    }
}

impl Matcher {
    /// Lets states be spilled, and read back from these rows: those of the checkpoint to which the snapshots go.
    pub fn spill_to(&mut self, rows: Arc<Rows>) {
        self.store.rows = Some(rows);
    }

    /// What has changed since the last snapshot that was [saved](Self::saved). Some of what cannot matter any more is
    /// dropped before.
    ///
    /// # Errors
    /// What was spilled cannot be read back; the matcher is of no use any more.
    pub fn snapshot(&mut self) -> Result<Snapshot, Lost> {
        let host = Host { slots: &self.slots, store: &self.store };
        for _ in 0..SWEPT {
            if let Some(partition) = self.partitions.get_mut(self.hands.0) {
                partition.sweep(host)?;
            }
            self.hands.0 = (self.hands.0 + 1) % self.partitions.len().max(1);
        }
        let mut buckets = Vec::new();
        for partition in &self.partitions {
            for (number, place) in (0..=u8::MAX).zip(&partition.places) {
                if place.changed > self.store.saved {
                    buckets.push(([partition.id, number], Arc::clone(&place.bucket)));
                }
            }
        }
        let changed = self.slots_changed > self.store.saved || self.store.saved == 0;
        let slots = changed.then(|| self.slots.encode());
        let number = self.store.next;
        self.store.next += 1;
        Ok(Snapshot { number, slots, buckets, rows: self.store.rows.clone() })
    }

    /// Says that a snapshot has been committed; the next one may be taken only after that, or after it has failed.
    pub fn saved(&mut self, number: u32) {
        self.store.saved = number;
    }

    /// About how many bytes the states take.
    pub fn used(&self) -> usize {
        self.partitions.iter().map(|partition| partition.used).sum()
    }

    /// Spills from one partition after the other until no more than `limit` bytes are used, or, after one round, as
    /// little as may be. A step is one partition's work; whether more is to be done is told.
    pub fn spill(&mut self, limit: usize) -> bool {
        let used = self.used();
        if self.store.rows.is_none() || used <= limit {
            return false;
        }
        let host = Host { slots: &self.slots, store: &self.store };
        if let Some(partition) = self.partitions.get_mut(self.hands.1) {
            // Its share of what is too much.
            let wanted = (used - limit) as u128 * partition.used as u128 / used.max(1) as u128;
            partition.spill(usize::try_from(wanted).unwrap_or(usize::MAX).max(1), host);
        }
        self.hands.1 = (self.hands.1 + 1) % self.partitions.len().max(1);
        self.hands.1 != 0
    }

    /// Takes in a row of a checkpoint; they come in the order of their keys. With more than `limit` bytes in memory
    /// it stays where it is.
    ///
    /// # Errors
    /// It is of no use here.
    pub fn restore(&mut self, said: &mut Said, key: &[u8], row: &[u8], limit: usize) -> Result<(), Unusable> {
        let (partition, number) = match key {
            [] => {
                *said = self.slots_said(row)?;
                return Ok(());
            }
            [partition, number] => (*partition, *number),
            _ => return Err(Unusable),
        };
        let used = self.used();
        let host = Host { slots: &self.slots, store: &self.store };
        let partition = self.partitions.get_mut(usize::from(partition)).ok_or(Unusable)?;
        let changed = if said.moved { host.store.next } else { 0 };
        partition.restore(number, row, |slot| said.slots.get(&slot).copied(), host, changed)?;
        if used > limit && host.store.rows.is_some() && !said.moved {
            partition.spill_bucket(number, host, |_| true);
        }
        Ok(())
    }

    /// What slots are in this matcher that a checkpoint speaks of.
    fn slots_said(&self, row: &[u8]) -> Result<Said, Unusable> {
        let mut said = Said::default();
        for slot in slots::decode(row)? {
            let here = self.tenants.get(&slot.tenant).and_then(|tenant| tenant.slots.get(&slot.pattern));
            let here = here.filter(|here| self.slots.get(**here).is_some_and(|a| a.version == slot.version));
            if let Some(here) = here {
                said.moved |= *here != slot.slot;
                said.slots.insert(slot.slot, *here);
            }
        }
        Ok(said)
    }
}
