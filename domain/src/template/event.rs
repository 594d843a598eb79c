//! What can have happened to a template. Every event carries the whole definition after it.

use serde::{Deserialize, Serialize};

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

/// Something that happened to a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// `template-created`
    Created(Definition),
    /// `template-updated`
    Updated(Definition),
    /// `template-deleted`
    Deleted,
}
