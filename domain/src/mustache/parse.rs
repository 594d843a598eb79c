//! Text → nodes, in one pass: each tag is found from where the one before it ended.

use std::ops::Range;

use super::{Error, MAX_DEPTH, MAX_SOURCE, Node};
use crate::dsl::Place;
use crate::dsl::diagnostic::readable;
use crate::ids::TemplateId;

/// The nodes, and where partials are named.
pub(super) fn parse(source: &str) -> Result<(Vec<Node>, Vec<Range<usize>>), Error> {
    if source.len() > MAX_SOURCE {
        return Err(error(source, MAX_SOURCE, format!("the template is longer than {MAX_SOURCE} bytes")));
    }
    let mut parser = Parser {
        source,
        at: 0,
        line_start: true,
        open: "{{".to_owned(),
        close: "}}".to_owned(),
        nodes: Vec::new(),
        partials: Vec::new(),
        sections: Vec::new(),
    };
    while let Some(found) = source[parser.at..].find(&parser.open) {
        let tag = parser.tag(parser.at + found)?;
        parser.take(tag)?;
    }
    parser.text(source.len());
    match parser.sections.pop() {
        None => Ok((parser.nodes, parser.partials)),
        Some(section) => {
            let sigil = if section.inverted { '^' } else { '#' };
            let message = format!("the section {{{{{sigil}{}}}}} is opened but never closed", section.name);
            Err(error(source, section.start, message))
        }
    }
}

fn error(source: &str, offset: usize, message: String) -> Error {
    let Place { line, column } = Place::of(source, offset);
    Error { message: readable(message), line, column }
}

struct Parser<'a> {
    source: &'a str,
    /// Up to where the source is taken in.
    at: usize,
    /// Whether nothing of the line at `at` is taken in yet.
    line_start: bool,
    open: String,
    close: String,
    /// The nodes of the innermost open section.
    nodes: Vec<Node>,
    /// Where partials are named.
    partials: Vec<Range<usize>>,
    /// The open sections, outermost first.
    sections: Vec<Open>,
}

struct Open {
    name: String,
    inverted: bool,
    start: usize,
    /// The nodes before it, of the section around it.
    before: Vec<Node>,
}

/// A tag: `sigil` is what kind, a blank for a plain variable.
struct Tag<'a> {
    start: usize,
    end: usize,
    sigil: char,
    content: &'a str,
}

