//! The canonical form: lower case, plural units, one space, options in one order. Reading it gives the same program.

use std::fmt::{self, Display, Formatter};

use super::{Call, Command, CommandKind, Params, Predicate, Program, Value};
use crate::dsl::token::quote;

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            CommandKind::Seq(members) => list(f, "(seq", members)?,
            CommandKind::Par(members) => list(f, "(par", members)?,
            CommandKind::Send(call) => write!(f, "(send {call}{}", Templated(&call.params))?,
            CommandKind::Event(params) => write!(f, "(event {}{}", Map(&params.plain), Templated(params))?,
            CommandKind::Delay(span) => write!(f, "(delay {span}")?,
            CommandKind::Expect(predicate) => write!(f, "(expect {predicate}")?,
            CommandKind::Await { call, until, success, failure } => {
                write!(f, "(await {call} (if {until}")?;
                option(f, "success", success)?;
                option(f, "failure", failure)?;
                f.write_str(")")?;
            }
            CommandKind::If { condition, then, otherwise } => {
                write!(f, "(if {condition}")?;
                option(f, "success", then)?;
                option(f, "failure", otherwise)?;
            }
            CommandKind::Set(name, value) => write!(f, "(set {name} {value}")?,
        }
        if self.retries > 0 {
            write!(f, " (retries {})", self.retries)?;
        }
        if let Some(span) = self.within {
            write!(f, " (within {span})")?;
        }
        option(f, "success", &self.success)?;
        option(f, "failure", &self.failure)?;
        f.write_str(")")
    }
}

fn option(f: &mut Formatter<'_>, word: &str, command: &Option<Box<Command>>) -> fmt::Result {
    match command {
        Some(command) => write!(f, " ({word} {command})"),
        None => Ok(()),
    }
}

fn list(f: &mut Formatter<'_>, head: &str, members: &[impl Display]) -> fmt::Result {
    f.write_str(head)?;
    members.iter().try_for_each(|member| write!(f, " {member}"))
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.endpoint, self.verb, Map(&self.params.plain))
    }
}

struct Map<'a>(&'a [(String, Value)]);

impl Display for Map<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (n, (name, value)) in self.0.iter().enumerate() {
            write!(f, "{}:{name} {value}", if n == 0 { "" } else { " " })?;
        }
        f.write_str("}")
    }
}

struct Templated<'a>(&'a Params);

impl Display for Templated<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.templated.is_empty() {
            return Ok(());
        }
        write!(f, " (template {})", Map(&self.0.templated))
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => quote(f, text),
            Self::Number(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
            Self::Context(name) => write!(f, "*{name}*"),
            Self::Response(name) => write!(f, "${name}"),
            Self::Variable(name) => f.write_str(name),
            Self::Template(id) => write!(f, "+{id}"),
            Self::Map(members) => Map(members).fmt(f),
        }
    }
}

impl Display for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare(comparison, a, b) => write!(f, "({} {a} {b})", comparison.symbol()),
            Self::And(members) => {
                list(f, "(and", members)?;
                f.write_str(")")
            }
            Self::Or(members) => {
                list(f, "(or", members)?;
                f.write_str(")")
            }
            Self::Not(member) => write!(f, "(not {member})"),
            Self::Value(value) => value.fmt(f),
        }
    }
}
