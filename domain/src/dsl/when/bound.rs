//! What a pattern can hold for one customer at worst (when.md §4).

use super::Trigger;
use crate::dsl::{Code, Diagnostic, Limits, Span};

/// What an event costs while it is held.
const EVENT_BYTES: u64 = 16;

/// What an event costs in the beginning of a chain.
const WITNESS_BYTES: u64 = 8;

/// Refuses what can hold too much, whether a window or the pattern's own counts bound it; warns of what no window
/// bounds.
pub(super) fn check(trigger: &Trigger, span: Span, limits: &Limits) -> Option<Diagnostic> {
    let most = u64::try_from(limits.state).unwrap_or(u64::MAX);
    if unbounded(trigger) {
        return chains(trigger, span, most).or_else(|| {
            let message = "no window bounds this pattern: what it has seen is held until it matches";
            Some(Diagnostic::new(Code::Unbounded, span, message).hint("bound it: (within 1 days …)"))
        });
    }
    events(trigger, span, most).or_else(|| chains(trigger, span, most))
}

/// Refuses what takes too many events to complete.
fn events(trigger: &Trigger, span: Span, most: u64) -> Option<Diagnostic> {
    let events = held(trigger);
    let bytes = events.saturating_mul(EVENT_BYTES);
    (bytes > most).then(|| {
        let message = format!(
            "this can hold {events} events for one customer, {bytes} bytes; at most {most} bytes are allowed"
        );
        let instead = format!("lower its counts, so that they come to {} events at most", most / EVENT_BYTES);
        Diagnostic::new(Code::Limit, span, message).hint(instead)
    })
}

/// Refuses chains whose beginnings take too much: each is kept with its events, so that they grow with the square of
/// the length. No window makes that less, so it is refused without one as well.
fn chains(trigger: &Trigger, span: Span, most: u64) -> Option<Diagnostic> {
    let bytes = chained(trigger);
    (bytes > most).then(|| {
        let message = format!(
            "the beginnings of its chains can take {bytes} bytes for one customer; at most {most} bytes are allowed"
        );
        let instead = "count single events, (count n (event P)), or lower the count around `seq`, `all` or `any`";
        Diagnostic::new(Code::Limit, span, message).hint(instead)
    })
}

/// What the beginnings of chains take at worst, in bytes: a chain of n members, each of so many events, has
/// n (n + 1) / 2 times as many in all its beginnings.
fn chained(trigger: &Trigger) -> u64 {
    let sum = |members: &[Trigger]| members.iter().map(chained).fold(0, u64::saturating_add);
    let square = |n: u64| n.saturating_mul(n.saturating_add(1)) / 2;
    match trigger {
        Trigger::Event(_) => 0,
        Trigger::Count(_, inner) if is_single(inner) => 0,
        Trigger::Count(n, inner) => {
            let events = square(u64::from(*n)).saturating_mul(links(inner)).saturating_mul(held(inner));
            events.saturating_mul(WITNESS_BYTES).saturating_add(chained(inner))
        }
        Trigger::Seq(members) => {
            let links = links(trigger).max(1);
            let events = square(links).saturating_mul(held(trigger).div_ceil(links));
            events.saturating_mul(WITNESS_BYTES).saturating_add(sum(members))
        }
        Trigger::All(members) | Trigger::Any(members) => sum(members),
        Trigger::Within(_, inner) | Trigger::Fail(inner) => chained(inner),
    }
}

/// How many members a chain has for each time that this is counted.
fn links(trigger: &Trigger) -> u64 {
    match trigger {
        Trigger::Seq(members) => members.iter().filter(|member| !member.is_guard()).count() as u64,
        _ => 1,
    }
}

/// Whether counting this is counting single events, of which only the last n are kept, each by itself.
fn is_single(trigger: &Trigger) -> bool {
    match trigger {
        Trigger::Event(_) => true,
        Trigger::Count(_, inner) => is_single(inner),
        Trigger::Within(_, inner) => matches!(**inner, Trigger::Event(_)),
        Trigger::Any(members) => members.iter().all(|member| matches!(member, Trigger::Event(_))),
        Trigger::Seq(_) | Trigger::All(_) | Trigger::Fail(_) => false,
    }
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
