//! Whether a pattern may be enabled: both languages' checks, and the templates that its `then` names.
//!
//! Stores nothing and decides nothing: the aggregate refuses by it, the validate call of the API shows it.

use std::collections::BTreeSet;

use crate::dsl::then::Program;
use crate::dsl::when::When;
use crate::dsl::{Code, Diagnostic, Limits, Span, then, when};
use crate::ids::TemplateId;

/// Which part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// `when`
    When,
    /// `then`
    Then,
}

impl Field {
    /// The field's name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::When => "when",
            Self::Then => "then",
        }
    }
}

/// A field that does not stand the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Which.
    pub field: Field,
    /// Its text, to which the diagnostics' spans refer; empty if it is missing.
    pub source: String,
    /// All that is wrong with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The `when`, where it is valid.
    pub when: Option<When>,
    /// The `then`, where it is valid but perhaps for unknown templates.
    pub then: Option<Program>,
    /// The fields that are not valid; none: the pattern may be enabled.
    pub invalid: Vec<Invalid>,
}

/// Checks what a pattern needs to be enabled, against the templates that there are.
pub fn check(
    when: Option<&str>,
    then: Option<&str>,
    templates: &BTreeSet<TemplateId>,
    limits: &Limits,
) -> Checked {
    let mut invalid = Vec::new();
    let mut keep = |field, source: Option<&str>, diagnostics: Vec<Diagnostic>| {
        if !diagnostics.is_empty() {
            invalid.push(Invalid { field, source: source.unwrap_or_default().to_owned(), diagnostics });
        }
    };
    let (trigger, problems) = split(given(Field::When, when).and_then(|source| when::parse(source, limits)));
    keep(Field::When, when, problems);
    let (program, mut problems) =
        split(given(Field::Then, then).and_then(|source| then::parse(source, limits)));
    if let (Some(program), Some(source)) = (&program, then) {
        problems.extend(program.templates.difference(templates).map(|id| unknown(id, source)));
    }
    keep(Field::Then, then, problems);
    Checked { when: trigger, then: program, invalid }
}

fn given(field: Field, source: Option<&str>) -> Result<&str, Vec<Diagnostic>> {
    source.ok_or_else(|| {
        let message = format!("an enabled pattern needs a {:?}", field.name());
        vec![Diagnostic::new(Code::Syntax, Span::default(), message)]
    })
}

fn split<T>(result: Result<T, Vec<Diagnostic>>) -> (Option<T>, Vec<Diagnostic>) {
    match result {
        Ok(value) => (Some(value), Vec::new()),
        Err(diagnostics) => (None, diagnostics),
    }
}

fn unknown(id: &TemplateId, source: &str) -> Diagnostic {
    Diagnostic::new(Code::Template, place_of(id, source), format!("the template {id} is not there"))
}

/// Where a `then` names a template. A program keeps the templates' ids, not their places: the first word `+id` in the
/// source is the place.
pub fn place_of(id: &TemplateId, source: &str) -> Span {
    let word = format!("+{id}");
    source
        .match_indices(&word)
        .map(|(start, _)| Span::new(start, start + word.len()))
        .find(|span| !source[span.end..].starts_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_'))
        .unwrap_or_default()
}
