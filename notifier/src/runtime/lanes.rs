//! Who may send now: a lane per tenant and endpoint, each bounded, taken in turn (design.md §3.8).
//!
//! A tenant whose endpoint hangs fills its own lane and no other's. Within a lane the order is kept, also while its
//! breaker holds it up. Nothing here
//! is asynchronous: the runtime asks what may go out, and says when something has ended.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use domain::time::Stamp;

use super::breaker::{Breaker, Rule, Sign};
use super::rate::{Rate, Window};

/// Bounded queues, served round-robin.
pub(crate) struct Lanes<K, T> {
    lanes: HashMap<K, Lane<T>>,
    /// Lanes that have something waiting, a free place, and nothing that holds them up; each once.
    ready: VecDeque<K>,
    /// Lanes that have something waiting and whose breaker holds them up.
    held_up: HashSet<K>,
    /// When the first of those may go on.
    next_release: Option<Stamp>,
    running: usize,
    most: usize,
    rule: Rule,
}

struct Lane<T> {
    waiting: VecDeque<T>,
    places: usize,
    running: usize,
    is_ready: bool,
    breaker: Breaker,
    rates: Vec<Window>,
}

impl<T> Lane<T> {
    /// Whether the next job may run now, as far as the lane has a free place.
    fn lets_pass(&self, now: Stamp) -> bool {
        self.breaker.lets_pass(now) && self.rates.iter().all(|rate| rate.full_until() <= Some(now))
    }

    /// When that may change by itself.
    fn opens_at(&self) -> Option<Stamp> {
        let full = self.rates.iter().filter_map(Window::full_until).max();
        self.breaker.closed_from().map(|at| full.map_or(at, |full| full.max(at))).or(full)
    }

    fn passed(&mut self, now: Stamp) {
        self.breaker.passed();
        self.rates.iter_mut().for_each(|rate| rate.passed(now));
    }

    fn is_fresh(&self, now: Stamp) -> bool {
        self.breaker.is_fresh(now) && self.rates.iter().all(|rate| rate.is_fresh(now))
    }
}

impl<K: Clone + Eq + Hash, T> Lanes<K, T> {
    /// Lanes of which at most so many jobs run over all, and that are held up by this rule.
    pub(crate) fn new(most: usize, rule: Rule) -> Self {
        Self {
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            held_up: HashSet::new(),
            next_release: None,
            running: 0,
            most: most.max(1),
            rule,
        }
    }

    /// Queues `job` in its lane, which has so many places and keeps to these rates.
    pub(crate) fn push(&mut self, key: K, places: usize, rates: &[Rate], job: T, now: Stamp) {
        let lane = self.lanes.entry(key.clone()).or_insert_with(|| Lane {
            waiting: VecDeque::new(),
            places: places.max(1),
            running: 0,
            is_ready: false,
            breaker: Breaker::default(),
            rates: rates.iter().copied().map(Window::new).collect(),
        });
        lane.waiting.push_back(job);
        self.refresh(&key, now);
    }

    /// The jobs whose turn it may be, up to so many.
    pub(crate) fn upcoming(&mut self, now: Stamp, most: usize) -> Vec<&T> {
        self.release(now);
        let free = self.most.saturating_sub(self.running).min(most);
        let ready = self.ready.iter().filter_map(|key| self.lanes.get(key));
        ready.flat_map(|lane| lane.waiting.iter().take(lane.places - lane.running)).take(free).collect()
    }

    /// The next job that may run and `can`; it counts as running until [`Self::ended`]. One that cannot yet holds up
    /// its lane.
    pub(crate) fn next(&mut self, now: Stamp, can: impl Fn(&T) -> bool) -> Option<(K, T)> {
        self.release(now);
        if self.running >= self.most {
            return None;
        }
        for _ in 0..self.ready.len() {
            let key = self.ready.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            if !lane.waiting.front().is_some_and(&can) {
                self.ready.push_back(key);
                continue;
            }
            lane.is_ready = false;
            // It may have been held up since.
            if lane.lets_pass(now)
                && let Some(job) = lane.waiting.pop_front()
            {
                lane.passed(now);
                lane.running += 1;
                self.running += 1;
                self.refresh(&key, now);
                return Some((key, job));
            }
            self.refresh(&key, now);
        }
        None
    }

