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
            literal => literal.literal(),
        }
    }

    /// The value of a literal; `None` for an attribute.
    pub(super) fn literal(&self) -> Option<Value<'_>> {
        match self {
            Self::Attribute(_) => None,
            Self::Text(text) => Some(Value::Text(Cow::Borrowed(text))),
            Self::Number(number) => Some(Value::Number(number.as_str())),
            Self::Bool(value) => Some(Value::Bool(*value)),
        }
    }
}
