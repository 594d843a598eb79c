//! Spilling: states that have not changed for longest leave memory; they stay in the checkpoint's rows.
//!
//! Only what the checkpoint has as it is may go. So memory that runs short makes a checkpoint first.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::bucket::{Kept, Of, SPILLED_COST, cost};
use super::partition::{Host, Partition};

impl Partition {
    /// Spills what has not changed for longest, until about `wanted` bytes are free or nothing more may go.
    pub fn spill(&mut self, wanted: usize, host: Host<'_>) {
        let Some((last, mut of_those)) = self.last_to_go(wanted, host) else { return };
        for number in 0..=u8::MAX {
            self.spill_bucket(number, host, |kept| match kept.changed.cmp(&last) {
                Ordering::Less => true,
                Ordering::Equal if of_those > 0 => {
                    of_those = of_those.saturating_sub(cost(&kept.state));
                    true
                }
                Ordering::Equal | Ordering::Greater => false,
            });
        }
    }

    /// Spills those of a bucket's states that `goes` picks; the checkpoint must have them as they are.
    pub fn spill_bucket(&mut self, number: u8, host: Host<'_>, mut goes: impl FnMut(&Kept) -> bool) {
        let Self { places, deadlines, spilled_due, used, .. } = self;
        let Some(place) = places.get_mut(usize::from(number)) else { return };
        let going: Vec<Of> =
            place.bucket.states.iter().filter(|(_, kept)| goes(kept)).map(|(of, _)| *of).collect();
        if going.is_empty() {
            return;
        }
        let bucket = Arc::make_mut(&mut place.bucket);
        spilled_due.remove(&(bucket.due, number));
        for of in &going {
            let Some(kept) = bucket.states.remove(of) else { continue };
            *used = (*used + SPILLED_COST).saturating_sub(cost(&kept.state));
            if let Some(machine) = host.slots.machine(of.0) {
                if let Some(due) = machine.deadline(&kept.state) {
                    deadlines.remove(&(due, of.1, of.0));
                    bucket.due = bucket.due.min(due);
                }
                bucket.expiry = bucket.expiry.min(machine.expiry(&kept.state).unwrap_or(i64::MAX));
            }
        }
        bucket.spilled.extend(going);
        bucket.spilled.sort_unstable();
        bucket.spilled.shrink_to_fit();
        bucket.states.shrink_to_fit();
        if bucket.due < i64::MAX {
            spilled_due.insert((bucket.due, number));
        }
    }

    /// Which change is the last to go, and how many bytes of those that changed with it.
    fn last_to_go(&self, wanted: usize, host: Host<'_>) -> Option<(u32, usize)> {
        let mut by_change: BTreeMap<u32, usize> = BTreeMap::new();
        for kept in self.places.iter().flat_map(|place| place.bucket.states.values()) {
            if kept.changed <= host.store.saved {
                *by_change.entry(kept.changed).or_default() += cost(&kept.state);
            }
        }
        let mut before = 0;
        for (changed, bytes) in &by_change {
            if before + bytes >= wanted {
                return Some((*changed, wanted - before));
            }
            before += bytes;
        }
        by_change.last_key_value().map(|(changed, bytes)| (*changed, *bytes))
    }
}
