//! A customer event as it was accepted, and what augments did to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{EventId, ReactionId};
use crate::json::{Json, Object};

/// What the customer event stream holds, sealed, for each event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CustomerEvent {
    /// The event's id.
    pub id: EventId,
    /// The value of the tenant's key attribute, as text.
    pub key: String,
    /// The event as it came.
    pub event: Object,
    /// What each augment did, in the order in which they were applied (by augment id).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub augmented: BTreeMap<String, Augmented>,
    /// Whether some enabled pattern had an event predicate that the augmented event met.
    pub contributing: bool,
    /// Which way in it took.
    pub origin: Origin,
}

/// What one augment did to an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Augmented {
    /// It added these attributes, over what the event had.
    Added(Object),
    /// It failed; the event went on as it was.
    Error(String),
}

/// Which way in an event took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// POST /event or /events.
    Rest,
    /// A NATS publisher.
    Nats,
    /// A listener, by id.
    Listener(String),
    /// A reaction's `event` command.
    Reaction {
        /// Which reaction.
        reaction: ReactionId,
        /// Its place in the program.
        place: String,
        /// How many events caused one by the other came before this one.
        depth: u32,
    },
}

impl Origin {
    /// How many events caused one by the other came before this one.
    pub fn depth(&self) -> u32 {
        match self {
            Self::Reaction { depth, .. } => *depth,
            _ => 0,
        }
    }
}

impl CustomerEvent {
    /// The stored name of this event.
    pub const TYPE: &'static str = "customer-event";

    /// The event that is matched: as it came, with what augments added over it.
    pub fn effective(&self) -> Object {
        let mut event = self.event.clone();
        for augmented in self.augmented.values() {
            if let Augmented::Added(added) = augmented {
                event.merge(added);
            }
        }
        event
    }
}

/// Why an event is refused at the door (rest-api.md §4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The tenant has no key attribute yet.
    #[error(
        "no key attribute is set for this tenant; POST {{\"key\": \"…\"}} to /tenants/{{tid}}/key-attribute first"
    )]
    NoKeyAttribute,
    /// The event is not an object.
    #[error("an event is a JSON object; found {0}")]
    NotAnObject(&'static str),
    /// The key attribute is not in the event.
    #[error("the key attribute {0:?} is missing from the event")]
    KeyMissing(String),
    /// The key attribute has no scalar value.
    #[error("the key attribute {0:?} has to be a string, a number or a boolean; found {1}")]
    KeyNotScalar(String, &'static str),
    /// The key attribute is an empty string.
    #[error("the key attribute {0:?} is empty")]
    KeyEmpty(String),
}

/// The key of an event: the value of the tenant's key attribute, as text (a number's as it stood in the JSON).
///
/// # Errors
/// What is missing or of the wrong kind.
pub fn key_of(event: &Json, key_attribute: Option<&str>) -> Result<String, Refusal> {
    let attribute = key_attribute.ok_or(Refusal::NoKeyAttribute)?;
    let object = event.as_object().ok_or(Refusal::NotAnObject(event.kind()))?;
    match object.get(attribute) {
        None => Err(Refusal::KeyMissing(attribute.to_owned())),
        Some(Json::Text(text)) if text.is_empty() => Err(Refusal::KeyEmpty(attribute.to_owned())),
        Some(Json::Text(text)) => Ok(text.clone()),
        Some(Json::Number(number)) => Ok(number.as_str().to_owned()),
        Some(Json::Bool(value)) => Ok(value.to_string()),
        Some(other) => Err(Refusal::KeyNotScalar(attribute.to_owned(), other.kind())),
    }
}
