//! Templates: a small, logic-less, bounded Mustache (then.md §2, design.md §5), held to the official
//! specification's tests.
//!
//! Parsing takes linear time; rendering is bounded in output, depth and work, so that no template and no
//! customer's data can hold up a server. There are no lambdas, and nothing is ever read from anywhere but the
//! arguments. What the specification leaves open: the empty string is false, the number 0 is true; a list or an
//! object prints as JSON; a name with dots is first looked for as it stands, as in the other languages; an unknown
//! partial is an error. Read next: [`parse`](Template::parse) in parse.rs, [`render`](Template::render) in
//! render.rs.

mod parse;
mod render;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::ids::TemplateId;
use crate::json::Object;

/// The longest source, in bytes.
pub const MAX_SOURCE: usize = 256 * 1024;
/// The longest output, in bytes.
pub const MAX_OUTPUT: usize = 256 * 1024;
/// How deep sections may be nested in one template, and partials in each other.
pub const MAX_DEPTH: usize = 16;
/// The most work of one rendering: parts visited, and members of objects looked at.
pub const MAX_WORK: usize = 4_000_000;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    nodes: Vec<Node>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// A line begins here: where a partial's indentation goes.
    Line,
    /// Text, as it stands.
    Text(String),
    /// `{{name}}`, or raw: `{{{name}}}` and `{{&name}}`.
    Variable { name: String, raw: bool },
    /// `{{#name}}…{{/name}}`, or inverted: `{{^name}}…{{/name}}`.
    Section { name: String, inverted: bool, body: Vec<Node> },
    /// `{{>id}}`, with the white space before it if it stands on a line of its own.
    Partial { id: TemplateId, indent: String },
}

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
        parse::parse(source).map(|(nodes, _)| Self { nodes })
    }

    /// Where a template's source names others as partials, in order.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn partials_in(source: &str) -> Result<Vec<Range<usize>>, Error> {
        parse::parse(source).map(|(_, partials)| partials)
    }

    /// The templates that it names as partials, each once.
    pub fn partials(&self) -> Vec<TemplateId> {
        fn collect(nodes: &[Node], into: &mut BTreeSet<TemplateId>) {
            for node in nodes {
                match node {
                    Node::Partial { id, .. } => {
                        into.insert(id.clone());
                    }
                    Node::Section { body, .. } => collect(body, into),
                    Node::Line | Node::Text(_) | Node::Variable { .. } => {}
                }
            }
        }
        let mut ids = BTreeSet::new();
        collect(&self.nodes, &mut ids);
        ids.into_iter().collect()
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
        render::render(self, layers, partials, escape)
    }
}

#[cfg(test)]
mod tests;
