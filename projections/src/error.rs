//! What can go wrong with read models.

use domain::ids::Position;

/// Why a read model cannot be read, written or made anew.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be read or written.
    #[error("the read models' store: {0}")]
    Store(#[from] rusqlite::Error),
    /// The store's files cannot be put aside.
    #[error("the read models' store: {0}")]
    Files(#[from] std::io::Error),
    /// The record's.
    #[error(transparent)]
    Record(#[from] eventlog::record::Error),
    /// An entry of the record is not what its name says, or this release does not know it.
    #[error("the entry at position {position} cannot be read: {reason}")]
    Unreadable {
        /// Which entry.
        position: Position,
        /// Why.
        reason: String,
    },
    /// What is stored in a read model is not what was written: it has to be made anew.
    #[error("a row of the read models is damaged: {0}")]
    Damaged(String),
    /// A read model is further behind than the batch begins: read again from its own place.
    #[error("a read model stands at position {0}, before the batch")]
    Behind(Position),
    /// The read model has not come to a position in time.
    #[error("the read models stand at position {at}, before {wanted}")]
    Late {
        /// Where they have to come.
        wanted: Position,
        /// Where they are.
        at: Position,
    },
    /// Another rebuild of the same read model has begun.
    #[error("another rebuild of {0} has begun")]
    Superseded(&'static str),
    /// There is no read model of that name.
    #[error("there is no read model {name:?}; there are: {}", crate::names().join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
    /// The work was ended before it was done.
    #[error("the work on the read models was ended early")]
    Ended,
}

impl Error {
    /// Whether trying again after a while can help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => !eventlog::record::sqlite::is_damage(error),
            Self::Record(error) => matches!(error, eventlog::record::Error::Unavailable(_)),
            Self::Behind(_) => true,
            _ => false,
        }
    }
}
