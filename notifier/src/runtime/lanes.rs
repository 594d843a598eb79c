//! Who may send now: a lane per tenant and endpoint, each bounded, taken in turn (design.md §3.8).
//!
//! A tenant whose endpoint hangs fills its own lane and no other's. Within a lane the order is kept. Nothing here
//! is asynchronous: the runtime asks what may go out, and says when something has ended.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Bounded queues, served round-robin.
pub(crate) struct Lanes<K, T> {
    lanes: HashMap<K, Lane<T>>,
    /// Lanes that have something waiting and a free place, each once.
    ready: VecDeque<K>,
    running: usize,
    most: usize,
}

struct Lane<T> {
    waiting: VecDeque<T>,
    places: usize,
    running: usize,
    is_ready: bool,
}

impl<K: Clone + Eq + Hash, T> Lanes<K, T> {
    /// Lanes of which at most so many jobs run over all.
    pub(crate) fn new(most: usize) -> Self {
        Self { lanes: HashMap::new(), ready: VecDeque::new(), running: 0, most: most.max(1) }
    }

    /// Queues `job` in its lane, which has so many places.
    pub(crate) fn push(&mut self, key: K, places: usize, job: T) {
        let lane = self.lanes.entry(key.clone()).or_insert_with(|| Lane {
            waiting: VecDeque::new(),
            places: places.max(1),
            running: 0,
            is_ready: false,
        });
        lane.waiting.push_back(job);
        self.refresh(&key);
    }

    /// The next job that may run; it counts as running until [`Self::ended`].
    pub(crate) fn next(&mut self) -> Option<(K, T)> {
        if self.running >= self.most {
            return None;
        }
        let key = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&key)?;
        lane.is_ready = false;
        let job = lane.waiting.pop_front()?;
        lane.running += 1;
        self.running += 1;
        self.refresh(&key);
        Some((key, job))
    }

    /// A job of that lane has ended.
    pub(crate) fn ended(&mut self, key: &K) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.running = lane.running.saturating_sub(1);
            self.running = self.running.saturating_sub(1);
            self.refresh(key);
        }
    }

    /// How many jobs are running.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    fn refresh(&mut self, key: &K) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if lane.waiting.is_empty() && lane.running == 0 {
            self.lanes.remove(key);
        } else if !lane.is_ready && !lane.waiting.is_empty() && lane.running < lane.places {
            lane.is_ready = true;
            self.ready.push_back(key.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_does_not_hold_up_another() {
        let mut lanes = Lanes::new(100);
        (0..1_000).for_each(|n| lanes.push("noisy", 2, n));
        lanes.push("quiet", 2, 1_000);
        let begun: Vec<_> = std::iter::from_fn(|| lanes.next()).collect();
        assert_eq!(begun, [("noisy", 0), ("quiet", 1_000), ("noisy", 1)]);
        lanes.ended(&"noisy");
        assert_eq!(lanes.next(), Some(("noisy", 2)));
        assert_eq!(lanes.next(), None);
    }

    #[test]
    fn the_bound_over_all_lanes_holds_and_an_empty_lane_is_forgotten() {
        let mut lanes = Lanes::new(3);
        for tenant in 0..3 {
            lanes.push(tenant, 2, 'a');
            lanes.push(tenant, 2, 'b');
        }
        assert_eq!(std::iter::from_fn(|| lanes.next()).count(), 3);
        (0..3).for_each(|tenant| lanes.ended(&tenant));
        assert_eq!(std::iter::from_fn(|| lanes.next()).count(), 3);
        (0..3).for_each(|tenant| lanes.ended(&tenant));
        assert_eq!((lanes.running(), lanes.lanes.len()), (0, 0));
    }
}
