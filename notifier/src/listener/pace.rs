//! How long to wait before listening again: pure, but for the share that is drawn so that not all come back at once.

use std::time::Duration;

/// How waits grow from one failure in a row to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// By so much each time, from that.
    Growing(Duration, Duration),
    /// Twice as long each time, from the first to the second.
    Doubling(Duration, Duration),
}

/// Nobody connects more often than this.
pub(super) const GAP: Duration = Duration::from_millis(1_500);

impl Pace {
    /// From so many seconds, twice as many each time, up to so many.
    pub(super) const fn doubling(from: u64, to: u64) -> Self {
        Self::Doubling(Duration::from_secs(from), Duration::from_secs(to))
    }

    /// So many seconds more each time, up to so many.
    pub(super) const fn growing(by: u64, to: u64) -> Self {
        Self::Growing(Duration::from_secs(by), Duration::from_secs(to))
    }

    /// The wait after so many failures in a row before this one; `share`, from 0 to 1, is of a tenth that is added.
    pub(super) fn wait(self, failures: u32, share: f64) -> Duration {
        let (wait, most) = match self {
            Self::Growing(by, most) => (by.saturating_mul(failures.saturating_add(1)), most),
            Self::Doubling(from, most) => (from.saturating_mul(1 << failures.min(16)), most),
        };
        wait.min(most).mul_f64(1.0 + 0.1 * share)
    }
}

/// Why a session ended, and what then.
#[derive(Debug, PartialEq)]
pub(super) struct End {
    pub(super) why: String,
    pub(super) then: Then,
}

#[derive(Debug, PartialEq)]
pub(super) enum Then {
    /// As it is, it will not work: somebody has to change the listener or its integration.
    Never,
    /// Again.
    AtOnce,
    /// Again, after a while.
    Later(Pace),
    /// Not here: another server listens.
    Elsewhere,
}

impl End {
    pub(super) fn never(why: impl Into<String>) -> Self {
        Self { why: why.into(), then: Then::Never }
    }

    pub(super) fn at_once(why: impl Into<String>) -> Self {
        Self { why: why.into(), then: Then::AtOnce }
    }

    pub(super) fn later(pace: Pace, why: impl Into<String>) -> Self {
        Self { why: why.into(), then: Then::Later(pace) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_no_further() {
        let seconds = |pace: Pace| [0, 1, 2, 4, 5, 30, u32::MAX].map(|n| pace.wait(n, 0.0).as_secs());
        assert_eq!(seconds(Pace::growing(1, 16)), [1, 2, 3, 5, 6, 16, 16]);
        assert_eq!(seconds(Pace::doubling(10, 320)), [10, 20, 40, 160, 320, 320, 320]);
        assert_eq!(Pace::doubling(10, 320).wait(0, 1.0), Duration::from_secs(11));
    }
}
