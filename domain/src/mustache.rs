//! Templates: a small, logic-less, bounded Mustache (then.md §2, design.md §5).

use std::collections::BTreeMap;

use crate::ids::TemplateId;
use crate::json::Object;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {}

/// How values are escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// Not at all: SMS, echo, e-mail text, push alerts.
    None,
    /// As HTML, but for `{{{ }}}` and `{{& }}`.
    Html,
}

/// What is wrong with a template, and where (line and column from 1).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line}, column {column}")]
pub struct Error {
    /// What was found and expected.
    pub message: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Why a template could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The output, the depth or the work passed its bound.
    #[error("the template {0}")]
    Bound(&'static str),
    /// A partial names a template that is not there.
    #[error("the template {0} is not there")]
    Unknown(TemplateId),
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// What is not valid Mustache, or over the limits.
    pub fn parse(source: &str) -> Result<Self, Error> {
        let _ = source;
        todo!("mustache")
    }

    /// The templates that it names as partials.
    pub fn partials(&self) -> Vec<TemplateId> {
        todo!("mustache")
    }

    /// Renders with `layers` looked through from the last to the first for each name.
    ///
    /// # Errors
    /// Bounds passed, or an unknown partial.
    pub fn render(
        &self,
        layers: &[&Object],
        partials: &BTreeMap<TemplateId, Template>,
        escape: Escape,
    ) -> Result<String, RenderError> {
        let _ = (layers, partials, escape);
        todo!("mustache")
    }
}
