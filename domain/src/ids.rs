//! Identifiers: who, what and where, each a type of its own so that none can stand in for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A place in the record's one sequence, from 1; gap-free and in commit order. 0 is "before everything".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One of the 64 parts into which customers are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Partition(pub u8);

/// How many partitions a store has; fixed when it is made.
pub const PARTITIONS: u8 = 64;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    };
}

text_id! {
    /// A tenant: `[A-Za-z0-9][A-Za-z0-9_-]{0,63}`.
    TenantId
}
text_id! {
    /// A pattern of a tenant: PT1, PT2, ….
    PatternId
}
text_id! {
    /// A template of a tenant: TM1, TM2, ….
    TemplateId
}
text_id! {
    /// An augment of a tenant: AU1, AU2, ….
    AugmentId
}
text_id! {
    /// A listener of a tenant: LI1, LI2, ….
    ListenerId
}
text_id! {
    /// An API client (also its OAuth `client_id`).
    ClientId
}

impl TenantId {
    /// `text` as a tenant's id, if it is well-formed.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let good = bytes.len() <= 64
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        good.then(|| Self(text.to_owned()))
    }
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; 32];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str($prefix)?;
                f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                let digits = text.strip_prefix($prefix).ok_or(MalformedId)?;
                if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
                    return Err(MalformedId);
                }
                let mut id = [0; 16];
                hex::decode_to_slice(digits, &mut id).map_err(|_| MalformedId)?;
                Ok(Self(id))
            }
        }
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// A text that is not an id of the kind asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a well-formed id")]
pub struct MalformedId;

hash_id! {
    /// A customer as the record knows them: the first 128 bits of HMAC-SHA-256(tenant key, key attribute value).
    CustomerId, ""
}
hash_id! {
    /// A customer event: 128 random bits, drawn at the door.
    EventId, "EV"
}
hash_id! {
    /// A match, and the reaction that it starts: see [`ReactionId::of`].
    ReactionId, "RE"
}

impl ReactionId {
    /// The id that a match has by what it is (design.md §3.3): delivering it twice changes nothing.
    pub fn of(
        tenant: &TenantId,
        pattern: &PatternId,
        version: u32,
        customer: CustomerId,
        point: Point,
    ) -> Self {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for text in [tenant.as_str(), pattern.as_str()] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.update(version.to_le_bytes());
        hash.update(customer.0);
        match point {
            Point::Event(position) => hash.update([&[0][..], &position.0.to_le_bytes()].concat()),
            Point::Deadline(stamp) => hash.update([&[1][..], &stamp.0.to_le_bytes()].concat()),
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }
}

/// Where a match completes: at a customer event, or at a deadline that passed untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Point {
    /// At this event.
    Event(Position),
    /// At the tick of this time.
    Deadline(crate::time::Stamp),
}
