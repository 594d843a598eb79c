//! Nodes and values → text. The bounds are checked while writing, so that a bomb costs no more than they allow.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::{Escape, MAX_DEPTH, MAX_OUTPUT, MAX_WORK, Node, RenderError, Template};
use crate::ids::TemplateId;
use crate::json::{Json, Object};

pub(super) fn render(
    template: &Template,
    layers: &[&Object],
    partials: &BTreeMap<TemplateId, Template>,
    escape: Escape,
) -> Result<String, RenderError> {
    let scopes = layers.iter().map(|layer| Scope::Object(layer)).collect();
    let mut renderer = Renderer { partials, escape, scopes, work: 0, out: Out(String::new()) };
    renderer.nodes(&template.nodes, "", 0)?;
    Ok(renderer.out.0)
}

/// What names are looked up in.
#[derive(Clone, Copy)]
enum Scope<'a> {
    /// A layer of the context.
    Object(&'a Object),
    /// The value of a section.
    Value(&'a Json),
}

struct Renderer<'a> {
    partials: &'a BTreeMap<TemplateId, Template>,
    escape: Escape,
    scopes: Vec<Scope<'a>>,
    work: usize,
    out: Out,
}

impl<'a> Renderer<'a> {
    fn nodes(&mut self, nodes: &'a [Node], indent: &str, depth: usize) -> Result<(), RenderError> {
        nodes.iter().try_for_each(|node| self.node(node, indent, depth))
    }

    fn node(&mut self, node: &'a Node, indent: &str, depth: usize) -> Result<(), RenderError> {
        self.toil(1)?;
        match node {
            Node::Line => written(self.out.write_str(indent)),
            Node::Text(text) => written(self.out.write_str(text)),
            Node::Variable { name, raw } => {
                let value = self.find(name)?;
                self.value(value, *raw)
            }
            Node::Section { name, inverted, body } => {
                let value = self.find(name)?.filter(|value| is_true(value));
                match value {
                    None if *inverted => self.nodes(body, indent, depth),
                    None => Ok(()),
                    Some(_) if *inverted => Ok(()),
                    Some(Json::Array(elements)) => {
                        elements.iter().try_for_each(|element| self.within(element, body, indent, depth))
                    }
                    Some(value) => self.within(value, body, indent, depth),
                }
            }
            Node::Partial { id, indent: more } => {
                let partial = self.partials.get(id).ok_or_else(|| RenderError::Unknown(id.clone()))?;
                if depth == MAX_DEPTH {
                    return Err(RenderError::Bound("names partials that are nested too deep"));
                }
                self.nodes(&partial.nodes, &format!("{indent}{more}"), depth + 1)
            }
        }
    }

    /// Renders a section's body with `value` as the innermost scope.
    fn within(
        &mut self,
        value: &'a Json,
        body: &'a [Node],
        indent: &str,
        depth: usize,
    ) -> Result<(), RenderError> {
        self.toil(1)?;
        self.scopes.push(Scope::Value(value));
        let done = self.nodes(body, indent, depth);
        self.scopes.pop();
        done
    }

    fn value(&mut self, value: Option<&Json>, raw: bool) -> Result<(), RenderError> {
        let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(()) };
        let out = &mut self.out;
        written(match (value, self.escape == Escape::Html && !raw) {
            (Json::Text(text), true) => Escaped(out).write_str(text),
            (Json::Text(text), false) => out.write_str(text),
            (value, true) => write!(Escaped(out), "{value}"),
            (value, false) => write!(out, "{value}"),
        })
    }

    /// The value of a name: in the innermost scope that has the whole name or its first part; from there on only
    /// inward.
    fn find(&mut self, name: &str) -> Result<Option<&'a Json>, RenderError> {
        if name == "." {
            return Ok(match self.scopes.last() {
                Some(Scope::Value(value)) => Some(value),
                Some(Scope::Object(_)) | None => None,
            });
        }
        for at in (0..self.scopes.len()).rev() {
            let object = match self.scopes[at] {
                Scope::Object(object) | Scope::Value(Json::Object(object)) => object,
                Scope::Value(_) => continue,
            };
            self.toil(object.len())?;
            if let Some(value) = object.get(name) {
                return Ok(Some(value));
            }
            let Some((first, rest)) = name.split_once('.') else { continue };
            self.toil(object.len())?;
            if let Some(value) = object.get(first) {
                return self.walk(value, rest);
            }
        }
        Ok(None)
    }

    fn walk(&mut self, mut value: &'a Json, path: &str) -> Result<Option<&'a Json>, RenderError> {
        for part in path.split('.') {
            let Some(object) = value.as_object() else { return Ok(None) };
            self.toil(object.len())?;
            let Some(inner) = object.get(part) else { return Ok(None) };
            value = inner;
        }
        Ok(Some(value))
    }

    fn toil(&mut self, work: usize) -> Result<(), RenderError> {
        self.work = self.work.saturating_add(work);
        if self.work > MAX_WORK { Err(RenderError::Bound("takes too much work")) } else { Ok(()) }
    }
}

fn is_true(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::Text(text) => !text.is_empty(),
        Json::Array(elements) => !elements.is_empty(),
        Json::Bool(true) | Json::Number(_) | Json::Object(_) => true,
    }
}

/// Output that refuses to grow beyond its bound: the only way in which writing fails.
struct Out(String);

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_OUTPUT {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// Output escaped as HTML.
struct Escaped<'a>(&'a mut Out);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            let entity = match byte {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                b'\'' => "&#39;",
                _ => continue,
            };
            self.0.write_str(&text[plain..at])?;
            self.0.write_str(entity)?;
            plain = at + 1;
        }
        self.0.write_str(&text[plain..])
    }
}

fn written(result: fmt::Result) -> Result<(), RenderError> {
    result.map_err(|fmt::Error| RenderError::Bound("writes more than 256 KiB"))
}
