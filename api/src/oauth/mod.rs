//! Who may ask: OAuth 2.0 client credentials (RFC 6749 §4.4) and the bearer tokens that they give.
//!
//! Reading order: [`request`] (what a token request says), [`secret`] (secrets and their hashes, slow on purpose),
//! [`throttle`] (guessing), [`bearer`] (what a token lets its bearer do). The handler is in `http::token`.

use domain::client::{Client, Command, Error, Scope};
use domain::ids::{ClientId, TenantId};
use eventlog::aggregates::{CommandError, Commands, Committed};
use eventlog::record::{Metadata, StreamId, StreamKind};

pub mod bearer;
pub mod request;
pub mod secret;
pub mod throttle;

/// Why the first admin could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The secret could not be hashed.
    #[error("the secret cannot be hashed: {0}")]
    Hash(String),
    /// The client could not be made.
    #[error(transparent)]
    Command(#[from] CommandError<Error>),
}

/// Makes an admin client that is bound to no tenant, for the first start. Takes tens of milliseconds.
///
/// # Errors
/// The id is, or was, in use; the record's.
pub async fn make_admin(commands: &Commands, id: &ClientId, secret: &str) -> Result<Committed, AdminError> {
    let secret_hash = secret::hash_now(secret).map_err(AdminError::Hash)?;
    let command =
        Command::Create { name: "admin".into(), secret_hash, scopes: vec![Scope::Admin], tenants: vec![] };
    let stream = StreamId::new(&TenantId::from(""), StreamKind::Client, id.as_str());
    Ok(commands.execute::<Client>(stream, command, Metadata::default()).await?)
}
