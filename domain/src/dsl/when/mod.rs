//! The `when` language (when.md): what must happen to one customer.

mod print;

use super::{Diagnostic, Limits};
use crate::json::Number;
use crate::time;
use crate::value::{Attributes, Comparison};

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
#[derive(Clone, Debug, PartialEq)]
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
#[derive(Clone, Debug, PartialEq)]
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
    let _ = (source, limits);
    todo!("languages")
}

impl Predicate {
    /// Whether the predicate holds of an event.
    pub fn holds(&self, event: &impl Attributes) -> bool {
        let _ = event;
        todo!("languages")
    }
}

impl Trigger {
    /// Every event predicate of the trigger, in the order in which they stand, `fail`'s included; with each,
    /// whether it stands inside a `fail`.
    pub fn predicates(&self) -> Vec<(&Predicate, bool)> {
        todo!("languages")
    }
}
