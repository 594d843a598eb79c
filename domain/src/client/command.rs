//! What may be asked of a client, and what is refused.
//!
//! The secret is drawn and hashed before the command: no secret in clear ever gets here. Read next: [`Event`].

use serde::{Deserialize, Serialize};

use super::{Event, Scope};
use crate::aggregate::aggregate;
use crate::ids::TenantId;
use crate::name;

/// The aggregate's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Where it is in its life.
    pub life: Life,
    /// How many events it has.
    pub version: u64,
}

/// Where a client is in its life; a deleted one never comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// Not made yet.
    #[default]
    Unborn,
    /// In use.
    Active,
    /// Gone; its tokens died with it.
    Deleted,
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make it.
    Create {
        /// Human-friendly name.
        name: String,
        /// Argon2id hash of the secret, in PHC form.
        secret_hash: String,
        /// What its tokens may do at most.
        scopes: Vec<Scope>,
        /// The tenants that it is bound to.
        tenants: Vec<TenantId>,
    },
    /// Delete it, and with it every token that it was given.
    Delete,
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is in use, or was.
    #[error("the client is there already")]
    Exists,
    /// It is not there.
    #[error("no such client")]
    Missing,
    /// The name is empty or too long.
    #[error("a name has 1 to {} characters", name::MAX)]
    Name,
}

impl Client {
    /// Decides: the events that the command yields.
    ///
    /// # Errors
    /// The rule that said no.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        match (command, self.life) {
            (Command::Create { .. }, Life::Active | Life::Deleted) => Err(Error::Exists),
            (Command::Create { name, .. }, _) if !name::is_valid(&name) => Err(Error::Name),
            (Command::Create { name, secret_hash, scopes, tenants }, Life::Unborn) => {
                Ok(vec![Event::Created { name, secret_hash, scopes, tenants }])
            }
            (Command::Delete, Life::Active) => Ok(vec![Event::Deleted]),
            (Command::Delete, Life::Unborn | Life::Deleted) => Err(Error::Missing),
        }
    }

    fn evolve(&mut self, event: Event) {
        self.life = match event {
            Event::Created { .. } => Life::Active,
            Event::Deleted => Life::Deleted,
        };
    }
}

aggregate!(Client, "client");

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    #[test]
    fn a_client_is_made_once_deleted_once_and_never_comes_back() {
        let created = Event::Created {
            name: "Shop".into(),
            secret_hash: "$argon2id$…".into(),
            scopes: Scope::TENANT.to_vec(),
            tenants: vec!["acme".into()],
        };
        let create = |name: &str| Command::Create {
            name: name.into(),
            secret_hash: "$argon2id$…".into(),
            scopes: Scope::TENANT.to_vec(),
            tenants: vec!["acme".into()],
        };
        let given = |events| TestFramework::<Client>::with(()).given(events);
        given(vec![]).when(create("Shop")).then_expect_events(vec![created.clone()]);
        given(vec![]).when(create("")).then_expect_error(Error::Name);
        given(vec![created.clone()]).when(create("Shop")).then_expect_error(Error::Exists);
        given(vec![created.clone()]).when(Command::Delete).then_expect_events(vec![Event::Deleted]);
        given(vec![]).when(Command::Delete).then_expect_error(Error::Missing);
        given(vec![created.clone(), Event::Deleted]).when(Command::Delete).then_expect_error(Error::Missing);
        given(vec![created, Event::Deleted]).when(create("Shop")).then_expect_error(Error::Exists);
    }
}
