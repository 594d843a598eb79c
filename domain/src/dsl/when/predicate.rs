//! What a predicate says of an event (when.md §1).

use std::borrow::Cow;

use super::{Operand, Predicate};
use crate::value::{self, Attributes, Value};

impl Predicate {
    /// Whether the predicate holds of an event.
    pub fn holds(&self, event: &impl Attributes) -> bool {
        match self {
            Self::Compare(op, a, b) => op.holds(a.value(event).as_ref(), b.value(event).as_ref()),
            Self::And(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Not(part) => !part.holds(event),
            Self::Contains(a, b) => value::contains(a.value(event).as_ref(), b.value(event).as_ref()),
            Self::Exists(name) => event.attribute(name).is_some_and(|value| value != Value::Null),
        }
    }

    /// Calls `f` with the name of each attribute that the predicate reads.
    pub(super) fn each_attribute<'a>(&'a self, f: &mut impl FnMut(&'a str)) {
        match self {
            Self::Compare(_, a, b) | Self::Contains(a, b) => {
                for operand in [a, b] {
                    if let Operand::Attribute(name) = operand {
                        f(name);
                    }
                }
            }
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.each_attribute(f)),
            Self::Not(part) => part.each_attribute(f),
            Self::Exists(name) => f(name),
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, event: &'a impl Attributes) -> Option<Value<'a>> {
        match self {
            Self::Attribute(name) => event.attribute(name),
            Self::Text(text) => Some(Value::Text(Cow::Borrowed(text))),
            Self::Number(number) => Some(Value::Number(number.as_str())),
            Self::Bool(value) => Some(Value::Bool(*value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::dsl::{Limits, when};
    use crate::json;

    #[test]
    fn predicates_hold_as_the_page_says() {
        let event =
            r#"{"n":5,"t":"005","x":"abc","b":true,"z":null,"l":[1,"x"],"o":{"n":5,"u":{"v":"w"}},"o.n":7}"#;
        let event = json::parse(event.as_bytes(), json::Limits::EVENT).unwrap();
        for (predicate, expected) in [
            ("(= n 5)", true),
            ("(= n t)", true),
            ("(< 4 n)", true),
            ("(!= n 5)", false),
            ("(= missing 5)", false),
            ("(!= missing 5)", false),
            ("(not (= missing 5))", true),
            ("(not (= z 5))", true),
            ("(exists n)", true),
            ("(exists z)", false),
            ("(exists missing)", false),
            ("(= o.n 7)", true),
            (r#"(= o.u.v "w")"#, true),
            (r#"(= b "true")"#, true),
            (r#"(contains x "bc")"#, true),
            (r#"(contains "xabcx" x)"#, true),
            ("(contains l 1)", true),
            (r#"(contains l "1")"#, true),
            (r#"(contains l "y")"#, false),
            (r#"(contains missing "y")"#, false),
            ("(and (= n 5) (= b false))", false),
            ("(or (= n 6) (= b true))", true),
        ] {
            let when = when::parse(&format!("(event {predicate})"), &Limits::default()).unwrap();
            assert_eq!(when.trigger.predicates()[0].0.holds(&event), expected, "{predicate}");
        }
    }

    #[test]
    fn a_triggers_predicates_say_whether_they_guard() {
        let source = "(within 1 hours (seq (count 2 (event (= a 1))) (fail (any (event (= b 2)) (event (= c 3)))) (event (= d 4))))";
        let when = when::parse(source, &Limits::default()).unwrap();
        let found: Vec<_> =
            when.trigger.predicates().iter().map(|(p, guards)| (p.to_string(), *guards)).collect();
        let expected = [("(= a 1)", false), ("(= b 2)", true), ("(= c 3)", true), ("(= d 4)", false)];
        assert_eq!(found, expected.map(|(predicate, guards)| (predicate.to_owned(), guards)));
    }
}
