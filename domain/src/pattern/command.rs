//! What may be asked of a pattern, and what is refused.
//!
//! Which templates there are is looked up before the command. Read next: [`check`](super::check()), [`Event`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::check::{Invalid, check};
use super::event::{Definition, Event};
use crate::aggregate::aggregate;
use crate::dsl::{Limits, when};
use crate::ids::TemplateId;
use crate::name;

/// The aggregate's state: the definition, if it exists; after a delete it never exists again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// The definition in force.
    pub definition: Option<Definition>,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
}

/// A change of one field: left alone, cleared, or set.
pub type Change<T> = Option<Option<T>>;

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make it.
    Create {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// Whether to enable it.
        status: bool,
        /// Its `when`.
        when: Option<String>,
        /// Its `then`.
        then: Option<String>,
        /// The templates that there are, to check `then` against.
        templates: BTreeSet<TemplateId>,
        /// Limits of the languages.
        limits: Limits,
    },
    /// Change what is named.
    Update {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
        /// New name.
        name: Option<String>,
        /// New description.
        description: Change<String>,
        /// New status.
        status: Option<bool>,
        /// New `when`.
        when: Change<String>,
        /// New `then`.
        then: Change<String>,
        /// The templates that there are.
        templates: BTreeSet<TemplateId>,
        /// Limits of the languages.
        limits: Limits,
    },
    /// Delete it.
    Delete {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
    },
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is in use, or was.
    #[error("the pattern is there already")]
    Exists,
    /// It is not there.
    #[error("no such pattern")]
    Missing,
    /// The client saw another version.
    #[error("the pattern has changed: it is at version {0}")]
    Changed(u64),
    /// The name is empty or too long.
    #[error("a name has 1 to {} characters", name::MAX)]
    Name,
    /// It cannot be enabled, or stay so, as it would be.
    #[error("an enabled pattern needs a valid when and then")]
    Invalid(Vec<Invalid>),
}

impl Pattern {
    /// Decides: the events that the command yields; none if there is nothing to do.
    ///
    /// # Errors
    /// The rule that said no.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        match command {
            Command::Create { .. } if self.version > 0 => Err(Error::Exists),
            Command::Create { name, description, status, when, then, templates, limits } => {
                let new = Definition { name, description, status, when, then, version: 0 };
                Ok(vec![Event::Created(settled(None, new, &templates, &limits)?)])
            }
            Command::Update { expected, name, description, status, when, then, templates, limits } => {
                let old = self.seen(expected)?;
                let new = Definition {
                    name: name.unwrap_or_else(|| old.name.clone()),
                    description: description.unwrap_or_else(|| old.description.clone()),
                    status: status.unwrap_or(old.status),
                    when: when.unwrap_or_else(|| old.when.clone()),
                    then: then.unwrap_or_else(|| old.then.clone()),
                    version: old.version,
                };
                let new = settled(Some(old), new, &templates, &limits)?;
                Ok(if new == *old { vec![] } else { vec![Event::Updated(new)] })
            }
            Command::Delete { expected } => self.seen(expected).map(|_| vec![Event::Deleted]),
        }
    }

    fn evolve(&mut self, event: Event) {
        self.definition = match event {
            Event::Created(definition) | Event::Updated(definition) => Some(definition),
            Event::Deleted => None,
        };
    }
}

/// `new` as it may be stored: checked where it is enabled, its version risen where matching starts afresh.
fn settled(
    old: Option<&Definition>,
    mut new: Definition,
    templates: &BTreeSet<TemplateId>,
    limits: &Limits,
) -> Result<Definition, Error> {
    if !name::is_valid(&new.name) {
        return Err(Error::Name);
    }
    let running = old.filter(|old| old.status);
    // What runs already was checked when it was enabled: a new name must not fail on limits that were lowered since.
    let untouched = running.is_some_and(|old| old.when == new.when && old.then == new.then);
    if !new.status || untouched {
        return Ok(new);
    }
    let checked = check(new.when.as_deref(), new.then.as_deref(), templates, limits);
    if !checked.invalid.is_empty() {
        return Err(Error::Invalid(checked.invalid));
    }
    let before = running.and_then(|old| canonical(old.when.as_deref()?, limits));
    if before.is_none() || before != checked.when.map(|when| when.trigger.to_string()) {
        new.version = new.version.saturating_add(1);
    }
    Ok(new)
}

/// The canonical form of a `when`; none if it is not valid by today's limits, and so equal to no other.
fn canonical(source: &str, limits: &Limits) -> Option<String> {
    when::parse(source, limits).ok().map(|when| when.trigger.to_string())
}

aggregate!(Pattern, "pattern", Definition);

#[cfg(test)]
mod tests;
