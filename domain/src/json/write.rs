//! Writing JSON: compact, members in their order, numbers as they came.

use std::fmt::{self, Write};

use super::{Json, Object};

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        json(f, self)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        object(f, self)
    }
}

impl Json {
    /// Its text. The same as [`ToString`], without a formatter between.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(128);
        // A string takes all that is written to it.
        let _ = json(&mut text, self);
        text
    }
}

fn json(to: &mut impl Write, value: &Json) -> fmt::Result {
    match value {
        Json::Null => to.write_str("null"),
        Json::Bool(true) => to.write_str("true"),
        Json::Bool(false) => to.write_str("false"),
        Json::Number(number) => to.write_str(number.as_str()),
        Json::Text(text) => string(to, text),
        Json::Array(elements) => {
            to.write_char('[')?;
            for (n, element) in elements.iter().enumerate() {
                if n > 0 {
                    to.write_char(',')?;
                }
                json(to, element)?;
            }
            to.write_char(']')
        }
        Json::Object(members) => object(to, members),
    }
}

fn object(to: &mut impl Write, members: &Object) -> fmt::Result {
    to.write_char('{')?;
    for (n, (name, value)) in members.iter().enumerate() {
        if n > 0 {
            to.write_char(',')?;
        }
        string(to, name)?;
        to.write_char(':')?;
        json(to, value)?;
    }
    to.write_char('}')
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

fn string(to: &mut impl Write, text: &str) -> fmt::Result {
    to.write_char('"')?;
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
        to.write_str(&text[plain..at])?;
        if escape.is_empty() {
            write!(to, "\\u{byte:04x}")?;
        } else {
            to.write_str(escape)?;
        }
        plain = at + 1;
    }
    to.write_str(&text[plain..])?;
    to.write_char('"')
}

#[cfg(test)]
mod tests {
    use crate::json::{Json, Limits, parse};

    #[test]
    fn what_is_written_for_people_reads_as_the_same() {
        let json = parse(br#"{"a":{"b":[1.50,"x\n\u0001"],"c":{},"d":[]},"e":null}"#, Limits::BODY).unwrap();
        let pretty = json.pretty();
        assert_eq!(pretty.lines().nth(2), Some("    \"b\": ["));
        assert_eq!(parse(pretty.as_bytes(), Limits::BODY).unwrap().to_string(), json.to_string());
        assert_eq!(pretty.lines().count(), 11);
    }
    #[test]
    fn what_is_stored_and_what_is_shown_keep_every_digit_and_read_as_the_same() {
        let text = r#"{"n":[0,-0,7,-12,1.50,1e3,123456789012345678901234567890,0.1],"t":"a\"\\\n\u0001é","b":[true,false,null],"o":{}}"#;
        let json = parse(text.as_bytes(), Limits::BODY).unwrap();
        assert_eq!((json.to_string(), json.text()), (text.to_owned(), text.to_owned()));
        assert_eq!(serde_json::to_string(&json).unwrap(), text);
        assert_eq!(serde_json::from_str::<Json>(text).unwrap(), json);
    }
}
