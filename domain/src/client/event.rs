//! What can have happened to a client, and the issue of a token (a stream of its own).

use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::Scope;
use crate::ids::{ClientId, TenantId};
use crate::time::Stamp;

/// Something that happened to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// `client-created`
    Created {
        /// Human-friendly name.
        name: String,
        /// Argon2id hash of the secret, in PHC form.
        secret_hash: String,
        /// What its tokens may do at most.
        scopes: Vec<Scope>,
        /// The tenants that it is bound to.
        tenants: Vec<TenantId>,
    },
    /// `client-deleted`
    Deleted,
}

/// `token-issued`: the only event of a token's stream, whose id is the token's SHA-256 as hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TokenIssued {
    /// To whom.
    pub client: ClientId,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Until when.
    pub expires: Stamp,
}

/// Stored names are written by hand: renaming a variant must not orphan history.
impl Event {
    /// The stored name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "client-created",
            Self::Deleted => "client-deleted",
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

impl TokenIssued {
    /// The stored name.
    pub const TYPE: &'static str = "token-issued";
}
