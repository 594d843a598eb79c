//! Lines of JSON read lazily: each is checked in full in one pass, and only where wanted members lie is noted.
//!
//! Nothing is built, copied or unescaped until it is asked for. What is taken and what is refused is what
//! `parse` takes and refuses with [`Limits::STORED`](super::Limits::STORED); a property test holds
//! the two together. Nearly every line has the names of the line before it, in the same order: which name comes next
//! is guessed, and a right guess costs a comparison of words. Read next: `cursor`, `token`.

mod cursor;
#[cfg(test)]
mod tests;
mod token;

use std::borrow::Cow;

use rustc_hash::FxHashMap;

use super::{Json, Limits, parse};
use crate::value::{Attributes, Value};
use cursor::{byte, members, name, space, value};
use token::{FIRST, Tokens};

/// How deep values may nest: as deep as [`Limits::STORED`] allows.
const DEPTH: usize = Limits::STORED.depth;

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A string without escapes.
    Plain,
    /// A string with escapes.
    Escaped,
    Number,
    True,
    False,
    Null,
    Object,
    Array,
}

/// Where in the text a value lies; a string without escapes without its quotes.
#[derive(Clone, Copy, Debug)]
struct Place {
    kind: Kind,
    from: usize,
    to: usize,
}

/// Reads lines, and knows which attributes are wanted of them.
#[derive(Debug)]
pub struct Scanner {
    wanted: Vec<Wanted>,
    /// How many of them stand before those that are counted by [`Attributes::attribute_at`].
    before: usize,
    /// Wanted attributes by name, if there are too many to look at each.
    by_name: FxHashMap<Box<str>, usize>,
    tokens: Tokens,
    /// The members that may be asked for, of the line that was read last.
    found: Vec<Option<Place>>,
}

/// An attribute that may be asked for.
#[derive(Debug)]
struct Wanted {
    name: Box<str>,
    /// Its place among the members.
    whole: usize,
    /// For a name with dots: the place of its first part.
    root: Option<usize>,
}

/// Up to so many names are compared one by one.
const FEW: usize = 8;

impl Scanner {
    /// A scanner for lines of which these attributes may be asked for; dotted paths included.
    pub fn new<'n>(attributes: impl IntoIterator<Item = &'n str>) -> Self {
        Self::with(std::iter::empty(), attributes)
    }

    /// As [`Self::new`], with some attributes more that stand before them.
    pub fn with<'n>(
        before: impl IntoIterator<Item = &'n str>,
        attributes: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let mut members: FxHashMap<&str, usize> = FxHashMap::default();
        let mut wanted: Vec<Wanted> = Vec::new();
        let before: Vec<&str> = before.into_iter().collect();
        let mut standing_before = 0;
        let count = before.len();
        for (number, name) in before.into_iter().chain(attributes).enumerate() {
            if number == count {
                standing_before = wanted.len();
            }
            if wanted.iter().any(|known| *known.name == *name) {
                continue;
            }
            let mut member = |name| {
                let next = members.len();
                *members.entry(name).or_insert(next)
            };
            let whole = member(name);
            let root = name.split_once('.').map(|(root, _)| member(root));
            wanted.push(Wanted { name: name.into(), whole, root });
        }
        let by_name = match wanted.len() > FEW {
            true => (0..).zip(&wanted).map(|(place, wanted)| (wanted.name.clone(), place)).collect(),
            false => FxHashMap::default(),
        };
        Self {
            wanted,
            before: standing_before,
            by_name,
            found: vec![None; members.len()],
            tokens: Tokens::new(members),
        }
    }

    /// Reads the line that begins at `from`: an object. Returns where it ends, which is at its line feed or at the
    /// end of the text; `None` if it is not the JSON text of an object.
    pub fn line(&mut self, text: &str, from: usize) -> Option<usize> {
        let bytes = text.as_bytes();
        self.found.fill(None);
        let open = space(bytes, from);
        if byte(bytes, open) != b'{' {
            return None;
        }
        let mut at = space(bytes, open + 1);
        let mut last = FIRST;
        let close = match byte(bytes, at) {
            b'}' => at,
            _ => loop {
                let (member, from) = match self.tokens.guess(last, bytes, at) {
                    Some((token, member, end)) => {
                        last = token;
                        (member, space(bytes, end))
                    }
                    None => {
                        let (kind, name_end, from) = name(bytes, at)?;
                        last = self.tokens.learn(last, &unquoted(kind, text.get(at..name_end)?), kind);
                        (self.tokens.member(last), from)
                    }
                };
                let (kind, end) = value(bytes, from, 1)?;
                if let Some(found) = member.and_then(|member| self.found.get_mut(member)) {
                    *found = Some(Place::new(kind, from, end));
                }
                at = space(bytes, end);
                match byte(bytes, at) {
                    b',' => at = space(bytes, at + 1),
                    b'}' => break at,
                    _ => return None,
                }
            },
        };
        let end = space(bytes, close + 1);
        (end == bytes.len() || byte(bytes, end) == b'\n').then_some(end)
    }

    /// The line that was read last, of the same text.
    pub fn event<'a>(&'a self, text: &'a str) -> Event<'a> {
        Event { scanner: self, text }
    }

    fn wanted(&self, name: &str) -> Option<&Wanted> {
        if self.by_name.is_empty() {
            return self.wanted.iter().find(|wanted| *wanted.name == *name);
        }
        self.wanted.get(*self.by_name.get(name)?)
    }

    fn found(&self, member: usize) -> Option<Place> {
        self.found.get(member).copied().flatten()
    }
}

