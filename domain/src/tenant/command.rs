//! What may be asked of a tenant, and what is refused.
//!
//! Whether the id is well-formed, and the uuid new, is checked before the command. Read next: [`Event`].

use serde::{Deserialize, Serialize};

use super::Event;
use crate::aggregate::aggregate;
use crate::name;

/// The aggregate's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// The attribute that tells customers apart, once it is set.
    pub key: Option<String>,
    /// How many events it has; 0: it does not exist.
    pub version: u64,
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make it.
    Create {
        /// Human-friendly name.
        name: String,
        /// Its other name in paths, lower-case hyphenated.
        uuid: String,
    },
    /// Say which attribute tells customers apart, for events from then on.
    SetKeyAttribute {
        /// The version that the client saw, if it said so.
        expected: Option<u64>,
        /// The attribute.
        key: String,
    },
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is there already.
    #[error("the tenant is there already")]
    Exists,
    /// It is not there.
    #[error("no such tenant")]
    Missing,
    /// The name is empty or too long.
    #[error("a name has 1 to {} characters", name::MAX)]
    Name,
    /// The key attribute is empty or too long.
    #[error("a key attribute has 1 to {} characters", name::MAX)]
    Key,
    /// The client saw another version.
    #[error("it has changed: it is at version \"{0}\"")]
    Changed(u64),
}

impl Tenant {
    /// Decides: the events that the command yields; none if there is nothing to do.
    ///
    /// # Errors
    /// The rule that said no.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        match command {
            Command::Create { .. } if self.version > 0 => Err(Error::Exists),
            Command::Create { name, .. } if !name::is_valid(&name) => Err(Error::Name),
            Command::Create { name, uuid } => Ok(vec![Event::Created { name, uuid }]),
            Command::SetKeyAttribute { .. } if self.version == 0 => Err(Error::Missing),
            Command::SetKeyAttribute { key, .. } if !name::is_valid(&key) => Err(Error::Key),
            Command::SetKeyAttribute { expected: Some(version), .. } if version != self.version => {
                Err(Error::Changed(self.version))
            }
            Command::SetKeyAttribute { key, .. } if self.key.as_ref() == Some(&key) => Ok(vec![]),
            Command::SetKeyAttribute { key, .. } => Ok(vec![Event::KeyAttributeSet { key }]),
        }
    }

    fn evolve(&mut self, event: Event) {
        match event {
            Event::Created { .. } => {}
            Event::KeyAttributeSet { key } => self.key = Some(key),
        }
    }
}

aggregate!(Tenant, "tenant");

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Tenant> {
        TestFramework::<Tenant>::with(()).given(events)
    }

    fn created() -> Event {
        Event::Created { name: "Acme".into(), uuid: "6ba7b810-9dad-11d1-80b4-00c04fd430c8".into() }
    }

    fn set(key: &str) -> (Command, Event) {
        (
            Command::SetKeyAttribute { expected: None, key: key.into() },
            Event::KeyAttributeSet { key: key.into() },
        )
    }

    #[test]
    fn a_tenant_is_made_once_and_under_a_valid_name() {
        let Event::Created { uuid, .. } = created() else { unreachable!() };
        let create = |name: &str| Command::Create { name: name.into(), uuid: uuid.clone() };
        given(vec![]).when(create("Acme")).then_expect_events(vec![created()]);
        given(vec![created()]).when(create("Acme")).then_expect_error(Error::Exists);
        given(vec![]).when(create("")).then_expect_error(Error::Name);
        given(vec![]).when(create(&"é".repeat(257))).then_expect_error(Error::Name);
        assert!(Tenant::default().decide(create(&"é".repeat(256))).is_ok());
    }

    #[test]
    fn the_key_attribute_of_a_tenant_is_set_anew_only_when_it_changes() {
        let (command, event) = set("email");
        given(vec![]).when(command.clone()).then_expect_error(Error::Missing);
        given(vec![created()]).when(command.clone()).then_expect_events(vec![event.clone()]);
        given(vec![created(), event.clone()]).when(command.clone()).then_expect_events(vec![]);
        given(vec![created(), event, set("phone").1]).when(command).then_expect_events(vec![set("email").1]);
        given(vec![created()]).when(set("").0).then_expect_error(Error::Key);
    }

    #[test]
    fn the_key_attribute_is_changed_only_from_the_version_that_the_client_saw() {
        let seen = |version| Command::SetKeyAttribute { expected: Some(version), key: "phone".into() };
        let history = || vec![created(), set("email").1];
        given(history()).when(seen(1)).then_expect_error(Error::Changed(2));
        given(history()).when(seen(2)).then_expect_events(vec![set("phone").1]);
    }
}
