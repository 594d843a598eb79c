//! What is known of a send, without looking into the record.

use std::fmt;
use std::str::FromStr;

use domain::ids::{CustomerId, MalformedId, Position, ReactionId};
use domain::time::Stamp;

/// A send's id: where it began, written SE and the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendId(pub Position);

impl fmt::Display for SendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SE{}", self.0)
    }
}

impl FromStr for SendId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let digits = text.strip_prefix("SE").ok_or(MalformedId)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(MalformedId);
        }
        digits.parse().map(|position| Self(Position(position))).map_err(|_| MalformedId)
    }
}

/// What has become of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendState {
    /// Its last attempt has begun and not ended.
    Begun,
    /// It was done.
    Succeeded,
    /// Its last attempt failed.
    Failed,
    /// Its outcome is not known, and it waits for a person.
    Held,
}

impl SendState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Begun, Self::Succeeded, Self::Failed, Self::Held];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Held => "held",
        }
    }

    /// The state of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendView {
    /// Where its first attempt began.
    pub position: Position,
    /// Whose.
    pub reaction: ReactionId,
    /// To which customer's events it is a reaction.
    pub customer: CustomerId,
    /// Its idempotency key: reaction, place in the program and attempt group.
    pub key: String,
    /// The endpoint.
    pub endpoint: String,
    /// What it is to do.
    pub verb: String,
    /// What has become of it.
    pub state: SendState,
    /// How many attempts have begun.
    pub attempts: u32,
    /// Whether it may have been done more than once.
    pub possibly_sent_twice: bool,
    /// Where its last attempt began: parameters as sent are there.
    pub begun: Position,
    /// Where the last attempt that ended did: the answer is there.
    pub ended: Option<Position>,
    /// When its first attempt began.
    pub at: Stamp,
    /// When something last happened to it.
    pub updated: Stamp,
}

impl SendView {
    /// Its id.
    pub fn id(&self) -> SendId {
        SendId(self.position)
    }
}
