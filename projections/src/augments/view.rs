//! What is shown of an augment.

use domain::augment::Definition;
use domain::ids::{AugmentId, Position};
use domain::time::Stamp;

use crate::definitions::Stored;

/// An augment as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AugmentView {
    /// Its id.
    pub id: AugmentId,
    /// The definition in force.
    pub definition: Definition,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
    /// The position of the last of them, which has this definition.
    pub position: Position,
    /// When it was made.
    pub created: Stamp,
}

impl From<Stored<Definition>> for AugmentView {
    fn from(stored: Stored<Definition>) -> Self {
        let Stored { id, definition, version, position, created } = stored;
        Self { id: AugmentId(id), definition, version, position, created }
    }
}