    /// Whether any lane has a job that may run.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty() && self.running < self.most
    }

    /// Lets those go on that were held up until now.
    fn release(&mut self, now: Stamp) {
        if self.next_release.is_some_and(|at| at <= now) {
            self.next_release = None;
            std::mem::take(&mut self.held_up).iter().for_each(|key| self.refresh(key, now));
        }
    }

    /// A job of that lane has ended, and this is what it says about the lane.
    pub(crate) fn ended(&mut self, key: &K, sign: Sign, now: Stamp) {
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.breaker.ended(sign, self.rule, now);
            lane.running = lane.running.saturating_sub(1);
            self.running = self.running.saturating_sub(1);
            self.refresh(key, now);
        }
    }

    /// How many jobs are running.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// When a lane that is held up may go on.
    pub(crate) fn next_release(&self) -> Option<Stamp> {
        self.next_release
    }

    fn refresh(&mut self, key: &K, now: Stamp) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if lane.waiting.is_empty() {
            if lane.running == 0 && lane.is_fresh(now) {
                self.lanes.remove(key);
            }
            return;
        }
        if lane.lets_pass(now) {
            if !lane.is_ready && lane.running < lane.places {
                lane.is_ready = true;
                self.ready.push_back(key.clone());
            }
        } else if let Some(at) = lane.opens_at() {
            self.held_up.insert(key.clone());
            self.next_release = Some(self.next_release.map_or(at, |next| next.min(at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_does_not_hold_up_another() {
        let now = Stamp(0);
        let mut lanes = Lanes::new(100, Rule::default());
        (0..1_000).for_each(|n| lanes.push("noisy", 2, &[], n, now));
        lanes.push("quiet", 2, &[], 1_000, now);
        let begun: Vec<_> = std::iter::from_fn(|| lanes.next(now, |_| true)).collect();
        assert_eq!(begun, [("noisy", 0), ("quiet", 1_000), ("noisy", 1)]);
        lanes.ended(&"noisy", Sign::Alive, now);
        assert_eq!(lanes.next(now, |_| true), Some(("noisy", 2)));
        assert_eq!(lanes.next(now, |_| true), None);
    }

    #[test]
    fn a_job_that_cannot_run_yet_holds_up_its_lane_and_no_other() {
        let now = Stamp(0);
        let mut lanes = Lanes::new(3, Rule::default());
        (0..4).for_each(|n| lanes.push("a", 2, &[], n, now));
        (4..8).for_each(|n| lanes.push("b", 2, &[], n, now));
        assert_eq!(lanes.upcoming(now, 9), [&0, &1, &4], "two places each, three in all");
        assert_eq!(lanes.upcoming(now, 1), [&0]);
        assert_eq!(lanes.next(now, |n| *n != 0), Some(("b", 4)));
        assert_eq!((lanes.next(now, |n| *n > 5), lanes.has_ready()), (None, true));
        assert_eq!(lanes.next(now, |_| true), Some(("a", 0)));
        assert_eq!((lanes.next(now, |n| *n != 5).map(|(_, n)| n), lanes.has_ready()), (Some(1), false));
    }

    #[test]
    fn the_bound_over_all_lanes_holds_and_an_empty_lane_is_forgotten() {
        let now = Stamp(0);
        let mut lanes = Lanes::new(3, Rule::default());
        for tenant in 0..3 {
            lanes.push(tenant, 2, &[], 'a', now);
            lanes.push(tenant, 2, &[], 'b', now);
        }
        assert_eq!(std::iter::from_fn(|| lanes.next(now, |_| true)).count(), 3);
        (0..3).for_each(|tenant| lanes.ended(&tenant, Sign::Alive, now));
        assert_eq!(std::iter::from_fn(|| lanes.next(now, |_| true)).count(), 3);
        (0..3).for_each(|tenant| lanes.ended(&tenant, Sign::Alive, now));
        assert_eq!((lanes.running(), lanes.lanes.len()), (0, 0));
    }

    #[test]
    fn a_lane_that_is_held_up_waits_in_order_and_holds_up_no_other() {
        let start = Stamp(0);
        let at = |second: i64| Stamp(1_000 * second);
        let rule = Rule { failures: 2, ..Rule::default() };
        let mut lanes = Lanes::new(100, rule);
        (0..6).for_each(|n| lanes.push("bad", 2, &[], n, start));
        let begun: Vec<_> = std::iter::from_fn(|| lanes.next(start, |_| true)).collect();
        assert_eq!(begun, [("bad", 0), ("bad", 1)]);
        (0..2).for_each(|_| lanes.ended(&"bad", Sign::Failing(None), at(1)));
        lanes.push("good", 2, &[], 7, at(1));
        assert_eq!((lanes.next(at(1), |_| true), lanes.next(at(1), |_| true)), (Some(("good", 7)), None));
        assert_eq!((lanes.next_release(), lanes.next(at(30), |_| true)), (Some(at(31)), None));
        // One trial, and all of it when that is a success.
        assert_eq!((lanes.next(at(31), |_| true), lanes.next(at(32), |_| true)), (Some(("bad", 2)), None));
        lanes.ended(&"bad", Sign::Failing(None), at(33));
        assert_eq!(
            (lanes.next(at(62), |_| true), lanes.next(at(63), |_| true), lanes.next(at(63), |_| true)),
            (None, Some(("bad", 3)), None)
        );
        lanes.ended(&"bad", Sign::Alive, at(64));
        assert_eq!(
            (lanes.next(at(64), |_| true), lanes.next(at(64), |_| true)),
            (Some(("bad", 4)), Some(("bad", 5)))
        );
    }

    #[test]
    fn a_lane_keeps_to_all_of_its_rates_and_to_its_order() {
        let per = |sends, seconds| Rate { sends, per: std::time::Duration::from_secs(seconds) };
        let mut lanes = Lanes::new(100, Rule::default());
        for n in 0..6 {
            lanes.push("x", 9, &[per(2, 1), per(3, 60)], n, Stamp(0));
        }
        let mut sent = Vec::new();
        for now in (0..130_000).step_by(500).map(Stamp) {
            while let Some((key, n)) = lanes.next(now, |_| true) {
                sent.push((n, now.0));
                lanes.ended(&key, Sign::Alive, now);
            }
        }
        assert_eq!(sent, [(0, 0), (1, 0), (2, 1_000), (3, 60_000), (4, 60_000), (5, 61_000)]);
        assert!(!lanes.lanes.is_empty(), "the last sends are remembered");
    }
}
