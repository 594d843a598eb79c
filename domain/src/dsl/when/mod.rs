//! The `when` language (when.md): what must happen to one customer.

//!
//! Read next: `parse` (forms → triggers), `condition` (predicates and the normal form of comparisons),
//! `fail` and `bound` (the checks), `predicate` (what it says of an event), [`index`].

mod amount;
mod bound;
mod condition;
mod fail;
pub mod index;
mod parse;
mod predicate;
mod print;

use self::parse::Parser;
use super::diagnostic::MOST;
use super::{Diagnostic, Limits, reader};
use crate::json::Number;
use crate::time;
use crate::value::Comparison;

/// A trigger: the syntax tree of a checked `when`.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// `(event P)`
    Event(Predicate),
    /// `(count n T)`
    Count(u32, Box<Trigger>),
    /// `(seq T…)`
    Seq(Vec<Trigger>),
    /// `(all T…)`
    All(Vec<Trigger>),
    /// `(any T…)`
    Any(Vec<Trigger>),
    /// `(within n unit T)`
    Within(time::Span, Box<Trigger>),
    /// `(fail T)`: only where when.md §3 allows it.
    Fail(Box<Trigger>),
}

/// A predicate on one event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// `(= a b)` and its like.
    Compare(Comparison, Operand, Operand),
    /// `(and P…)`
    And(Vec<Predicate>),
    /// `(or P…)`
    Or(Vec<Predicate>),
    /// `(not P)`
    Not(Box<Predicate>),
    /// `(contains a b)`
    Contains(Operand, Operand),
    /// `(exists a)`
    Exists(String),
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// An attribute of the event, by name.
    Attribute(String),
    /// A literal string.
    Text(String),
    /// A literal number.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
}

/// A checked `when`, with what is worth a warning.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// The trigger, without the outermost `(when …)`.
    pub trigger: Trigger,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// Parses and checks a `when`.
///
/// # Errors
/// All problems that can be told apart, in the order of their places.
pub fn parse(source: &str, limits: &Limits) -> Result<When, Vec<Diagnostic>> {
    let (forms, problems) = reader::recover(source, limits);
    let mut parser = Parser { limits, problems };
    let trigger = forms.and_then(|forms| parser.whole(&forms));
    let mut problems = parser.problems;
    problems.sort_by_key(|problem| problem.span.start);
    let (mut warnings, mut errors): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.code.is_warning());
    warnings.truncate(MOST);
    errors.truncate(MOST);
    match trigger {
        Some(trigger) if errors.is_empty() => Ok(When { trigger, warnings }),
        _ => Err(errors),
    }
}

impl Trigger {
    /// Every event predicate of the trigger, in the order in which they stand, `fail`'s included; with each,
    /// whether it stands inside a `fail`.
    pub fn predicates(&self) -> Vec<(&Predicate, bool)> {
        let mut found = Vec::new();
        self.collect_predicates(false, &mut found);
        found
    }

    fn collect_predicates<'a>(&'a self, guards: bool, found: &mut Vec<(&'a Predicate, bool)>) {
        match self {
            Self::Event(predicate) => found.push((predicate, guards)),
            Self::Count(_, trigger) | Self::Within(_, trigger) => trigger.collect_predicates(guards, found),
            Self::Fail(trigger) => trigger.collect_predicates(true, found),
            Self::Seq(members) | Self::All(members) | Self::Any(members) => {
                members.iter().for_each(|member| member.collect_predicates(guards, found));
            }
        }
    }
}
