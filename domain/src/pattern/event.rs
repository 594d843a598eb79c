//! What can have happened to a pattern. Every event carries the whole definition after it.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

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

/// Something that happened to a pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// `pattern-created`
    Created(Definition),
    /// `pattern-updated`
    Updated(Definition),
    /// `pattern-deleted`
    Deleted,
}

/// Stored names are written by hand: renaming a variant must not orphan history.
impl Event {
    /// The stored name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "pattern-created",
            Self::Updated(_) => "pattern-updated",
            Self::Deleted => "pattern-deleted",
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
