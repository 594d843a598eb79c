//! What may be asked of an integration, and what is refused.
//!
//! Secrets come sealed, or as the wish to keep what is stored: what they are is never known here. That fields are of
//! the type's is checked where the request is read. Read next: [`Event`], [`Kind::needs`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Definition, Event, Kind, OnAmbiguous, Sealed};
use crate::aggregate::aggregate;
use crate::name;

/// The aggregate's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    /// The definition in force, if it is set up.
    pub definition: Option<Definition>,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
}

/// A secret as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// This one.
    New(Sealed),
    /// The one that is stored.
    Kept,
}

/// An integration as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// Human-friendly name; `None`: the one that it has.
    pub name: Option<String>,
    /// Whether reactions may use it.
    pub active: bool,
    /// The fields that are no secrets.
    pub fields: BTreeMap<String, String>,
    /// Those that are.
    pub secrets: BTreeMap<String, Secret>,
    /// Headers of a webhook.
    pub headers: BTreeMap<String, Secret>,
    /// What to do when nobody knows whether a send was done.
    pub on_ambiguous: OnAmbiguous,
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Set it up, or replace it.
    Set {
        /// Its type.
        kind: Kind,
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
        /// What it is to be.
        setting: Setting,
    },
    /// Delete it.
    Delete {
        /// Its type.
        kind: Kind,
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
    },
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not set up.
    #[error("the integration is not set up")]
    Missing,
    /// The client saw another version.
    #[error("the integration has changed: it is at version {0}")]
    Changed(u64),
    /// The name is empty or too long.
    #[error("a name has 1 to {} characters", name::MAX)]
    Name,
    /// Fields that have to be there are not.
    #[error("missing: {}", .0.join(", "))]
    Incomplete(Vec<&'static str>),
    /// There is nothing stored under these names that could be kept.
    #[error("nothing is stored that could be kept: {}", .0.join(", "))]
    NothingKept(Vec<String>),
    /// It is always there.
    #[error("the integration {} is always there", .0.name())]
    BuiltIn(Kind),
}

impl Integration {
    /// Decides: the events that the command yields; none if there is nothing to do.
    ///
    /// # Errors
    /// The rule that said no.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        match command {
            Command::Set { kind, expected, setting } => {
                self.seen(expected)?;
                let new = self.settled(kind, setting)?;
                Ok(if self.definition.as_ref() == Some(&new) { vec![] } else { vec![Event::Set(new)] })
            }
            Command::Delete { kind: Kind::Echo, .. } => Err(Error::BuiltIn(Kind::Echo)),
            Command::Delete { expected, .. } => {
                self.definition.as_ref().ok_or(Error::Missing)?;
                self.seen(expected)?;
                Ok(vec![Event::Deleted])
            }
        }
    }

    fn seen(&self, expected: Option<u64>) -> Result<(), Error> {
        match expected {
            Some(version) if version != self.version => Err(Error::Changed(self.version)),
            _ => Ok(()),
        }
    }

    /// What is asked for, with what is kept.
    fn settled(&self, kind: Kind, setting: Setting) -> Result<Definition, Error> {
        let old = self.definition.clone().unwrap_or_default();
        let Setting { name, active, fields, secrets, headers, on_ambiguous } = setting;
        if name.as_deref().is_some_and(|name| !name::is_valid(name)) {
            return Err(Error::Name);
        }
        let mut lost = Vec::new();
        let secrets = kept(secrets, &old.secrets, &mut lost);
        let headers = kept(headers, &old.headers, &mut lost);
        if !lost.is_empty() {
            return Err(Error::NothingKept(lost));
        }
        let missing = |needs: &&[&'static str]| -> Vec<&'static str> {
            let is_there = |name: &str| fields.contains_key(name) || secrets.contains_key(name);
            needs.iter().copied().filter(|name| !is_there(name)).collect()
        };
        // Of several ways to be complete, the one that is nearest is asked for.
        let least = kind.needs().iter().map(missing).min_by_key(Vec::len).unwrap_or_default();
        if !least.is_empty() {
            return Err(Error::Incomplete(least));
        }
        Ok(Definition { name: name.or(old.name), active, fields, secrets, headers, on_ambiguous })
    }

    fn evolve(&mut self, event: Event) {
        self.definition = match event {
            Event::Set(definition) => Some(definition),
            Event::Deleted => None,
        };
    }
}

