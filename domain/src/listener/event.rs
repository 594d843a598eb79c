//! What can have happened to a listener. Every event carries the whole definition after it.

use std::collections::BTreeMap;

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::Kind;
use crate::json::Object;

/// A listener's definition: what the API shows of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Definition {
    /// Human-friendly name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it listens.
    pub status: bool,
    /// At which third party.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// To what there; which there are is the type's.
    pub options: BTreeMap<String, String>,
    /// Our attribute from a dotted path in the third party's event.
    pub mapping: Object,
}

impl Definition {
    /// An option, if it is there.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }
}

/// Something that happened to a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// `listener-created`
    Created(Definition),
    /// `listener-updated`
    Updated(Definition),
    /// `listener-deleted`
    Deleted,
}

/// Stored names are written by hand: renaming a variant must not orphan history.
impl Event {
    /// The stored name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "listener-created",
            Self::Updated(_) => "listener-updated",
            Self::Deleted => "listener-deleted",
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
