//! What is wrong with a program, where, and how to mend it.

use std::fmt::Write;

/// A stretch of the source, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The stretch from `start` up to `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// A line and a column (in characters), both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset in `source`.
    pub fn of(source: &str, offset: usize) -> Self {
        let mut offset = offset.min(source.len());
        while !source.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &source[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { line: 1 + before.matches('\n').count(), column: 1 + before[line_start..].chars().count() }
    }
}

/// Stable codes of diagnostics: never renumbered, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Code {
    /// The text does not read as forms: parentheses, strings, numbers, words.
    Syntax = 1,
    /// A limit of the language is passed.
    Limit = 2,
    /// A word that is not known here.
    UnknownWord = 3,
    /// A form has the wrong number or kind of parts.
    Shape = 4,
    /// `fail` stands where it has no meaning.
    MisplacedFail = 5,
    /// A comparison without an attribute, or otherwise without sense.
    Operand = 6,
    /// An endpoint, verb or parameter that is not known.
    Endpoint = 7,
    /// A template that is not there.
    Template = 8,
    /// Warning: valid, but perhaps not what was meant.
    Suspicious = 100,
    /// Warning: no window bounds what this pattern holds.
    Unbounded = 101,
    /// Warning: a parameter that could still come from elsewhere is missing.
    MissingParameter = 102,
    /// Warning: a secret in a program.
    Secret = 103,
}

impl Code {
    /// Whether this only warns.
    pub fn is_warning(self) -> bool {
        self as u16 >= 100
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem.
    pub code: Code,
    /// Where in the source.
    pub span: Span,
    /// What was found and what was expected.
    pub message: String,
    /// How to mend it, where there is something to say.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A problem without a hint.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: readable(message.into()), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(readable(hint.into()));
        self
    }

    /// Line, column and a caret under the place, as a person reads it:
    ///
    /// ```text
    /// line 1, column 2: unknown word "cuont"; did you mean "count"?
    ///   (cuont 2 (event (= a 1)))
    ///    ^
    /// ```
    pub fn render(&self, source: &str) -> String {
        let place = Place::of(source, self.span.start);
        let mut out = format!("line {}, column {}: {}", place.line, place.column, self.message);
        if let Some(hint) = &self.hint {
            let _ = write!(out, "; {hint}");
        }
        let line = source.split('\n').nth(place.line - 1).unwrap_or("");
        // A long line is shown from a little before the place, so that the caret can be seen.
        let skip = place.column.saturating_sub(60);
        let shown: String =
            line.chars().skip(skip).take(100).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = write!(out, "\n  {shown}\n  {}^", " ".repeat(place.column - 1 - skip));
        out
    }
}

/// The most characters of a message or a hint: some name what was written, which may be as long as the source.
const LONGEST: usize = 500;

/// A text that is not too long to be read.
pub(crate) fn readable(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// No more problems than this are collected for one program: rendering each costs a pass over it.
pub(super) const MOST: usize = 20;

/// `text` in quotes, cut where it is too long to be read.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}", format!("{}…", &text[..end])),
        None => format!("{text:?}"),
    }
}

/// The known word nearest to a mistyped one, if one is near enough (Damerau's distance: swaps count once).
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.chars().count() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    let known: Vec<&str> = known.into_iter().collect();
    // `==` is meant to be `=`, as other languages write it: nearer than what differs in a letter.
    let doubled = |candidate: &&&str| !candidate.is_empty() && lower == candidate.repeat(2);
    if let Some(single) = known.iter().find(doubled) {
        return Some(single);
    }
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 5 && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a[i - 1] != b[j - 1]);
                let mut least = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + same);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    least = least.min(rows[i - 2][j - 2] + 1);
                }
                least
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_the_place() {
        let source = "(seq\n  (évent (= a 1)))";
        let at = source.find("évent").unwrap();
        let text = Diagnostic::new(Code::UnknownWord, Span::new(at, at + 6), "unknown word").render(source);
        assert_eq!(text, "line 2, column 4: unknown word\n    (évent (= a 1)))\n     ^");
    }

    #[test]
    fn the_nearest_word_is_found() {
        assert_eq!(nearest("cuont", ["count", "seq"]), Some("count"));
        assert_eq!(nearest("evnt", ["event", "seq"]), Some("event"));
        assert_eq!(nearest("==", ["!=", ">=", "="]), Some("="));
        assert_eq!(nearest("<<", ["=", "<=", "<"]), Some("<"));
        assert_eq!(nearest("zzz", ["event", "seq"]), None);
    }
}
