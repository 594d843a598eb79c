//! What can have happened to a pattern. Every event carries the whole definition after it.

use serde::{Deserialize, Serialize};

use crate::aggregate::events_of_definition;

/// A pattern's definition: what the API shows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Definition {
    /// Human-friendly name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is matched against.
    pub status: bool,
    /// The user's own text of the `when`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The user's own text of the `then`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// How often matching has started afresh: rises when the pattern is enabled and when its canonical `when`
    /// changes while it is. Part of every match's id.
    pub version: u32,
}

events_of_definition!("pattern-created", "pattern-updated", "pattern-deleted");
