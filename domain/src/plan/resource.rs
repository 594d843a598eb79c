//! What the four sorts of things that have numbers and names have in common.

use cqrs_es::Aggregate;

use super::names::Names;
use super::steps::Fields;
use crate::dsl::{Diagnostic, Limits, Place};

/// Something that would be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of what: `patterns/abandoned-cart`.
    pub place: String,
    /// Which of its fields; empty: the whole of it.
    pub field: String,
    /// Line and column in the field's text, where it is one of a language.
    pub at: Option<(usize, usize)>,
    /// Why.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

/// What is wrong with a field, before it is known whose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which field.
    pub field: String,
    /// Where in it.
    pub at: Option<(usize, usize)>,
    /// What.
    pub message: String,
    /// How to mend it.
    pub hint: Option<String>,
}

impl Found {
    pub(super) fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), at: None, message: message.into(), hint: None }
    }

    pub(super) fn diagnostic(field: &str, source: &str, diagnostic: &Diagnostic) -> Self {
        let Place { line, column } = Place::of(source, diagnostic.span.start);
        let Diagnostic { message, hint, .. } = diagnostic.clone();
        Self { field: field.to_owned(), at: Some((line, column)), message, hint }
    }

    /// The same, of that thing.
    pub(super) fn of(self, place: &str) -> Refusal {
        let Self { field, at, message, hint } = self;
        Refusal { place: place.to_owned(), field, at, message, hint }
    }
}

/// What a definition is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Limits of the languages.
    pub(super) limits: &'a Limits,
    /// The templates as they are.
    pub(super) before: &'a Names,
    /// And as they will be.
    pub(super) after: &'a Names,
}

/// An aggregate with a number, whose definition has a name.
pub trait Resource: Aggregate + Clone {
    /// What it is called.
    const WORD: &'static str;
    /// What several are called: a folder's name.
    const FOLDER: &'static str;
    /// What stands before its number.
    const PREFIX: &'static str;
    /// Its definition.
    type Definition: Clone;

    /// The definition in force, if it is there.
    fn definition(&self) -> Option<&Self::Definition>;
    /// How many events it has.
    fn version(&self) -> u64;
    /// The name.
    fn name(definition: &Self::Definition) -> &str;
    /// The definition with handles in place of ids.
    fn described(definition: &Self::Definition, names: &Names) -> Self::Definition;
    /// Its fields, as a person sees them.
    fn fields(described: &Self::Definition) -> Fields;
    /// The events that make it, or make it so.
    ///
    /// # Errors
    /// What is refused.
    fn made(&self, wanted: &Self::Definition, around: &Around<'_>) -> Result<Vec<Self::Event>, Vec<Found>>;
    /// The event that deletes it.
    fn deleted() -> Self::Event;
}
