//! What is shown of a template.

use domain::ids::{Position, TemplateId};
use domain::template::Definition;
use domain::time::Stamp;

use crate::definitions::Stored;

/// A template as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateView {
    /// Its id.
    pub id: TemplateId,
    /// The definition in force.
    pub definition: Definition,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
    /// The position of the last of them, which has this definition.
    pub position: Position,
    /// When it was made.
    pub created: Stamp,
}

impl From<Stored<Definition>> for TemplateView {
    fn from(stored: Stored<Definition>) -> Self {
        let Stored { id, definition, version, position, created } = stored;
        Self { id: TemplateId(id), definition, version, position, created }
    }
}
