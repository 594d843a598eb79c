//! What is known of a match and of its reaction, without looking into the record.

use domain::ids::{CustomerId, PatternId, Position, ReactionId};
use domain::time::Stamp;

/// What has become of a reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReactionState {
    /// It has not ended.
    Running,
    /// It ran to its end.
    Done,
    /// A command failed and nothing took the failure.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl ReactionState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A match and its reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReactionView {
    /// The match's id and the reaction's.
    pub id: ReactionId,
    /// Of which pattern.
    pub pattern: PatternId,
    /// Of which version of its `when`.
    pub version: u32,
    /// Of which customer.
    pub customer: CustomerId,
    /// Where the match stands in the record: the first entry of the reaction's stream.
    pub position: Position,
    /// When it completed: the stamp of its last event, or the deadline.
    pub matched: Stamp,
    /// When it was recorded: the entry's stamp.
    pub at: Stamp,
    /// Where the reaction started; `None` if it has not yet.
    pub start: Option<Position>,
    /// What has become of it.
    pub state: ReactionState,
    /// The stamp of its last entry.
    pub updated: Stamp,
}
