//! When an integration is left alone for a while (design.md §4): after many failures in a row, and when it asks for
//! it. What waits meanwhile keeps its order, and the time that it waits does not count against its `within`.

use std::collections::VecDeque;
use std::time::Duration;

use domain::reaction::Answer;
use domain::time::Stamp;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// After so many failures in a row,
    pub failures: usize,
    /// if they all came within this time.
    pub within: Duration,
    /// So long nothing is sent; then one send is tried.
    pub rest: Duration,
}

impl Default for Rule {
    fn default() -> Self {
        Self { failures: 20, within: Duration::from_secs(60), rest: Duration::from_secs(30) }
    }
}

/// What a send says about whom it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// There is somebody, and takes requests.
    Alive,
    /// It was not sent.
    None,
    /// Out of order; and perhaps for how long it wants to be left alone.
    Failing(Option<Duration>),
}

impl Sign {
    /// What an answer says. One that turns a bad request down is a good sign.
    pub(crate) fn of(answer: &Answer) -> Self {
        match answer {
            // Held before anything of it went out.
            Answer::Failed(failure) if failure.held && !failure.ambiguous => Self::None,
            Answer::Failed(failure) if failure.retryable || failure.ambiguous => {
                Self::Failing(failure.retry_after_ms.map(Duration::from_millis))
            }
            _ => Self::Alive,
        }
    }
}

/// One integration's.
#[derive(Default)]
pub(crate) struct Breaker {
    /// When the last failures came, with no success after them.
    failures: VecDeque<Stamp>,
    /// Open, until a trial at this time or later succeeds.
    open_until: Option<Stamp>,
    /// A trial is under way.
    trial: bool,
    /// Asked to wait.
    asked_until: Option<Stamp>,
}

impl Breaker {
    /// From when on something may be sent; nothing while a trial is under way.
    pub(crate) fn closed_from(&self) -> Option<Stamp> {
        if self.trial {
            return None;
        }
        self.open_until.max(self.asked_until)
    }

    /// Whether something may be sent now.
    pub(crate) fn lets_pass(&self, now: Stamp) -> bool {
        !self.trial && self.closed_from().is_none_or(|from| from <= now)
    }

    /// Something is sent.
    pub(crate) fn passed(&mut self) {
        self.trial = self.open_until.is_some();
    }

    /// Something has ended.
    pub(crate) fn ended(&mut self, sign: Sign, rule: Rule, now: Stamp) {
        match sign {
            Sign::None => self.trial = false,
            Sign::Alive => *self = Self { asked_until: self.asked_until, ..Self::default() },
            Sign::Failing(asked) => {
                self.asked_until = self.asked_until.max(asked.map(|wait| later(now, wait)));
                let was_open = self.open_until.is_some_and(|until| until > now);
                self.failures.push_back(now);
                while self.failures.len() > rule.failures {
                    self.failures.pop_front();
                }
                let many = self.failures.len() == rule.failures
                    && self.failures.front().is_some_and(|first| now <= later(*first, rule.within));
                if !was_open && (many || self.trial) {
                    self.open_until = Some(later(now, rule.rest));
                    self.trial = false;
                }
            }
        }
    }

    /// Whether there is nothing to remember.
    pub(crate) fn is_fresh(&self, now: Stamp) -> bool {
        self.failures.is_empty()
            && self.open_until.is_none()
            && self.asked_until.is_none_or(|until| until <= now)
    }
}

fn later(from: Stamp, by: Duration) -> Stamp {
    from.after(by.as_millis().try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use domain::reaction::{Failure, Success};

    use super::*;

    const RULE: Rule = Rule { failures: 3, within: Duration::from_secs(60), rest: Duration::from_secs(30) };
    const BAD: Sign = Sign::Failing(None);

    fn at(second: i64) -> Stamp {
        Stamp(1_000 * second)
    }

    #[test]
    fn a_breaker_opens_after_failures_in_a_row_and_closes_when_a_trial_succeeds() {
        let mut breaker = Breaker::default();
        for (sign, second) in [(BAD, 0), (BAD, 1), (Sign::Alive, 2), (BAD, 3), (BAD, 4), (Sign::None, 5)] {
            breaker.ended(sign, RULE, at(second));
            assert!(breaker.lets_pass(at(second)), "{second}");
        }
        breaker.ended(BAD, RULE, at(6));
        assert!(!breaker.lets_pass(at(35)) && breaker.lets_pass(at(36)));
        // Those that were under way fail too: that changes nothing.
        breaker.ended(BAD, RULE, at(20));
        assert_eq!(breaker.closed_from(), Some(at(36)));
        breaker.passed();
        assert!(!breaker.lets_pass(at(37)), "one trial at a time");
        breaker.ended(BAD, RULE, at(40));
        assert!(!breaker.lets_pass(at(69)) && breaker.lets_pass(at(70)));
        breaker.passed();
        breaker.ended(Sign::None, RULE, at(71));
        assert!(breaker.lets_pass(at(71)), "a trial that was not sent is no trial");
        breaker.passed();
        breaker.ended(Sign::Alive, RULE, at(72));
        assert!(breaker.lets_pass(at(72)) && breaker.is_fresh(at(72)));
    }

    #[test]
    fn what_was_not_sent_is_no_sign_and_what_may_have_been_is_a_bad_one() {
        let failed = |held, ambiguous, retryable| {
            let failure = Failure { held, ambiguous, retryable, ..Failure::default() };
            Sign::of(&Answer::Failed(failure))
        };
        assert_eq!(failed(true, false, false), Sign::None);
        assert_eq!(failed(true, true, false), BAD, "on hold because nobody knows whether it arrived");
        assert_eq!(failed(false, true, false), BAD);
        assert_eq!(failed(false, false, true), BAD);
        assert_eq!(failed(false, false, false), Sign::Alive, "a bad request is turned down by somebody");
        assert_eq!(Sign::of(&Answer::Succeeded(Success::default())), Sign::Alive);
    }

    #[test]
    fn failures_far_apart_do_not_open_it_and_it_waits_as_it_is_asked() {
        let mut breaker = Breaker::default();
        for second in [0, 40, 80, 120] {
            breaker.ended(BAD, RULE, at(second));
            assert!(breaker.lets_pass(at(second)));
        }
        breaker.ended(Sign::Failing(Some(Duration::from_secs(300))), RULE, at(200));
        breaker.ended(Sign::Failing(Some(Duration::from_secs(5))), RULE, at(201));
        breaker.ended(Sign::Alive, RULE, at(202));
        assert!(!breaker.lets_pass(at(499)) && breaker.lets_pass(at(500)) && breaker.is_fresh(at(500)));
    }
}
