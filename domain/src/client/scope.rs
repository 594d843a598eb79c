//! What a token lets its bearer do (rest-api.md §3).

use serde::{Deserialize, Serialize};

/// One right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Read a tenant's things.
    #[serde(rename = "read")]
    Read,
    /// Change a tenant's things.
    #[serde(rename = "write")]
    Write,
    /// Send customer events.
    #[serde(rename = "events")]
    Events,
    /// Change integrations (the seed's MANAGE_ALL_PROVIDERS).
    #[serde(rename = "integrations:manage")]
    IntegrationsManage,
    /// See credentials in clear.
    #[serde(rename = "secrets")]
    Secrets,
    /// Make tenants and clients.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Write, Self::Events, Self::IntegrationsManage, Self::Secrets, Self::Admin];

    /// What a tenant's client has unless it is given less.
    pub const TENANT: [Self; 5] =
        [Self::Read, Self::Write, Self::Events, Self::IntegrationsManage, Self::Secrets];

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Events => "events",
            Self::IntegrationsManage => "integrations:manage",
            Self::Secrets => "secrets",
            Self::Admin => "admin",
        }
    }

    /// The scope of a word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}
