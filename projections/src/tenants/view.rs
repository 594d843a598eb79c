//! What is shown of a tenant.

use domain::ids::TenantId;
use domain::time::Stamp;

/// A tenant as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantView {
    /// Its id.
    pub id: TenantId,
    /// Its other name in paths, lower-case hyphenated.
    pub uuid: String,
    /// Human-friendly name.
    pub name: String,
    /// The attribute that tells its customers apart, once it is set.
    pub key_attribute: Option<String>,
    /// How many events it has.
    pub version: u64,
    /// When it was made.
    pub created: Stamp,
}
