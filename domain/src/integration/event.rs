//! What can have happened to an integration. What is secret is ciphertext here, and so in the log.

use std::collections::BTreeMap;

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

/// A secret, sealed under the tenant's key (eventlog's vault does that): base64 of the ciphertext.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(pub String);

/// What to do with a send of which nobody knows whether it was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnAmbiguous {
    /// Send it again within its retries, and say so.
    #[default]
    Retry,
    /// Leave it to a person.
    Hold,
}

/// An integration as it is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Definition {
    /// Human-friendly name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether reactions may use it.
    pub active: bool,
    /// The fields that are no secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Those that are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, Sealed>,
    /// Headers that go with every request of a webhook, by name; secret all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Sealed>,
    /// What to do when nobody knows whether a send was done.
    #[serde(default)]
    pub on_ambiguous: OnAmbiguous,
}

/// Something that happened to an integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// `integration-set`: set up, or replaced.
    Set(Definition),
    /// `integration-deleted`: it can be set up again.
    Deleted,
}

/// Stored names are written by hand: renaming a variant must not orphan history.
impl Event {
    /// The stored name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Set(_) => "integration-set",
            Self::Deleted => "integration-deleted",
        }
    }
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        self.name().to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}
