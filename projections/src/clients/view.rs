//! What is known of a client and of a token.

use domain::client::Scope;
use domain::ids::{ClientId, TenantId};
use domain::time::Stamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// A client that may use the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientView {
    /// Its id.
    pub id: ClientId,
    /// Human-friendly name.
    pub name: String,
    /// Argon2id hash of its secret, in PHC form: to verify with, never to show.
    pub secret_hash: String,
    /// What its tokens may do at most.
    pub scopes: Vec<Scope>,
    /// The tenants that it is bound to.
    pub tenants: Vec<TenantId>,
    /// When it was made.
    pub created: Stamp,
}

/// A token of a client that is still there. Whether it has expired is the caller's to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// Whose.
    pub client: ClientId,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The tenants that its client is bound to.
    pub tenants: Vec<TenantId>,
    /// Until when.
    pub expires: Stamp,
}

/// A list as it is stored.
pub(super) fn to_json<T: Serialize>(list: &[T]) -> Result<String, Error> {
    serde_json::to_string(list).map_err(|error| Error::Damaged(error.to_string()))
}

/// A stored list, read back.
pub(super) fn from_json<T: DeserializeOwned>(at: usize, row: &rusqlite::Row<'_>) -> rusqlite::Result<Vec<T>> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, Box::new(error))
    })
}
