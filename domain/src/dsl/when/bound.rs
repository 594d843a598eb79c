//! What a pattern can hold for one customer at worst (when.md §4).

use super::Trigger;
use crate::dsl::{Code, Diagnostic, Limits, Span};

/// What an event costs while it is held.
const EVENT_BYTES: u64 = 16;

/// Refuses what a window bounds, but too widely; warns of what no window bounds.
pub(super) fn check(trigger: &Trigger, span: Span, limits: &Limits) -> Option<Diagnostic> {
    if unbounded(trigger) {
        let message = "no window bounds this pattern: what it has seen is held until it matches";
        return Some(Diagnostic::new(Code::Unbounded, span, message).hint("bound it: (within 1 days …)"));
    }
    let events = held(trigger);
    let bytes = events.saturating_mul(EVENT_BYTES);
    let most = u64::try_from(limits.state).unwrap_or(u64::MAX);
    (bytes > most).then(|| {
        let message = format!(
            "this can hold {events} events for one customer, {bytes} bytes; at most {most} bytes are allowed"
        );
        let instead = format!("lower its counts, so that they come to {} events at most", most / EVENT_BYTES);
        Diagnostic::new(Code::Limit, span, message).hint(instead)
    })
}

/// How many events it takes to complete the trigger, and its guards, at worst.
fn held(trigger: &Trigger) -> u64 {
    let sum = |members: &[Trigger]| members.iter().map(held).fold(0, u64::saturating_add);
    match trigger {
        Trigger::Event(_) => 1,
        Trigger::Count(n, trigger) => u64::from(*n).saturating_mul(held(trigger)),
        Trigger::Seq(members) | Trigger::All(members) => sum(members),
        Trigger::Any(members) => members.iter().map(held).max().unwrap_or(0),
        Trigger::Within(_, trigger) | Trigger::Fail(trigger) => held(trigger),
    }
}

/// Whether something may be held for ever. A guard is held no longer than the stretch that it guards.
fn unbounded(trigger: &Trigger) -> bool {
    match trigger {
        Trigger::Event(_) | Trigger::Within(..) | Trigger::Fail(_) => false,
        Trigger::Count(n, trigger) => *n > 1 || unbounded(trigger),
        Trigger::Seq(members) | Trigger::All(members) => {
            members.iter().filter(|member| !member.is_guard()).count() > 1 || members.iter().any(unbounded)
        }
        Trigger::Any(members) => members.iter().any(unbounded),
    }
}

impl Trigger {
    /// `(fail T)` or `(within D (fail T))`: what is not waited for.
    fn is_guard(&self) -> bool {
        match self {
            Self::Fail(_) => true,
            Self::Within(_, trigger) => matches!(**trigger, Self::Fail(_)),
            _ => false,
        }
    }
}