fn kept(
    asked: BTreeMap<String, Secret>,
    stored: &BTreeMap<String, Sealed>,
    lost: &mut Vec<String>,
) -> BTreeMap<String, Sealed> {
    let mut secrets = BTreeMap::new();
    for (name, secret) in asked {
        let sealed = match secret {
            Secret::New(sealed) => Some(sealed),
            Secret::Kept => stored.get(&name).cloned(),
        };
        match sealed {
            Some(sealed) => drop(secrets.insert(name, sealed)),
            None => lost.push(name),
        }
    }
    secrets
}

aggregate!(Integration, "integration");

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Integration> {
        TestFramework::<Integration>::with(()).given(events)
    }

    fn sealed(text: &str) -> Sealed {
        Sealed(text.to_owned())
    }

    fn set(kind: Kind, fields: &[&str], secrets: &[(&str, Secret)]) -> Command {
        let fields = fields.iter().map(|name| (name.to_string(), "x".to_owned())).collect();
        let secrets = secrets.iter().map(|(name, secret)| (name.to_string(), secret.clone())).collect();
        let setting = Setting { active: true, fields, secrets, ..Setting::default() };
        Command::Set { kind, expected: None, setting }
    }

    fn twilio(password: &str) -> Event {
        Event::Set(Definition {
            active: true,
            fields: [("account".to_owned(), "x".to_owned())].into(),
            secrets: [("password".to_owned(), sealed(password))].into(),
            ..Definition::default()
        })
    }

    #[test]
    fn a_secret_that_is_written_back_masked_stays_and_nothing_is_an_event_if_nothing_changes() {
        let new = |text| set(Kind::Twilio, &["account"], &[("password", Secret::New(sealed(text)))]);
        let kept = || set(Kind::Twilio, &["account"], &[("password", Secret::Kept)]);
        given(vec![]).when(new("a")).then_expect_events(vec![twilio("a")]);
        given(vec![twilio("a")]).when(new("b")).then_expect_events(vec![twilio("b")]);
        given(vec![twilio("a"), twilio("b")]).when(kept()).then_expect_events(vec![]);
        let lost = Error::NothingKept(vec!["password".into()]);
        given(vec![]).when(kept()).then_expect_error(lost.clone());
        given(vec![twilio("a"), Event::Deleted]).when(kept()).then_expect_error(lost);
        given(vec![twilio("a"), Event::Deleted]).when(new("a")).then_expect_events(vec![twilio("a")]);
    }

    #[test]
    fn an_integration_that_is_not_complete_is_refused_with_what_it_lacks() {
        let new = || Secret::New(sealed("x"));
        for (command, missing) in [
            (set(Kind::Twilio, &[], &[]), vec!["account", "password"]),
            (set(Kind::Sendgrid, &[], &[("password", new())]), vec!["account"]),
            (set(Kind::Sendgrid, &["from"], &[]), vec!["api-key"]),
            (set(Kind::Sendgrid, &[], &[("api-key", new())]), vec![]),
            (set(Kind::UrbanAirship, &["account"], &[("password", new())]), vec![]),
            (set(Kind::Webhook, &[], &[]), vec!["url"]),
            (set(Kind::Webhook, &[], &[("secret", new())]), vec![]),
            (set(Kind::Generic, &[], &[]), vec![]),
            (
                set(Kind::Salesforce, &["username"], &[("password", new())]),
                vec!["secret-token", "consumer-key", "consumer-secret"],
            ),
        ] {
            let refusal = Integration::default().decide(command.clone()).err();
            let want = (!missing.is_empty()).then_some(Error::Incomplete(missing));
            assert_eq!(refusal, want, "{command:?}");
        }
    }

    #[test]
    fn an_integration_is_deleted_once_and_echo_never() {
        let delete = |kind, expected| Command::Delete { kind, expected };
        given(vec![twilio("a")]).when(delete(Kind::Twilio, Some(1))).then_expect_events(vec![Event::Deleted]);
        given(vec![twilio("a")]).when(delete(Kind::Twilio, Some(2))).then_expect_error(Error::Changed(1));
        given(vec![]).when(delete(Kind::Twilio, None)).then_expect_error(Error::Missing);
        given(vec![]).when(delete(Kind::Echo, None)).then_expect_error(Error::BuiltIn(Kind::Echo));
    }
}
