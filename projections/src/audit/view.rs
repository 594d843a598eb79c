//! An entry of the audit trail of resources.

use domain::ids::Position;
use domain::time::Stamp;

/// What was done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was deleted.
    Deleted,
}

impl ChangeKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Deleted].into_iter().find(|kind| kind.name() == name)
    }
}

/// One change of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The entry's position in the record.
    pub position: Position,
    /// What was done.
    pub kind: ChangeKind,
    /// To what: `tenant`, `client`, `pattern` or `template`.
    pub resource: String,
    /// Its id.
    pub id: String,
    /// When.
    pub at: Stamp,
    /// The client that asked for it, if one did.
    pub by: Option<String>,
    /// What it was before, as JSON; `None` for one that was made.
    pub before: Option<String>,
    /// What it was after, as JSON; `None` for one that was deleted.
    pub after: Option<String>,
}
