//! What is shown of a listener.

use domain::ids::{ListenerId, Position};
use domain::listener::Definition;
use domain::time::Stamp;

use crate::definitions::Stored;

/// A listener as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerView {
    /// Its id.
    pub id: ListenerId,
    /// The definition in force.
    pub definition: Definition,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
    /// The position of the last of them, which has this definition.
    pub position: Position,
    /// When it was made.
    pub created: Stamp,
}

impl From<Stored<Definition>> for ListenerView {
    fn from(stored: Stored<Definition>) -> Self {
        let Stored { id, definition, version, position, created } = stored;
        Self { id: ListenerId(id), definition, version, position, created }
    }
}
