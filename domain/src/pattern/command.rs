//! What may be asked of a pattern, and what is refused.

use serde::{Deserialize, Serialize};

use super::event::{Definition, Event};
use crate::dsl::Limits;

/// The aggregate's state: the definition, if it exists; after a delete it never exists again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    /// The definition in force.
    pub definition: Option<Definition>,
    /// Whether it was deleted.
    pub deleted: bool,
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
        templates: std::collections::BTreeSet<crate::ids::TemplateId>,
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
        templates: std::collections::BTreeSet<crate::ids::TemplateId>,
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
    /// It is there already.
    #[error("the pattern is there already")]
    Exists,
    /// It is not there.
    #[error("no such pattern")]
    Missing,
    /// The client saw another version.
    #[error("the pattern has changed: it is at version {0}")]
    Changed(u64),
}

impl Pattern {
    /// Decides: the events that the command yields; none if there is nothing to do.
    ///
    /// # Errors
    /// The rule that said no.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        let _ = command;
        todo!("aggregates")
    }

    /// Evolves: takes in what happened.
    pub fn apply(&mut self, event: Event) {
        let _ = event;
        todo!("aggregates")
    }
}
