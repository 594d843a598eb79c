//! The predicate of an open `expect`: everything but `$…` looked up, so that it can be held against an event.

use serde::{Deserialize, Serialize};

use crate::json::{Json, Object};
use crate::value::{Attributes, Comparison, Value};

/// A predicate over an event. Stored flat, each part before what it is made of: nested as deep as a program may be, it
/// would be too deep to be read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Vec<Part>", try_from = "Vec<Part>")]
pub enum Condition {
    /// A comparison of two operands.
    Compare(Comparison, Operand, Operand),
    /// All of them hold.
    And(Vec<Condition>),
    /// One of them holds.
    Or(Vec<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
    /// The operand is neither null nor false.
    Truthy(Operand),
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operand {
    /// An attribute of the event.
    Attribute(String),
    /// A value known when the `expect` was opened.
    Literal(Json),
}

impl Operand {
    fn value<'a>(&'a self, event: &'a Object) -> Option<Value<'a>> {
        match self {
            Self::Attribute(name) => event.attribute(name),
            Self::Literal(json) => Some(json.into()),
        }
    }
}

impl Condition {
    /// Whether it holds of `event`.
    pub fn holds(&self, event: &Object) -> bool {
        match self {
            Self::Compare(comparison, a, b) => {
                comparison.holds(a.value(event).as_ref(), b.value(event).as_ref())
            }
            Self::And(members) => members.iter().all(|member| member.holds(event)),
            Self::Or(members) => members.iter().any(|member| member.holds(event)),
            Self::Not(member) => !member.holds(event),
            Self::Truthy(operand) => {
                !matches!(operand.value(event), None | Some(Value::Null | Value::Bool(false)))
            }
        }
    }

    /// An attribute and the value that it equals in every event of which this holds, if there is one.
    pub fn equality(&self) -> Option<(String, Json)> {
        match self {
            Self::Compare(Comparison::Equal, Operand::Attribute(name), Operand::Literal(value))
            | Self::Compare(Comparison::Equal, Operand::Literal(value), Operand::Attribute(name)) => {
                Some((name.clone(), value.clone()))
            }
            Self::And(members) => members.iter().find_map(Self::equality),
            _ => None,
        }
    }
}

/// A key for an index by equality: values that are equal (when.md §1) have the same key; values with the same key
/// need not be equal. `None` for a null, which equals nothing.
pub fn equality_key(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(format!("t{value}")),
        Value::Number(number) => Some(number_key(number)),
        Value::Text(text) if crate::json::is_numeric_text(text) => Some(number_key(text)),
        Value::Text(text) => Some(format!("t{text}")),
        Value::Compound(_) => Some("c".to_owned()),
    }
}

/// Integers that differ beyond an `f64`'s precision share a key; that only costs a look.
fn number_key(number: &str) -> String {
    let value: f64 = number.parse().unwrap_or(f64::NAN);
    format!("n{}", value + 0.0)
}

/// One part of a stored condition; the number of members says how many of those behind it belong to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Part {
    Compare(#[serde(with = "symbol")] Comparison, Operand, Operand),
    And(usize),
    Or(usize),
    Not,
    Truthy(Operand),
}

impl From<Condition> for Vec<Part> {
    fn from(condition: Condition) -> Self {
        let mut parts = Self::new();
        let mut rest = vec![condition];
        while let Some(next) = rest.pop() {
            parts.push(match next {
                Condition::Compare(comparison, a, b) => Part::Compare(comparison, a, b),
                Condition::Truthy(operand) => Part::Truthy(operand),
                Condition::Not(member) => {
                    rest.push(*member);
                    Part::Not
                }
                Condition::And(members) => {
                    let count = members.len();
                    rest.extend(members.into_iter().rev());
                    Part::And(count)
                }
                Condition::Or(members) => {
                    let count = members.len();
                    rest.extend(members.into_iter().rev());
                    Part::Or(count)
                }
            });
        }
        parts
    }
}

/// Parts that make no condition.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the parts do not make one condition")]
struct Incomplete;

impl TryFrom<Vec<Part>> for Condition {
    type Error = Incomplete;

    fn try_from(parts: Vec<Part>) -> Result<Self, Incomplete> {
        fn take(built: &mut Vec<Condition>, count: usize) -> Result<Vec<Condition>, Incomplete> {
            let from = built.len().checked_sub(count).ok_or(Incomplete)?;
            Ok(built.drain(from..).rev().collect())
        }
        // From the last to the first: what a part is made of is built when it is its turn.
        let mut built = Vec::new();
        for part in parts.into_iter().rev() {
            let condition = match part {
                Part::Compare(comparison, a, b) => Self::Compare(comparison, a, b),
                Part::Truthy(operand) => Self::Truthy(operand),
                Part::Not => Self::Not(Box::new(built.pop().ok_or(Incomplete)?)),
                Part::And(count) => Self::And(take(&mut built, count)?),
                Part::Or(count) => Self::Or(take(&mut built, count)?),
            };
            built.push(condition);
        }
        let condition = built.pop().ok_or(Incomplete)?;
        if built.is_empty() { Ok(condition) } else { Err(Incomplete) }
    }
}

mod symbol {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::value::Comparison;

