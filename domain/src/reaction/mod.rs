//! A reaction: the durable run of a `then` for one match (then.md §2–3), as pure functions.

use serde::{Deserialize, Serialize};

use crate::ids::{PatternId, Point, Position};
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
