//! The canonical form: lower case, plural units, one space between words (when.md §1). It re-reads as the same tree.

use std::fmt;

use super::{Operand, Predicate, Trigger};
use crate::dsl::token::{is_symbol, quote};

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(predicate) => write!(f, "(event {predicate})"),
            Self::Count(n, trigger) => write!(f, "(count {n} {trigger})"),
            Self::Seq(members) => list(f, "seq", members),
            Self::All(members) => list(f, "all", members),
            Self::Any(members) => list(f, "any", members),
            Self::Within(span, trigger) => write!(f, "(within {span} {trigger})"),
            Self::Fail(trigger) => write!(f, "(fail {trigger})"),
        }
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(op, a, b) => write!(f, "({} {a} {b})", op.symbol()),
            Self::And(parts) => list(f, "and", parts),
            Self::Or(parts) => list(f, "or", parts),
            Self::Not(part) => write!(f, "(not {part})"),
            Self::Contains(a, b) => write!(f, "(contains {a} {b})"),
            Self::Exists(name) => write!(f, "(exists {})", Operand::Attribute(name.clone())),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attribute(name) if is_symbol(name) => f.write_str(name),
            // A name that is no symbol was written as a string, in first place before a literal.
            Self::Attribute(text) | Self::Text(text) => quote(f, text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bool(value) => write!(f, "{value}"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, head: &str, parts: &[impl fmt::Display]) -> fmt::Result {
    write!(f, "({head}")?;
    parts.iter().try_for_each(|part| write!(f, " {part}"))?;
    f.write_str(")")
}
