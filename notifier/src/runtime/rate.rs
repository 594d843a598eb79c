//! How many sends an integration takes in a time: never more in any stretch of that length.

use std::collections::VecDeque;
use std::time::Duration;

use domain::time::Stamp;

/// At most so many sends in such a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many; at least one.
    pub sends: usize,
    /// In how long.
    pub per: Duration,
}

/// The sends of late, under one rate.
pub(crate) struct Window {
    rate: Rate,
    /// When the last ones went out, as many as there may be.
    sent: VecDeque<Stamp>,
}

impl Window {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, sent: VecDeque::new() }
    }

    /// From when on there is room, if it is full.
    pub(crate) fn full_until(&self) -> Option<Stamp> {
        let full = self.sent.len() >= self.rate.sends.max(1);
        self.sent.front().filter(|_| full).map(|first| self.left_by(*first))
    }

    /// Something is sent.
    pub(crate) fn passed(&mut self, now: Stamp) {
        while self.sent.len() >= self.rate.sends.max(1) {
            self.sent.pop_front();
        }
        self.sent.push_back(now);
    }

    /// Whether there is nothing to remember.
    pub(crate) fn is_fresh(&self, now: Stamp) -> bool {
        self.sent.back().is_none_or(|last| self.left_by(*last) <= now)
    }

    fn left_by(&self, sent: Stamp) -> Stamp {
        sent.after(self.rate.per.as_millis().try_into().unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stretch_of_time_has_more_than_the_rate_allows() {
        let mut window = Window::new(Rate { sends: 3, per: Duration::from_millis(100) });
        let mut sent = Vec::new();
        for now in 0..1_000 {
            let now = Stamp(now);
            if window.full_until().is_none_or(|until| until <= now) {
                window.passed(now);
                sent.push(now.0);
            }
        }
        assert_eq!(sent[..7], [0, 1, 2, 100, 101, 102, 200]);
        assert!(sent.windows(4).all(|four| four[3] - four[0] >= 100));
        assert!(!window.is_fresh(Stamp(999)) && window.is_fresh(Stamp(1_100)));
    }
}
