//! Pattern files: a JSON array of `{"id","when"}`.

use std::collections::HashSet;

use domain::dsl::when::{self, Trigger};
use domain::dsl::{Diagnostic, Limits};
use domain::json::{self, Json};

/// What is wrong with a pattern file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no JSON.
    #[error("not JSON: {0}")]
    Json(#[from] json::Error),
    /// It is not an array of objects with an `id` and a `when`.
    #[error("expected {expected}, found {found}")]
    Shape {
        /// What was expected, and where.
        expected: String,
        /// What was found.
        found: &'static str,
    },
    /// An id is given twice.
    #[error("the id {0:?} is given twice")]
    Duplicate(String),
    /// A `when` is not valid.
    #[error("the when of {id:?} is not valid")]
    When {
        /// Whose.
        id: String,
        /// Its text.
        source_text: String,
        /// What is wrong with it.
        diagnostics: Vec<Diagnostic>,
    },
}

/// Reads a pattern file. Further fields are ignored.
///
/// # Errors
/// The first thing that is wrong.
pub fn read(bytes: &[u8]) -> Result<Vec<(String, Trigger)>, Error> {
    let file = json::parse(bytes, json::Limits::STORED)?;
    let Some(elements) = file.as_array() else {
        return Err(Error::Shape { expected: "an array of patterns".into(), found: file.kind() });
    };
    let mut ids = HashSet::new();
    let mut patterns = Vec::with_capacity(elements.len());
    for (number, element) in (1..).zip(elements) {
        let id = text(element, "id", number)?;
        if !ids.insert(id) {
            return Err(Error::Duplicate(id.to_owned()));
        }
        let source = text(element, "when", number)?;
        let when = when::parse(source, &Limits::default()).map_err(|diagnostics| Error::When {
            id: id.to_owned(),
            source_text: source.to_owned(),
            diagnostics,
        })?;
        patterns.push((id.to_owned(), when.trigger));
    }
    Ok(patterns)
}

fn text<'a>(pattern: &'a Json, name: &str, number: usize) -> Result<&'a str, Error> {
    let value = pattern.get(name);
    value.and_then(Json::as_text).ok_or_else(|| Error::Shape {
        expected: format!("a string as {name:?} of pattern {number}"),
        found: match (pattern.as_object(), value) {
            (None, _) => pattern.kind(),
            (Some(_), None) => "nothing",
            (Some(_), Some(value)) => value.kind(),
        },
    })
}