/// A line that was taken. Attributes that its scanner was not made for are not there.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    scanner: &'a Scanner,
    text: &'a str,
}

impl<'a> Event<'a> {
    /// The attribute that was given to [`Scanner::new`] in this place, if no name was given twice up to there.
    pub fn nth(&self, place: usize) -> Option<Value<'a>> {
        self.shown(self.scanner.wanted.get(place)?)
    }

    fn shown(&self, wanted: &Wanted) -> Option<Value<'a>> {
        if let Some(whole) = self.scanner.found(wanted.whole) {
            return Some(shown(self.text, whole));
        }
        let mut place = self.scanner.found(wanted.root?)?;
        for part in wanted.name.split('.').skip(1) {
            place = member(self.text, place, part)?;
        }
        Some(shown(self.text, place))
    }
}

impl Attributes for Event<'_> {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        self.shown(self.scanner.wanted(name)?)
    }

    #[inline]
    fn attribute_at(&self, place: usize, name: &str) -> Option<Value<'_>> {
        match self.scanner.wanted.get(self.scanner.before + place) {
            Some(wanted) if *wanted.name == *name => self.shown(wanted),
            _ => self.attribute(name),
        }
    }
}

/// The member of an object, the last if there are several.
fn member(text: &str, object: Place, part: &str) -> Option<Place> {
    if object.kind != Kind::Object {
        return None;
    }
    let mut found = None;
    members(text.as_bytes(), object.from, 1, |member| {
        let (kind, from, to) = member.name;
        if text.get(from..to).is_some_and(|quoted| unquoted(kind, quoted) == part) {
            let (kind, from, to) = member.value;
            found = Some(Place::new(kind, from, to));
        }
    })?;
    found
}

impl Place {
    #[inline]
    fn new(kind: Kind, from: usize, to: usize) -> Self {
        let quote = usize::from(kind == Kind::Plain);
        Self { kind, from: from + quote, to: to - quote }
    }
}

fn shown(text: &str, place: Place) -> Value<'_> {
    let text = text.get(place.from..place.to).unwrap_or_default();
    match place.kind {
        Kind::Plain => Value::Text(Cow::Borrowed(text)),
        Kind::Escaped => Value::Text(unquoted(place.kind, text)),
        Kind::Number => Value::Number(text),
        Kind::True => Value::Bool(true),
        Kind::False => Value::Bool(false),
        Kind::Null => Value::Null,
        Kind::Object | Kind::Array => Value::Compound(Cow::Owned(tree(text))),
    }
}

/// What a string between its quotes says.
fn unquoted(kind: Kind, quoted: &str) -> Cow<'_, str> {
    match (kind, tree_of(kind, quoted)) {
        (Kind::Escaped, Some(Json::Text(text))) => Cow::Owned(text),
        _ => Cow::Borrowed(quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default()),
    }
}

fn tree_of(kind: Kind, text: &str) -> Option<Json> {
    (kind == Kind::Escaped).then(|| tree(text))
}

/// A value as a tree; it has been checked.
fn tree(text: &str) -> Json {
    parse(text.as_bytes(), Limits::STORED).unwrap_or_default()
}
