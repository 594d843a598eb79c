//! Writing JSON: compact, members in their order, numbers as they came.

use std::fmt::{self, Write};

use super::{Json, Object};

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(true) => f.write_str("true"),
            Self::Bool(false) => f.write_str("false"),
            Self::Number(number) => f.write_str(number.as_str()),
            Self::Text(text) => string(f, text),
            Self::Array(elements) => {
                f.write_char('[')?;
                for (n, element) in elements.iter().enumerate() {
                    if n > 0 {
                        f.write_char(',')?;
                    }
                    write!(f, "{element}")?;
                }
                f.write_char(']')
            }
            Self::Object(object) => write!(f, "{object}"),
        }
    }
}

impl Json {
    /// For people: a member or an element a line, two blanks for each level; what is empty in one piece.
    pub fn pretty(&self) -> String {
        let mut text = String::new();
        pretty(self, 0, &mut text);
        text
    }
}

fn pretty(json: &Json, level: usize, text: &mut String) {
    let (open, close, inside): (_, _, Vec<(Option<&str>, &Json)>) = match json {
        Json::Object(object) => ('{', '}', object.iter().map(|(name, value)| (Some(name), value)).collect()),
        Json::Array(elements) => ('[', ']', elements.iter().map(|element| (None, element)).collect()),
        _ => (' ', ' ', Vec::new()),
    };
    if inside.is_empty() {
        text.push_str(&json.to_string());
        return;
    }
    text.push(open);
    for (n, (name, value)) in inside.iter().enumerate() {
        text.push_str(if n > 0 { ",\n" } else { "\n" });
        text.push_str(&"  ".repeat(level + 1));
        if let Some(name) = name {
            text.push_str(&Json::from(*name).to_string());
            text.push_str(": ");
        }
        pretty(value, level + 1, text);
    }
    text.push('\n');
    text.push_str(&"  ".repeat(level));
    text.push(close);
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (n, (name, value)) in self.iter().enumerate() {
            if n > 0 {
                f.write_char(',')?;
            }
            string(f, name)?;
            write!(f, ":{value}")?;
        }
        f.write_char('}')
    }
}

fn string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        f.write_str(&text[plain..at])?;
        if escape.is_empty() {
            write!(f, "\\u{byte:04x}")?;
        } else {
            f.write_str(escape)?;
        }
        plain = at + 1;
    }
    f.write_str(&text[plain..])?;
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use crate::json::{Limits, parse};

    #[test]
    fn what_is_written_for_people_reads_as_the_same() {
        let json = parse(br#"{"a":{"b":[1.50,"x\n\u0001"],"c":{},"d":[]},"e":null}"#, Limits::BODY).unwrap();
        let pretty = json.pretty();
        assert_eq!(pretty.lines().nth(2), Some("    \"b\": ["));
        assert_eq!(parse(pretty.as_bytes(), Limits::BODY).unwrap().to_string(), json.to_string());
        assert_eq!(pretty.lines().count(), 11);
    }
}
