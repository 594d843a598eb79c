//! What is known of a send, without looking into the record.

use std::fmt;
use std::str::FromStr;

use domain::ids::{CustomerId, MalformedId, Position, ReactionId};
use domain::time::Stamp;

use crate::entry::Entry;

/// A send's id: its idempotency key (reaction, place in the program, attempt group) in the form of an id. It says
/// nothing of a position, from which a tenant could tell how much others do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendId {
    /// Whose.
    pub(crate) reaction: ReactionId,
    /// The idempotency key.
    pub(crate) key: String,
}

impl SendId {
    /// The id of a reaction's send of that key; none if the key is not one of its.
    pub fn of_key(reaction: ReactionId, key: &str) -> Option<Self> {
        let (of, _) = key.split_once('/')?;
        (of == reaction.to_string()).then(|| Self { reaction, key: key.to_owned() })
    }
}

impl fmt::Display for SendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SE{}", self.key.trim_start_matches("RE").replace('/', "-"))
    }
}

impl FromStr for SendId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let rest = text.strip_prefix("SE").filter(|rest| !rest.contains('/')).ok_or(MalformedId)?;
        let key = format!("RE{}", rest.replace('-', "/"));
        let (reaction, _) = key.split_once('/').ok_or(MalformedId)?;
        Ok(Self { reaction: reaction.parse()?, key })
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
    /// Whether it failed for good and was made once more on somebody's request.
    pub redriven: bool,
    /// Where what the provider said later was recorded, in order.
    pub receipts: Vec<Position>,
}

impl SendView {
    /// One of which the first is heard.
    pub(super) fn new(
        entry: &Entry,
        reaction: ReactionId,
        customer: CustomerId,
        key: &str,
        endpoint: &str,
        verb: &str,
    ) -> Self {
        Self {
            position: entry.position,
            reaction,
            customer,
            key: key.to_owned(),
            endpoint: endpoint.to_owned(),
            verb: verb.to_owned(),
            state: SendState::Begun,
            attempts: 0,
            possibly_sent_twice: false,
            begun: entry.position,
            ended: None,
            at: entry.stamp,
            updated: entry.stamp,
            redriven: false,
            receipts: Vec::new(),
        }
    }

    /// Its id.
    pub fn id(&self) -> SendId {
        SendId { reaction: self.reaction, key: self.key.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let reaction = ReactionId([7; 16]);
        let id = SendId { reaction, key: format!("{reaction}/0.2.1/3") };
        assert_eq!(id.to_string(), format!("SE{}-0.2.1-3", "07".repeat(16)));
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["SE", "SE1", "SEx-0-0", "RE07-0-0", "SE07/0/0"] {
            assert_eq!(bad.parse::<SendId>(), Err(MalformedId), "{bad}");
        }
    }
}
