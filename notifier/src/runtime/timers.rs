//! What is due when: a heap of durable timers, which are in the log first (then.md §3).
//!
//! A timer that is no longer wanted stays in the heap until it is due or swept out: the interpreter ignores those
//! that it does not wait for. Nothing here reads a clock.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use domain::time::Stamp;

/// Due times, earliest first; those of one time in the order in which they were set.
pub(crate) struct Timers<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    set: u64,
    /// At this many entries it is time to sweep.
    sweep_at: usize,
}

/// Fewer entries than this are not worth a sweep.
const FEW: usize = 4_096;

struct Entry<T> {
    due: Stamp,
    number: u64,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.number).cmp(&(other.due, other.number))
    }
}

impl<T> Timers<T> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new(), set: 0, sweep_at: FEW }
    }

    /// Sets a timer.
    pub(crate) fn set(&mut self, due: Stamp, what: T) {
        self.set += 1;
        self.heap.push(Reverse(Entry { due, number: self.set, what }));
    }

    /// Drops what is no longer wanted, if so much has gathered that it pays.
    pub(crate) fn sweep(&mut self, wanted: impl Fn(&T) -> bool) {
        if self.heap.len() >= self.sweep_at {
            self.heap.retain(|Reverse(entry)| wanted(&entry.what));
            self.sweep_at = FEW.max(2 * self.heap.len());
        }
    }

    /// When the next is due.
    pub(crate) fn next_due(&self) -> Option<Stamp> {
        self.heap.peek().map(|Reverse(entry)| entry.due)
    }

    /// The next that is due, and when.
    pub(crate) fn peek(&self) -> Option<(Stamp, &T)> {
        self.heap.peek().map(|Reverse(entry)| (entry.due, &entry.what))
    }

    /// Takes the next that is due at `now`: never early.
    pub(crate) fn pop_due(&mut self, now: Stamp) -> Option<T> {
        self.next_due().filter(|due| *due <= now)?;
        self.heap.pop().map(|Reverse(entry)| entry.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_come_in_order_of_their_time_and_never_early() {
        let mut timers = Timers::new();
        for (due, what) in [(30, 'd'), (10, 'a'), (20, 'b'), (20, 'c')] {
            timers.set(Stamp(due), what);
        }
        assert_eq!(timers.pop_due(Stamp(9)), None);
        assert_eq!(timers.next_due(), Some(Stamp(10)));
        let due: String = std::iter::from_fn(|| timers.pop_due(Stamp(29))).collect();
        assert_eq!(due, "abc");
        assert_eq!(timers.pop_due(Stamp(30)), Some('d'));
        assert_eq!(timers.next_due(), None);
    }

    #[test]
    fn unwanted_timers_are_swept_out_before_they_are_due() {
        let mut timers = Timers::new();
        for n in 0..FEW as i64 {
            timers.set(Stamp(n), n);
        }
        timers.sweep(|n| n % 1_000 == 0);
        assert_eq!(std::iter::from_fn(|| timers.pop_due(Stamp(i64::MAX))).collect::<Vec<_>>().len(), 5);
    }
}
