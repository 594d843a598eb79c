//! A customer event as it was accepted, and what augments did to it.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{AugmentId, EventId, ReactionId};
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
    /// What the augments before matching did.
    #[serde(default, skip_serializing_if = "Augmentations::is_empty")]
    pub augmented: Augmentations,
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

/// What augments did, in the order in which they were applied; those that did nothing are not in it. Stored as an
/// object by augment id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Augmentations(Vec<(AugmentId, Augmented)>);

impl Augmentations {
    /// Adds what the next one did.
    pub fn push(&mut self, augment: AugmentId, what: Augmented) {
        self.0.push((augment, what));
    }

    /// In order of application.
    pub fn iter(&self) -> impl Iterator<Item = (&AugmentId, &Augmented)> {
        self.0.iter().map(|(augment, what)| (augment, what))
    }

    /// Whether no augment did anything, or failed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts what was added over attributes, later ones over earlier ones.
    pub fn apply(&self, attributes: &mut Object) {
        for (_, what) in &self.0 {
            if let Augmented::Added(added) = what {
                attributes.merge(added);
            }
        }
    }
}

impl Serialize for Augmentations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Augmentations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Members in the order in which they stand.
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Augmentations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object by augment id")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Augmentations, M::Error> {
                let mut all = Augmentations::default();
                while let Some((augment, what)) = members.next_entry()? {
                    all.push(augment, what);
                }
                Ok(all)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
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
        self.augmented.apply(&mut event);
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
    /// The key attribute is not in the event, and no augment added it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn augments_keep_their_order_of_application_through_the_record() {
        let text = r#"{"AU2":{"added":{"a":1}},"AU10":{"error":"slow"},"AU11":{"added":{"a":2.0}},"AU1":{"added":{"b":3}}}"#;
        let read: Augmentations = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let mut attributes = Object::new();
        attributes.set("a", "as it came");
        read.apply(&mut attributes);
        assert_eq!(attributes.to_string(), r#"{"a":2.0,"b":3}"#);
    }
}
