//! Forms → program, checked on the way: the forms are the last thing that knows every word's place.
//!
//! Problems are collected, not thrown: a command that is wrong gives `None` and its siblings are still looked at.
//! Read next: `command` (what the commands are), `options`, `call` (endpoints and parameters), `value`.

mod call;
mod command;
mod options;
mod value;

use std::collections::BTreeSet;

use super::Program;
use super::catalogue::Verb;
use crate::dsl::diagnostic::{MOST, nearest, quoted};
use crate::dsl::reader::{self, Form, FormKind};
use crate::dsl::{Code, Diagnostic, Limits, Span};
use crate::ids::TemplateId;

/// Parses and checks a `then`.
///
/// # Errors
/// All problems that can be told apart, in the order of their places.
pub fn parse(source: &str, limits: &Limits) -> Result<Program, Vec<Diagnostic>> {
    let forms = reader::read(source, limits)?;
    let mut parser = Parser {
        limits,
        problems: Vec::new(),
        scope: Scope::Nothing,
        read: Vec::new(),
        set: BTreeSet::new(),
        templates: BTreeSet::new(),
    };
    let root = match forms.as_slice() {
        [] => {
            let message =
                "nothing here; expected one command, such as (send echo message {:message \"Hello\"})";
            parser.problem(Diagnostic::new(Code::Shape, Span::new(0, source.len()), message));
            None
        }
        [form] => parser.command(form),
        [first, second, ..] => {
            parser.command(first);
            let message = "expected one command, found another one";
            let hint = "(seq …) takes them one after the other, (par …) at once";
            parser.problem(Diagnostic::new(Code::Shape, second.span, message).hint(hint));
            None
        }
    };
    parser.warn_of_variables_never_set();
    let (mut warnings, mut errors): (Vec<_>, Vec<_>) =
        parser.problems.into_iter().partition(|problem| problem.code.is_warning());
    for problems in [&mut warnings, &mut errors] {
        problems.sort_by_key(|problem| problem.span.start);
        problems.truncate(MOST);
    }
    match root {
        Some(root) if errors.is_empty() => Ok(Program { root, templates: parser.templates, warnings }),
        _ => Err(errors),
    }
}

struct Parser<'a> {
    limits: &'a Limits,
    problems: Vec<Diagnostic>,
    scope: Scope,
    /// Variables read, and where.
    read: Vec<(String, Span)>,
    /// Variables set, anywhere.
    set: BTreeSet<String>,
    templates: BTreeSet<TemplateId>,
}

/// What `$…` sees.
#[derive(Clone, Copy)]
enum Scope {
    Nothing,
    /// An answer of this verb.
    Answer(&'static Verb),
    /// The event that an `expect` waits for.
    Event,
    /// What is got from the receiver: the new event's id.
    Receipt,
    /// An answer of a verb that is not known; that was said already.
    Unknown,
}

impl Parser<'_> {
    fn problem(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// Notes a problem in a place where something was expected.
    fn refuse<T>(&mut self, code: Code, span: Span, message: impl Into<String>) -> Option<T> {
        self.problem(Diagnostic::new(code, span, message));
        None
    }

    /// Does `inside` where `$…` sees `scope`.
    fn seeing<T>(&mut self, scope: Scope, inside: impl FnOnce(&mut Self) -> T) -> T {
        let around = std::mem::replace(&mut self.scope, scope);
        let result = inside(self);
        self.scope = around;
        result
    }

    fn warn_of_variables_never_set(&mut self) {
        let read = std::mem::take(&mut self.read);
        // Each looks through all names for the nearest, so no more of them than are shown.
        for (name, span) in read.into_iter().filter(|(name, _)| !self.set.contains(name)).take(MOST) {
            let known = self.set.iter().map(String::as_str);
            let hint = match nearest(&name, known) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("an attribute of the event is written *{name}*, a text \"{name}\""),
            };
            let message = format!("the variable {name} is never set, so it is null");
            let warning = Diagnostic::new(Code::Suspicious, span, message).hint(hint);
            self.problems.push(warning);
        }
    }
}

/// The word that stands first in a list, in lower case, and the rest.
fn head<'f>(form: &'f Form<'f>) -> Option<(String, &'f Form<'f>, &'f [Form<'f>])> {
    let FormKind::List(forms) = &form.kind else { return None };
    let (first, rest) = forms.split_first()?;
    match &first.kind {
        FormKind::Word(word) => Some((word.to_lowercase(), first, rest)),
        _ => None,
    }
}

/// What a form is, as a person would say it.
fn found(form: &Form) -> String {
    match &form.kind {
        FormKind::List(_) => match head(form) {
            Some((word, ..)) => format!("({} …)", shortened(&word)),
            None => "a list".to_owned(),
        },
        FormKind::Map(_) => "a map".to_owned(),
        FormKind::Text(text) => format!("the text {}", quoted(text)),
        FormKind::Number(number) => format!("the number {}", shortened(number.as_str())),
        FormKind::Bool(value) => value.to_string(),
        FormKind::Word(word) => quoted(word),
    }
}

fn shortened(word: &str) -> String {
    match word.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

/// An unknown word and, if there is one, the nearest that is known.
fn unknown<'a>(
    code: Code,
    span: Span,
    message: String,
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let problem = Diagnostic::new(code, span, message);
    match nearest(word, known.clone()) {
        Some(near) => problem.hint(format!("did you mean {near:?}?")),
        None => {
            let known: Vec<&str> = known.into_iter().collect();
            problem.hint(format!("known are {}", known.join(", ")))
        }
    }
}
