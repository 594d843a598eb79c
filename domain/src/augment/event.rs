//! What can have happened to an augment. Every event carries the whole definition after it.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

/// Where the attributes come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// From a CSV file.
    #[default]
    File,
    /// From a server of the tenant's.
    Api,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Api => "api",
        }
    }
}

/// Before what it is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Before matching, to every event.
    #[default]
    Engine,
    /// When a reaction starts, to its context.
    Notification,
}

impl Service {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Notification => "notification",
        }
    }
}

/// What an `api` augment asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Options {
    /// The URL, or a bare host, as the tenant wrote it.
    pub url: String,
    /// The attributes that are taken from the answer.
    pub attributes: Vec<String>,
}

/// The file of a `file` augment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct File {
    /// Under which name its content is kept; of no meaning outside.
    pub id: String,
    /// How long it is.
    pub bytes: u64,
    /// How many rows it has below its header.
    pub rows: u64,
}

/// An augment's definition: what the API shows of it, and which file is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Definition {
    /// Human-friendly name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where the attributes come from.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Before what it is applied.
    pub service: Service,
    /// Whether the service was (also) given under its older name, and is shown so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub older_service: bool,
    /// What is asked, of an `api` augment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Options>,
    /// The file in force, of a `file` augment that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
}

/// Something that happened to an augment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// `augment-created`
    Created(Definition),
    /// `augment-updated`
    Updated(Definition),
    /// `augment-file-set`: uploaded, or replaced.
    FileSet(Definition),
    /// `augment-file-deleted`
    FileDeleted(Definition),
    /// `augment-deleted`
    Deleted,
}

/// Stored names are written by hand: renaming a variant must not orphan history.
impl Event {
    /// The stored name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created(_) => "augment-created",
            Self::Updated(_) => "augment-updated",
            Self::FileSet(_) => "augment-file-set",
            Self::FileDeleted(_) => "augment-file-deleted",
            Self::Deleted => "augment-deleted",
        }
    }

    /// The definition after it; none once it is deleted.
    pub fn into_definition(self) -> Option<Definition> {
        match self {
            Self::Created(definition)
            | Self::Updated(definition)
            | Self::FileSet(definition)
            | Self::FileDeleted(definition) => Some(definition),
            Self::Deleted => None,
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
