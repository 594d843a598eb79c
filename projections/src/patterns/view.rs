//! What is shown of a pattern.

use domain::ids::{PatternId, Position};
use domain::pattern::Definition;
use domain::time::Stamp;

use crate::definitions::Stored;

/// A pattern as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternView {
    /// Its id.
    pub id: PatternId,
    /// The definition in force.
    pub definition: Definition,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
    /// The position of the last of them, which has this definition.
    pub position: Position,
    /// When it was made.
    pub created: Stamp,
}

impl From<Stored<Definition>> for PatternView {
    fn from(stored: Stored<Definition>) -> Self {
        let Stored { id, definition, version, position, created } = stored;
        Self { id: PatternId(id), definition, version, position, created }
    }
}
