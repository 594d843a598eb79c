//! The `then` language (then.md): what to do about a match.
//!
//! Read next: [`parse()`] and the files beside it, [`catalogue`], `print`; what a program does is
//! [`reaction`](crate::reaction)'s business.

pub mod catalogue;
mod parse;
mod path;
mod print;
mod references;

use std::collections::BTreeSet;

pub use parse::parse;
pub use path::{MalformedPath, Path};
pub use references::template_names;

use super::{Diagnostic, Span};
use crate::json::Number;
use crate::time;
use crate::value::Comparison;

/// A checked `then`.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// The outermost command.
    pub root: Command,
    /// The templates that it names (`+TM1`), without those that templates name in turn.
    pub templates: BTreeSet<crate::ids::TemplateId>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// A command with its options.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What it does.
    pub kind: CommandKind,
    /// `(retries n)`
    pub retries: u32,
    /// `(within n unit)`: the bound of one attempt.
    pub within: Option<time::Span>,
    /// `(success T)`
    pub success: Option<Box<Command>>,
    /// `(failure T)`
    pub failure: Option<Box<Command>>,
    /// Where it stands in the source.
    pub span: Span,
}

/// What a command does.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandKind {
    /// `(seq M…)`
    Seq(Vec<Command>),
    /// `(par M…)`
    Par(Vec<Command>),
    /// `(send endpoint verb {params} …)`
    Send(Call),
    /// `(event {params} …)`
    Event(Params),
    /// `(delay n unit)`
    Delay(time::Span),
    /// `(expect P …)`
    Expect(Predicate),
    /// `(await endpoint verb {params} (if P (success T) (failure T)) (within n unit) …)`; the `if`'s branches.
    Await {
        /// What is asked once a second.
        call: Call,
        /// What is waited for.
        until: Predicate,
        /// Run when it holds.
        success: Option<Box<Command>>,
        /// Run when the time is over.
        failure: Option<Box<Command>>,
    },
    /// `(if P (success T) (failure T))`
    If {
        /// The condition.
        condition: Predicate,
        /// Run when it holds.
        then: Option<Box<Command>>,
        /// Run when it does not.
        otherwise: Option<Box<Command>>,
    },
    /// `(set name value)`
    Set(String, Value),
}

/// A request of an endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The endpoint's name.
    pub endpoint: String,
    /// What it is to do.
    pub verb: String,
    /// With what.
    pub params: Params,
}

/// Parameters in the order in which they stand, and those of the `template` option.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Params {
    /// `{:name value …}`
    pub plain: Vec<(String, Value)>,
    /// `(template {:name value …})`: rendered before they are sent; they win over plain ones of the same name.
    pub templated: Vec<(String, Value)>,
}

/// A value of a program.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `"…"`
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`
    Bool(bool),
    /// `*name*`: an attribute of the reaction context.
    Context(String),
    /// `$name`: a value of the endpoint's response or of the event that came in.
    Response(String),
    /// `name`: a reaction variable.
    Variable(String),
    /// `+TM1`: a rendered template.
    Template(crate::ids::TemplateId),
    /// `{:k v}`
    Map(Vec<(String, Value)>),
}

/// A predicate of a program.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// `(= a b)` and its like.
    Compare(Comparison, Value, Value),
    /// `(and P…)`
    And(Vec<Predicate>),
    /// `(or P…)`
    Or(Vec<Predicate>),
    /// `(not P)`
    Not(Box<Predicate>),
    /// Any value: null and false are false, all else is true.
    Value(Value),
}
