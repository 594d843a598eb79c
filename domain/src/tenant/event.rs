//! What can have happened to a tenant.

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
