//! Where `fail` may stand, and what to write instead where it may not (when.md §3).
//!
//! It guards a stretch: that of the other members of an `all`, the gap between two members of a `seq`, or from the
//! last member of a `seq` up to a deadline. Anywhere else there is no stretch, and it is refused.

use super::parse::{Call, Keyword, is};
use crate::dsl::reader::Form;
use crate::dsl::{Code, Diagnostic, Span};

/// Where a trigger stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Seat {
    /// As the whole source.
    Outermost,
    /// In `(when …)`.
    Whole,
    /// In `count`.
    Counted,
    /// In `any`.
    Alternative,
    /// In `fail`.
    Guard,
    /// In `within`.
    Window,
    /// In `seq` or `all`, where guards are checked together.
    Member,
}

#[derive(Clone, Copy, PartialEq)]
enum Guard {
    /// `(fail T)`
    Bare,
    /// `(within D (fail T))`
    Windowed,
}

fn guard(form: &Form) -> Option<Guard> {
    let call = Call::of(form)?;
    match Keyword::of(call.word)? {
        Keyword::Fail => Some(Guard::Bare),
        Keyword::Within if call.parts.get(2).is_some_and(|part| is(part, Keyword::Fail)) => {
            Some(Guard::Windowed)
        }
        _ => None,
    }
}

fn refused(span: Span, why: &str, instead: &str) -> Diagnostic {
    Diagnostic::new(Code::MisplacedFail, span, why).hint(instead)
}

/// Why the guard that `form` may be cannot stand in `seat`.
pub(super) fn misplaced(form: &Form, seat: Seat) -> Option<Diagnostic> {
    let (why, instead) = match (guard(form)?, seat) {
        // Checked with the whole `seq` or `all`; or, of a windowed guard, with its window.
        (_, Seat::Member) | (Guard::Bare, Seat::Window) => return None,
        (_, Seat::Outermost | Seat::Whole) => (
            "`fail` alone guards nothing: nothing else is waited for",
            "say beside what it must not happen: (all T (fail …)), or after what: (seq T (within 1 hours (fail …)))",
        ),
        (_, Seat::Counted) => (
            "`fail` cannot be counted: it is not something that happens",
            "guard what is counted: (all (count n T) (fail …))",
        ),
        (_, Seat::Alternative) => (
            "`fail` cannot be one of `any`: it is not something that happens",
            "guard the other members: (all (any T…) (fail …))",
        ),
        (_, Seat::Guard) => (
            "a `fail` directly inside a `fail` guards nothing",
            "leave one out, or guard what the outer one names: (fail (all T (fail …)))",
        ),
        (Guard::Windowed, Seat::Window) => (
            "a windowed `fail` stands last in a `seq`, not in another `within`",
            "leave one `within` out: (seq T (within 1 hours (fail …)))",
        ),
    };
    Some(refused(form.span, why, instead))
}

/// What is wrong with the guards among the members of a `seq` that stands in `seat`.
pub(super) fn misplaced_in_seq(members: &[Form], seat: Seat) -> Vec<Diagnostic> {
    let guards: Vec<Option<Guard>> = members.iter().map(guard).collect();
    let first = guards.iter().take_while(|guard| guard.is_some()).count();
    let last = guards.iter().rposition(Option::is_none).map_or(members.len(), |at| at + 1);
    let mut problems = Vec::new();
    if first > 0 {
        problems.push(refused(
            members[0].span,
            "`fail` first in a `seq` guards nothing: nothing comes before it",
            "put it between two members, or beside the whole: (all (seq …) (fail …))",
        ));
    }
    for at in first..last {
        if guards[at] == Some(Guard::Windowed) {
            problems.push(refused(
                members[at].span,
                "between two members of a `seq` a `fail` takes no `within`: the next member ends its stretch",
                "write (fail …) here, and bound the whole: (within 1 hours (seq …))",
            ));
        }
    }
    problems.extend(misplaced_at_the_end(&members[last..], &guards[last..], seat));
    problems
}

fn misplaced_at_the_end(members: &[Form], guards: &[Option<Guard>], seat: Seat) -> Option<Diagnostic> {
    let bare = guards.iter().filter(|guard| **guard == Some(Guard::Bare)).count();
    let windowed = guards.len() - bare;
    let (at, why, instead) = match (bare, windowed) {
        (0, 0 | 1) => return None,
        (_, 0) if seat == Seat::Window => return None,
        (_, 0) => (
            0,
            "`fail` last in a `seq` needs to know until when",
            "bound it, (within 1 hours (fail …)), or the whole, (within 1 hours (seq … (fail …)))",
        ),
        (0, _) => (
            1,
            "only one windowed `fail` stands at the end of a `seq`",
            "put them into one: (within 1 hours (fail (any T U)))",
        ),
        _ => (
            0,
            "bare and windowed `fail`s are mixed at the end of a `seq`",
            "put them into one: (within 1 hours (fail (any T U)))",
        ),
    };
    members.get(at).map(|member| refused(member.span, why, instead))
}

/// What is wrong with the guards among the members of an `all`.
pub(super) fn misplaced_in_all(all: &Call<'_>) -> Vec<Diagnostic> {
    let mut problems: Vec<Diagnostic> = Vec::new();
    for member in all.parts.iter().filter(|member| guard(member) == Some(Guard::Windowed)) {
        problems.push(refused(
            member.span,
            "in an `all` a `fail` takes no `within`: the other members are its stretch",
            "write (fail …) here, and bound the others: (all (within 1 hours T) (fail …))",
        ));
    }
    if !all.parts.is_empty() && all.parts.iter().all(|member| guard(member).is_some()) {
        problems.push(refused(
            all.span,
            "an `all` of nothing but `fail`s waits for nothing",
            "add what has to happen: (all T (fail …))",
        ));
    }
    problems
}

/// A `fail` where a predicate belongs.
pub(super) fn in_predicate(span: Span) -> Diagnostic {
    refused(
        span,
        "`fail` takes a trigger and cannot stand inside an event",
        "to negate a predicate write (not P); for an event that must not happen (all T (fail (event P)))",
    )
}