    pub fn serialize<S: Serializer>(comparison: &Comparison, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(comparison.symbol())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Comparison, D::Error> {
        use Comparison::*;
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        [Equal, NotEqual, Greater, Less, AtLeast, AtMost]
            .into_iter()
            .find(|comparison| comparison.symbol() == text)
            .ok_or_else(|| serde::de::Error::custom("not a comparison"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::equal;

    #[test]
    fn equal_values_have_equal_keys() {
        let texts = ["", "5", "005", "5.0", "5e0", "-0", "0", "true", "x", "9007199254740993", "c"];
        let mut values: Vec<Json> = texts.into_iter().map(Json::from).collect();
        values.extend([Json::from(5_i64), Json::from(0_i64), Json::from(9_007_199_254_740_993_i64)]);
        values.extend([
            Json::Bool(true),
            Json::Bool(false),
            Json::Array(vec![]),
            Json::Object(Object::new()),
        ]);
        for a in &values {
            for b in &values {
                let (a, b) = (Value::from(a), Value::from(b));
                assert!(!equal(&a, &b) || equality_key(&a) == equality_key(&b), "{a:?} {b:?}");
            }
        }
        assert_eq!(equality_key(&Value::Null), None);
        assert_ne!(equality_key(&Value::Number("5")), equality_key(&Value::Number("6")));
    }

    #[test]
    fn a_condition_holds_of_an_event_as_its_parts_say_also_once_it_was_stored() {
        let text = r#"{"type":"b","n":5,"no":false,"nil":null}"#;
        let event = crate::json::parse(text.as_bytes(), crate::json::Limits::BODY).unwrap();
        let event = event.as_object().unwrap();
        let attribute = |name: &str| Operand::Attribute(name.to_owned());
        let compare = |comparison, name: &str, value: Json| {
            Condition::Compare(comparison, attribute(name), Operand::Literal(value))
        };
        let b = || compare(Comparison::Equal, "type", "b".into());
        let c = || compare(Comparison::Equal, "type", "c".into());
        let truthy = |name: &str| Condition::Truthy(attribute(name));
        let not = |condition| Condition::Not(Box::new(condition));
        for (condition, expected) in [
            (b(), true),
            (c(), false),
            (compare(Comparison::Equal, "missing", "b".into()), false),
            (compare(Comparison::Equal, "nil", Json::Null), false),
            (compare(Comparison::Greater, "n", 4_i64.into()), true),
            (compare(Comparison::Less, "n", 4_i64.into()), false),
            (Condition::And(vec![b(), truthy("n")]), true),
            (Condition::And(vec![b(), c()]), false),
            (Condition::Or(vec![c(), b()]), true),
            (Condition::Or(vec![c(), c()]), false),
            (not(c()), true),
            (not(b()), false),
            (truthy("type"), true),
            (truthy("no"), false),
            (truthy("nil"), false),
            (truthy("missing"), false),
            (Condition::Truthy(Operand::Literal(0_i64.into())), true),
            (Condition::Or(vec![Condition::And(vec![c(), not(b())]), not(Condition::And(vec![c()]))]), true),
        ] {
            assert_eq!(condition.holds(event), expected, "{condition:?}");
            let stored = serde_json::to_string(&condition).unwrap();
            assert_eq!(serde_json::from_str::<Condition>(&stored).unwrap(), condition, "{stored}");
        }
    }

    #[test]
    fn parts_that_make_no_condition_are_refused() {
        for bad in
            ["[]", r#"["not"]"#, r#"[{"and":1}]"#, r#"[{"truthy":{"literal":1}},{"truthy":{"literal":1}}]"#]
        {
            assert!(serde_json::from_str::<Condition>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_an_equality_that_has_to_hold_is_one_to_index_by() {
        let equals = |name: &str| {
            Condition::Compare(
                Comparison::Equal,
                Operand::Literal(Json::from(1_i64)),
                Operand::Attribute(name.to_owned()),
            )
        };
        let a = Some(("a".to_owned(), Json::from(1_i64)));
        assert_eq!(Condition::And(vec![Condition::Not(Box::new(equals("b"))), equals("a")]).equality(), a);
        assert_eq!(Condition::Or(vec![equals("a"), equals("b")]).equality(), None);
        assert_eq!(Condition::Not(Box::new(equals("a"))).equality(), None);
    }
}