impl<'a> Parser<'a> {
    /// Reads the tag whose opening delimiter is at `start`.
    fn tag(&self, start: usize) -> Result<Tag<'a>, Error> {
        let inside = start + self.open.len();
        let rest = &self.source[inside..];
        let body = rest.trim_start();
        let sigil = body.chars().next().filter(|c| "#^/>&!={".contains(*c)).unwrap_or(' ');
        let from = inside + (rest.len() - body.len()) + if sigil == ' ' { 0 } else { 1 };
        let close = match sigil {
            '{' => format!("}}{}", self.close),
            '=' => format!("={}", self.close),
            _ => self.close.clone(),
        };
        let Some(length) = self.source[from..].find(&close) else {
            let message = format!("the tag is never closed: expected {close:?}");
            return Err(error(self.source, start, message));
        };
        let end = from + length + close.len();
        Ok(Tag { start, end, sigil, content: self.source[from..from + length].trim() })
    }

    /// Takes in the text before a tag, and the tag.
    fn take(&mut self, tag: Tag<'a>) -> Result<(), Error> {
        let line = if matches!(tag.sigil, ' ' | '&' | '{') { None } else { self.line_of(&tag) };
        let indent = match line {
            Some((from, _)) => {
                self.text(from);
                &self.source[from..tag.start]
            }
            None => {
                self.text(tag.start);
                if !matches!(tag.sigil, '!' | '=') {
                    self.line();
                }
                ""
            }
        };
        self.line_start = line.is_some();
        self.at = line.map_or(tag.end, |(_, after)| after);
        match tag.sigil {
            '!' => {}
            '=' => self.delimiters(&tag)?,
            '#' | '^' => self.open_section(&tag)?,
            '/' => self.close_section(&tag)?,
            '>' => {
                let name = self.name(&tag)?;
                let id = TemplateId::from(name);
                // Its last word, before what closes it.
                let inside = &self.source[tag.start..tag.end - self.close.len()];
                let at = tag.start + inside.rfind(name).unwrap_or_default();
                self.partials.push(at..at + name.len());
                self.nodes.push(Node::Partial { id, indent: indent.to_owned() });
            }
            sigil => {
                let name = self.name(&tag)?.to_owned();
                self.nodes.push(Node::Variable { name, raw: sigil != ' ' });
            }
        }
        Ok(())
    }

    /// Where the tag's line starts and where the next one does, if nothing else but white space is on it. Each
    /// stretch of white space is looked at once from either side, so this is linear over all tags.
    fn line_of(&self, tag: &Tag<'_>) -> Option<(usize, usize)> {
        let before = self.source[..tag.start].trim_end_matches([' ', '\t']);
        let after = self.source[tag.end..].trim_start_matches([' ', '\t']);
        let ends = after.is_empty() || after.starts_with('\n') || after.starts_with("\r\n");
        if !ends || !(before.is_empty() || before.ends_with('\n')) {
            return None;
        }
        let rest = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n')).unwrap_or(after);
        Some((before.len(), self.source.len() - rest.len()))
    }

    /// Takes in the text up to `end`, line by line.
    fn text(&mut self, end: usize) {
        for piece in self.source[self.at..end].split_inclusive('\n') {
            self.line();
            self.nodes.push(Node::Text(piece.to_owned()));
            self.line_start = piece.ends_with('\n');
        }
        self.at = end;
    }

    /// Notes that a line begins, if one does.
    fn line(&mut self) {
        if std::mem::take(&mut self.line_start) {
            self.nodes.push(Node::Line);
        }
    }

    fn name(&self, tag: &Tag<'a>) -> Result<&'a str, Error> {
        let bad = |c: char| c.is_whitespace() || c == '{' || c == '}';
        match tag.content {
            "" => Err(error(self.source, tag.start, "the tag has no name".to_owned())),
            name if name.contains(bad) => {
                let shown: String = name.chars().take(40).collect();
                let message = format!("{shown:?} is not a name: white space and braces cannot be in one");
                Err(error(self.source, tag.start, message))
            }
            name => Ok(name),
        }
    }

    fn delimiters(&mut self, tag: &Tag<'_>) -> Result<(), Error> {
        let mut words = tag.content.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(open), Some(close), None) if !open.contains('=') && !close.contains('=') => {
                (self.open, self.close) = (open.to_owned(), close.to_owned());
                Ok(())
            }
            _ => {
                let message = "expected two delimiters, as in {{=<% %>=}}".to_owned();
                Err(error(self.source, tag.start, message))
            }
        }
    }

    fn open_section(&mut self, tag: &Tag<'a>) -> Result<(), Error> {
        if self.sections.len() == MAX_DEPTH {
            let message = format!("sections are nested more than {MAX_DEPTH} deep");
            return Err(error(self.source, tag.start, message));
        }
        let (name, inverted) = (self.name(tag)?.to_owned(), tag.sigil == '^');
        let before = std::mem::take(&mut self.nodes);
        self.sections.push(Open { name, inverted, start: tag.start, before });
        Ok(())
    }

    fn close_section(&mut self, tag: &Tag<'a>) -> Result<(), Error> {
        let name = self.name(tag)?;
        let Some(section) = self.sections.pop() else {
            let message = format!("{{{{/{name}}}}} closes a section that is not open");
            return Err(error(self.source, tag.start, message));
        };
        if section.name != name {
            let place = Place::of(self.source, section.start);
            let message = format!(
                "expected {{{{/{}}}}}, to close the section opened at line {}, column {}; found {{{{/{name}}}}}",
                section.name, place.line, place.column
            );
            return Err(error(self.source, tag.start, message));
        }
        let body = std::mem::replace(&mut self.nodes, section.before);
        self.nodes.push(Node::Section { name: section.name, inverted: section.inverted, body });
        Ok(())
    }
}
