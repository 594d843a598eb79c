//! What can have happened to a template. Every event carries the whole definition after it.

use serde::{Deserialize, Serialize};

use crate::aggregate::events_of_definition;

/// A template's definition: what the API shows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Definition {
    /// Human-friendly name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The Mustache text.
    pub template: String,
}

events_of_definition!("template-created", "template-updated", "template-deleted");
