//! Reading JSON: RFC 8259 in full, bounded in depth, with the place of whatever is wrong.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Json, Number, Object};

/// What to do with a name that is given twice in one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// It is an error, at the second one.
    Refuse,
    /// The last one counts.
    LastCounts,
}

/// What is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How deep arrays and objects may nest; the outermost is level 1.
    pub depth: usize,
    /// What a name given twice means.
    pub duplicates: Duplicates,
}

impl Limits {
    /// For bodies of requests.
    pub const BODY: Self = Self { depth: 64, duplicates: Duplicates::Refuse };
    /// For customer events (rest-api.md §4).
    pub const EVENT: Self = Self { depth: 32, duplicates: Duplicates::Refuse };
    /// For what this system wrote itself.
    pub const STORED: Self = Self { depth: 192, duplicates: Duplicates::LastCounts };
}

/// What is wrong, and where; lines and columns (in characters) count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at line {line}, column {column}")]
pub struct Error {
    /// What was found and what was expected.
    pub message: String,
    /// Offset in bytes from the start.
    pub offset: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// Reads one JSON text.
///
/// # Errors
/// What is not JSON, nests too deep, or names a member twice where that is refused.
pub fn parse(input: &[u8], limits: Limits) -> Result<Json, Error> {
    let mut reader = Reader { input, at: 0, limits, depth: 0 };
    let result = reader.document();
    result.map_err(|(offset, message)| {
        let before = &input[..offset.min(input.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        Error {
            message,
            offset,
            line: 1 + before.iter().filter(|&&b| b == b'\n').count(),
            column: 1 + String::from_utf8_lossy(&before[line_start..]).chars().count(),
        }
    })
}

type Fault = (usize, String);

struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    limits: Limits,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Json, Fault> {
        let value = self.value()?;
        self.space();
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &str) -> Fault {
        let found = match self.input.get(self.at..) {
            None | Some([]) => "the end".to_owned(),
            Some(rest) => match std::str::from_utf8(&rest[..rest.len().min(4)]) {
                Ok(text) => text.chars().next().map_or_else(String::new, |c| format!("{c:?}")),
                Err(e) if e.valid_up_to() > 0 => format!("{:?}", rest[0] as char),
                Err(_) => "bytes that are not UTF-8".to_owned(),
            },
        };
        (self.at, format!("expected {expected}, found {found}"))
    }

    fn value(&mut self) -> Result<Json, Fault> {
        self.space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Json::Text(self.string()?.into_owned())),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, Fault>) -> Result<Json, Fault> {
        if self.depth == self.limits.depth {
            return Err((self.at, format!("nested over {} deep", self.limits.depth)));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json, Fault> {
        let mut elements = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("',' or ']'")),
            }
        }
        self.at += 1;
        Ok(Json::Array(elements))
    }

    fn object(&mut self) -> Result<Json, Fault> {
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut names = HashSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(Object::new()));
        }
        loop {
            self.space();
            let name_at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("a name in double quotes"));
            }
            let name = self.string()?.into_owned();
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("':'"));
            }
            self.at += 1;
            let value = self.value()?;
            if is_new(&name, &members, &mut names) {
                members.push((name, value));
            } else if self.limits.duplicates == Duplicates::Refuse {
                return Err((name_at, format!("the name {name:?} is given twice")));
            } else {
                members.retain(|(n, _)| *n != name);
                members.push((name, value));
            }
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("',' or '}'")),
            }
        }
        self.at += 1;
        Ok(Json::Object(members.into_iter().collect()))
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json, Fault> {
        if self.input[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.unexpected("a value"))
        }
    }

    fn number(&mut self) -> Result<Json, Fault> {
        let from = self.at;
        while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.input[from..self.at]).unwrap_or_default();
        match Number::from_text(text) {
            Some(number) => Ok(Json::Number(number)),
            None => Err((from, format!("{text:?} is not a number"))),
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let from = self.at;
        let mut owned: Option<Vec<u8>> = None;
        loop {
            let run = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..0x20)) {
                self.at += 1;
            }
            let plain = &self.input[run..self.at];
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return match owned {
                        None => text(plain, from).map(Cow::Borrowed),
                        Some(mut bytes) => {
                            bytes.extend_from_slice(plain);
                            text(&bytes, from).map(|t| Cow::Owned(t.to_owned()))
                        }
                    };
                }
                Some(b'\\') => {
                    let bytes = owned.get_or_insert_default();
                    bytes.extend_from_slice(plain);
                    let c = self.escape()?;
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(_) => return Err((self.at, "a control character in a string has to be escaped".into())),
                None => return Err((from - 1, "the string that opens here is not closed".into())),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let at = self.at;
        self.at += 2;
        Ok(match self.input.get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(at),
            _ => return Err((at, "an escape is one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX".into())),
        })
    }

    fn unicode(&mut self, at: usize) -> Result<char, Fault> {
        let high = self.hex4(at)?;
        let code = match high {
            0xD800..0xDC00 if self.input[self.at..].starts_with(b"\\u") => {
                self.at += 2;
                let low = self.hex4(at)?;
                if !(0xDC00..0xE000).contains(&low) {
                    return Err((at, "half of a surrogate pair".into()));
                }
                0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
            }
            _ => high,
        };
        char::from_u32(code).ok_or((at, "half of a surrogate pair".into()))
    }

    fn hex4(&mut self, at: usize) -> Result<u32, Fault> {
        let digits = self.input.get(self.at..self.at + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.ok_or((at, "\\u takes four hexadecimal digits".to_owned()))?;
        self.at += 4;
        Ok(digits.iter().fold(0, |n, &d| n * 16 + (d as char).to_digit(16).unwrap_or(0)))
    }
}

