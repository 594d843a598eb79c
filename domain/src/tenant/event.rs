//! What can have happened to a tenant.

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

/// Something that happened to a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// `tenant-created`
    Created {
        /// Human-friendly name.
        name: String,
        /// The tenant's other name in paths, lower-case hyphenated.
        uuid: String,
    },
    /// `key-attribute-set`: changes configuration.
    KeyAttributeSet {
        /// The attribute that tells customers apart.
        key: String,
    },
}

/// Stored names are written by hand: renaming a variant must not orphan history.
impl Event {
    /// The stored name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "tenant-created",
            Self::KeyAttributeSet { .. } => "key-attribute-set",
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
