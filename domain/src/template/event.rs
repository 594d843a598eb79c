//! What can have happened to a template. Every event carries the whole definition after it.

use cqrs_es::DomainEvent;
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

/// Stored names are written by hand: renaming a variant must not orphan history.
impl Event {
    /// The stored name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "template-created",
            Self::Updated(_) => "template-updated",
            Self::Deleted => "template-deleted",
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