fn text(bytes: &[u8], from: usize) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|e| (from + e.valid_up_to(), "bytes that are not UTF-8".to_owned()))
}

/// So few members are looked through one after the other; of more, the names are hashed.
const FEW: usize = 16;

/// Whether no member has this name yet; it is among `names` then, if those are used.
fn is_new(name: &str, members: &[(String, Json)], names: &mut HashSet<String>) -> bool {
    if members.len() < FEW {
        return members.iter().all(|(other, _)| other != name);
    }
    if names.is_empty() {
        names.extend(members.iter().map(|(other, _)| other.clone()));
    }
    names.insert(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Result<Json, Error> {
        parse(text.as_bytes(), Limits::BODY)
    }

    #[test]
    fn what_came_is_what_is_written() {
        for text in [
            "null",
            "true",
            "[]",
            "{}",
            "[1,-0,1.50,1e400,123456789012345678901234567890]",
            r#"{"b":1,"a":{"c":[{"d":"\"\\\n\u0001é"}]}}"#,
        ] {
            assert_eq!(body(text).unwrap().to_string(), text);
        }
        assert_eq!(body(r#""\ud83d\ude00\/""#).unwrap(), Json::from("😀/"));
    }

    #[test]
    fn each_fault_names_its_place() {
        for (text, line, column, part) in [
            ("", 1, 1, "a value"),
            ("{\n \"a\": 1,\n \"a\": 2}", 3, 2, "given twice"),
            ("{\"a\" 1}", 1, 6, "':'"),
            ("[1,]", 1, 4, "a value"),
            ("[01]", 1, 2, "not a number"),
            ("\"é\\x\"", 1, 3, "an escape"),
            ("\"abc", 1, 1, "not closed"),
            ("\"\\ud800\"", 1, 2, "surrogate"),
            ("1 2", 1, 3, "the end"),
            ("nul", 1, 1, "a value"),
        ] {
            let error = body(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
            assert!(error.message.contains(part), "{text}: {error}");
        }
        assert!(parse(b"\"\xff\"", Limits::BODY).unwrap_err().message.contains("UTF-8"));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(body(&deep(64)).is_ok());
        assert!(body(&deep(65)).unwrap_err().message.contains("nested over 64"));
        assert!(body(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn the_last_of_two_counts_where_that_is_the_rule() {
        let limits = Limits { duplicates: Duplicates::LastCounts, ..Limits::BODY };
        assert_eq!(parse(br#"{"a":1,"b":2,"a":3}"#, limits).unwrap().to_string(), r#"{"b":2,"a":3}"#);
    }

    #[test]
    fn a_name_given_twice_is_noticed_wherever_it_stands_among_however_many() {
        for count in 2..=2 * FEW {
            for (first, second) in [(0, count - 1), (0, 1), (count - 2, count - 1)] {
                let name = |n: usize| if n == second { first } else { n };
                let members: Vec<String> = (0..count).map(|n| format!("\"n{}\":{n}", name(n))).collect();
                let text = format!("{{{}}}", members.join(","));
                let error = parse(text.as_bytes(), Limits::BODY).unwrap_err();
                assert_eq!(error.message, format!("the name \"n{first}\" is given twice"), "{text}");
                let last = Limits { duplicates: Duplicates::LastCounts, ..Limits::BODY };
                let read = parse(text.as_bytes(), last).unwrap();
                assert_eq!(read.as_object().unwrap().len(), count - 1);
                assert_eq!(read.get(&format!("n{first}")).unwrap().to_string(), second.to_string());
            }
        }
    }
}
