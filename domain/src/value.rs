//! How the languages see a value: attributes by name, and comparing as when.md §1 defines it.
//!
//! An event may be a [`Json`] tree or a text that is scanned lazily (the engine's hot path); both show their
//! attributes through [`Attributes`], so a predicate has one meaning.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::json::{Json, Number, Object, compare_numbers, is_numeric_text};

/// A value, borrowed from wherever it lives.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// JSON null: every comparison with it is false.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, as its text.
    Number(&'a str),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array or object.
    Compound(Cow<'a, Json>),
}

/// Something that has attributes: an event, a reaction's context, a response.
pub trait Attributes {
    /// The attribute of that name: as it stands if there is one (even null), else, for a name with dots, by a
    /// walk into nested objects (not arrays). `None` if it is not there.
    fn attribute(&self, name: &str) -> Option<Value<'_>>;

    /// As [`Self::attribute`], for who knows that the name has this place among those that are asked for (or had).
    fn attribute_at(&self, _place: usize, name: &str) -> Option<Value<'_>> {
        self.attribute(name)
    }
}

impl Attributes for Object {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        if let Some(value) = self.get(name) {
            return Some(value.into());
        }
        let mut parts = name.split('.');
        let mut value = self.get(parts.next()?)?;
        let mut walked = false;
        for part in parts {
            value = value.get(part)?;
            walked = true;
        }
        walked.then(|| value.into())
    }
}

impl Attributes for Json {
    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        self.as_object()?.attribute(name)
    }
}

impl<'a> From<&'a Json> for Value<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.as_str()),
            Json::Text(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(_) | Json::Object(_) => Self::Compound(Cow::Borrowed(json)),
        }
    }
}

impl Value<'_> {
    /// The value as a tree of its own.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(text) => Number::from_text(text).map_or(Json::Null, Json::Number),
            Self::Text(text) => Json::Text(text.to_string()),
            Self::Compound(json) => json.clone().into_owned(),
        }
    }
}

/// The comparisons of both languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `<`
    Less,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
}

impl Comparison {
    /// The word of the languages.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Greater => ">",
            Self::Less => "<",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
        }
    }

    /// The comparison that says the same with its sides swapped.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Greater => Self::Less,
            Self::Less => Self::Greater,
            Self::AtLeast => Self::AtMost,
            Self::AtMost => Self::AtLeast,
        }
    }

    /// Whether the comparison holds. A missing value (`None`) or a null makes every comparison false.
    pub fn holds(self, a: Option<&Value<'_>>, b: Option<&Value<'_>>) -> bool {
        let (Some(a), Some(b)) = (a, b) else { return false };
        if matches!(a, Value::Null) || matches!(b, Value::Null) {
            return false;
        }
        match self {
            Self::Equal => equal(a, b),
            Self::NotEqual => !equal(a, b),
            Self::Greater => order(a, b) == Some(Ordering::Greater),
            Self::Less => order(a, b) == Some(Ordering::Less),
            Self::AtLeast => matches!(order(a, b), Some(Ordering::Greater | Ordering::Equal)),
            Self::AtMost => matches!(order(a, b), Some(Ordering::Less | Ordering::Equal)),
        }
    }
}

/// `=` of two values that are there.
pub fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b) == Some(Ordering::Equal),
        (Value::Number(n), Value::Text(t)) | (Value::Text(t), Value::Number(n)) => {
            is_numeric_text(t) && compare_numbers(n, t) == Some(Ordering::Equal)
        }
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Bool(b), Value::Text(t)) | (Value::Text(t), Value::Bool(b)) => {
            t == if *b { "true" } else { "false" }
        }
        (Value::Compound(a), Value::Compound(b)) => deep_equal(a, b),
        _ => false,
    }
}

/// Deep equality: numbers by value, members in whatever order.
fn deep_equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| deep_equal(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            let theirs: std::collections::HashMap<&str, &Json> = b.iter().collect();
            a.len() == b.len()
                && a.iter().all(|(name, value)| theirs.get(name).is_some_and(|v| deep_equal(value, v)))
        }
        (Json::Number(a), Json::Number(b)) => {
            compare_numbers(a.as_str(), b.as_str()) == Some(Ordering::Equal)
        }
        _ => a == b,
    }
}

fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare_numbers(a, b),
        (Value::Number(a), Value::Text(b)) => is_numeric_text(b).then(|| compare_numbers(a, b))?,
        (Value::Text(a), Value::Number(b)) => is_numeric_text(a).then(|| compare_numbers(a, b))?,
        (Value::Text(a), Value::Text(b)) if is_numeric_text(a) && is_numeric_text(b) => compare_numbers(a, b),
        (Value::Text(a), Value::Text(b)) => Some(a.chars().cmp(b.chars())),
        _ => None,
    }
}

/// `contains`: substring of a string, or member (by `=`) of an array.
pub fn contains(a: Option<&Value<'_>>, b: Option<&Value<'_>>) -> bool {
    match (a, b) {
        (Some(Value::Text(a)), Some(Value::Text(b))) => a.contains(b.as_ref()),
        (Some(Value::Compound(a)), Some(b)) if !matches!(b, Value::Null) => {
            a.as_array().is_some_and(|elements| elements.iter().any(|e| equal(&e.into(), b)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    fn attribute_compared(op: Comparison, event: &str, name: &str, literal: &Json) -> bool {
        let event = parse(event.as_bytes(), Limits::EVENT).unwrap();
        op.holds(event.attribute(name).as_ref(), Some(&literal.into()))
    }

    #[test]
    fn values_compare_as_the_language_says() {
        use Comparison::*;
        let n = |v: i64| Json::from(v);
        let t = |v: &str| Json::from(v);
        for (op, event, literal, expected) in [
            (Equal, r#"{"a":"5"}"#, n(5), true),
            (Equal, r#"{"a":"005"}"#, n(5), true),
            (Equal, r#"{"a":"005"}"#, t("5"), false),
            (Equal, r#"{"a":5.0}"#, n(5), true),
            (Equal, r#"{"a":"x"}"#, n(5), false),
            (NotEqual, r#"{"a":"x"}"#, n(5), true),
            (Greater, r#"{"a":"x"}"#, n(5), false),
            (Greater, r#"{"a":"10"}"#, t("9"), true),
            (Greater, r#"{"a":"b"}"#, t("a"), true),
            (Greater, r#"{"a":true}"#, t("a"), false),
            (Equal, r#"{"a":true}"#, t("true"), true),
            (NotEqual, r#"{"a":null}"#, n(1), false),
            (NotEqual, r#"{}"#, n(1), false),
            (AtLeast, r#"{"a":1}"#, n(1), true),
            (Equal, r#"{"a":[1]}"#, n(1), false),
        ] {
            assert_eq!(attribute_compared(op, event, "a", &literal), expected, "{op:?} {event} {literal}");
        }
    }

    #[test]
    fn a_dotted_name_is_looked_for_whole_first_then_walked() {
        let event = parse(br#"{"a.b":null,"a":{"b":1,"c":{"d":2}},"e":[{"f":1}]}"#, Limits::EVENT).unwrap();
        assert_eq!(event.attribute("a.b"), Some(Value::Null));
        assert_eq!(event.attribute("a.c.d"), Some(Value::Number("2")));
        assert_eq!(event.attribute("e.f"), None);
        assert_eq!(event.attribute("e.0.f"), None);
        assert_eq!(event.attribute("a.x"), None);
    }
}
