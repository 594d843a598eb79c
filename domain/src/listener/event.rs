//! What can have happened to a listener. Every event carries the whole definition after it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::aggregate::events_of_definition;
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

events_of_definition!("listener-created", "listener-updated", "listener-deleted");
