//! What is shown of an integration.

use domain::integration::{Definition, Kind};
use domain::time::Stamp;

/// An integration as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntegrationView {
    /// Its type.
    pub kind: Kind,
    /// The definition in force, secrets sealed.
    pub definition: Definition,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
    /// When it was set up.
    pub created: Stamp,
    /// By which client.
    pub created_by: Option<String>,
    /// When it was last replaced.
    pub updated: Stamp,
    /// By which client.
    pub updated_by: Option<String>,
}
