//! A reaction: the durable run of a `then` for one match (then.md §2–3), as pure functions.
//!
//! A reaction's stream is its inbox and its outbox: it begins with the [`Match`] that the engine appends, then
//! every [`Input`] stands before the [`Effect`]s that [`step`](step()) made of it. [`State`] is the fold of `step`
//! over the inputs; effects are recorded for the audit and to be compared in a replay, never read back. What was
//! begun and has not ended is [`State::outstanding`]: what a process that comes back has to take up again.
//!
//! Nothing here reads a clock, draws a random number or does I/O; nothing is refused: an input that no longer has a
//! place is taken and ignored. Read next: [`Input`], [`Effect`], [`State`], then the files of `step/`.

mod condition;
mod effect;
mod event;
mod input;
mod resolve;
mod state;
mod step;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use condition::{Condition, Operand, equality_key};
pub use effect::{
    Append, Assignment, Effect, Expectation, Note, Outcome, Purpose, Remark, Request, SetTimer,
};
pub use event::{Event, Unreadable};
pub use input::{Answer, Failure, Input, InputKind, Receipt, Rules, Started, Success};
pub use state::State;
pub use step::step;

use crate::dsl::then::Program;
use crate::ids::{PatternId, Point, Position, TemplateId};
use crate::mustache::Template;
use crate::time::Stamp;

/// `match-completed`: the first event of a reaction's stream, appended by the engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Match {
    /// Of which pattern.
    pub pattern: PatternId,
    /// Of which version of its `when`.
    pub version: u32,
    /// Where it completed.
    pub point: Point,
    /// When: the stamp of the completing event, or the deadline.
    pub at: Stamp,
    /// The witness's events, ascending, each once.
    pub witness: Vec<Position>,
    /// The pattern event whose definition has the `then` in force where the match completed.
    pub program: Position,
}

impl Match {
    /// The stored name.
    pub const TYPE: &'static str = "match-completed";
}

/// What a reaction runs, unchanged from its start to its end: found again through the positions in [`Started`].
#[derive(Clone, Debug, PartialEq)]
pub struct Pinned {
    /// The program.
    pub program: Program,
    /// The templates that it names, and those that they name in turn.
    pub templates: BTreeMap<TemplateId, Template>,
}

/// A thing that a reaction began and whose end comes as an input: a send, a poll, a timer, an `expect`, an event to
/// append. Numbered within the reaction, in the order in which they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
