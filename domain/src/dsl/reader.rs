//! Text → forms: what both languages share (when.md §1, then.md §1).
//!
//! Built on nom, iterative in depth, bounded by [`Limits`](super::Limits). It knows parentheses, braces, strings,
//! numbers and words; what a word means is the languages' business.

use super::{Diagnostic, Limits, Span};
use crate::json::Number;

/// A form and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// What it is.
    pub kind: FormKind,
    /// Where it stands; for a list from its opening to its closing parenthesis.
    pub span: Span,
}

/// What a form is.
#[derive(Clone, Debug, PartialEq)]
pub enum FormKind {
    /// `( … )`
    List(Vec<Form>),
    /// `{ … }` (then only): its forms in order, names and values in turn.
    Map(Vec<Form>),
    /// `"…"`, unescaped.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
    /// Any other word, as it stands: symbols, and for `then` also `*name*`, `$name`, `+TM1`, `:name`.
    Word(String),
}

/// Reads all forms of `source`.
///
/// # Errors
/// Every problem that can be told apart from the others, in the order of their places.
pub fn read(source: &str, limits: &Limits) -> Result<Vec<Form>, Vec<Diagnostic>> {
    let _ = (source, limits);
    todo!("languages")
}
