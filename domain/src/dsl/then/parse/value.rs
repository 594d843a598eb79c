//! Values, maps and predicates.

use super::{Parser, Scope, found, head, unknown};
use crate::dsl::diagnostic::{nearest, quoted};
use crate::dsl::reader::{Form, FormKind, is_symbol};
use crate::dsl::then::catalogue::Response;
use crate::dsl::then::{Predicate, Value};
use crate::dsl::{Code, Diagnostic, Span};
use crate::ids::TemplateId;
use crate::value::Comparison;

/// The words that may begin a predicate.
const PREDICATES: [&str; 9] = ["=", "!=", ">", "<", ">=", "<=", "and", "or", "not"];

impl Parser<'_> {
    /// A value.
    pub(super) fn value(&mut self, form: &Form) -> Option<Value> {
        match &form.kind {
            FormKind::Text(text) => Some(Value::Text(text.clone().into_owned())),
            FormKind::Number(number) => Some(Value::Number(number.clone())),
            FormKind::Bool(value) => Some(Value::Bool(*value)),
            FormKind::Map(_) => {
                let members = self.map(form)?;
                Some(Value::Map(members.into_iter().map(|member| (member.name, member.value)).collect()))
            }
            FormKind::Word(word) => self.word(word, form.span),
            FormKind::List(_) => {
                self.refuse(Code::Shape, form.span, format!("expected a value, found {}", found(form)))
            }
        }
    }

    fn word(&mut self, word: &str, span: Span) -> Option<Value> {
        let inner = |prefix: &str, suffix: &str| {
            word.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix)).filter(|name| is_name(name))
        };
        if let Some(name) = inner("*", "*") {
            return Some(Value::Context(name.to_owned()));
        }
        if let Some(name) = inner("$", "") {
            self.warn_of_scope(name, span);
            return Some(Value::Response(name.to_owned()));
        }
        if let Some(id) = inner("+", "") {
            let id = TemplateId::from(id);
            self.templates.insert(id.clone());
            return Some(Value::Template(id));
        }
        if is_symbol(word) && word != "+" {
            self.read.push((word.to_owned(), span));
            return Some(Value::Variable(word.to_owned()));
        }
        let problem =
            Diagnostic::new(Code::Syntax, span, format!("expected a value, found {}", quoted(word)));
        let bare = word.trim_matches(|c| "*$:+".contains(c));
        self.problem(match word.chars().next() {
            Some('*') if is_name(bare) => {
                problem.hint(format!("an attribute stands between two stars: *{bare}*"))
            }
            Some(':') => problem.hint("a word with a colon is a name; it stands in a map, before its value"),
            _ => problem.hint(
                "a value is \"a text\", a number, true, false, *attribute*, $response-value, variable or +template",
            ),
        });
        None
    }

    fn warn_of_scope(&mut self, name: &str, span: Span) {
        let warning = |message| Diagnostic::new(Code::Suspicious, span, message);
        let warning = match self.scope {
            Scope::Nothing => warning(format!("${name} is null here")).hint(
                "an answer's values can be seen only in the success option of the command that got them; \
                 keep one with (set name $value)",
            ),
            Scope::Receipt if name != "id" => {
                warning(format!("an event that was sent has no ${name}; it is null")).hint("there is $id")
            }
            Scope::Answer(verb) => match verb.response {
                Response::Values(known) if !known.contains(&name) => {
                    let message = format!("{} {} answers no ${name}; it is null", verb.endpoint, verb.verb);
                    match nearest(name, known.iter().copied()) {
                        Some(near) => warning(message).hint(format!("did you mean ${near}?")),
                        None => warning(message),
                    }
                }
                _ => return,
            },
            _ => return,
        };
        self.problem(warning);
    }

    /// `{:name value …}`, each name once.
    pub(super) fn map(&mut self, form: &Form) -> Option<Vec<Member>> {
        let FormKind::Map(forms) = &form.kind else {
            let message = format!("expected parameters {{:name value …}}, found {}", found(form));
            return self.refuse(Code::Shape, form.span, message);
        };
        let mut members: Vec<Member> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut good = true;
        for pair in forms.chunks(2) {
            match self.member(pair) {
                Some(member) if seen.insert(member.name.clone()) => members.push(member),
                Some(member) => {
                    good = false;
                    self.problem(Diagnostic::new(
                        Code::Shape,
                        member.span,
                        format!(":{} is given twice", member.name),
                    ));
                }
                None => {
                    // What follows may be out of step: nothing more is to be learned from it.
                    good = false;
                    break;
                }
            }
        }
        good.then_some(members)
    }

    fn member(&mut self, pair: &[Form]) -> Option<Member> {
        let name = pair.first()?;
        let FormKind::Word(word) = &name.kind else {
            let message = format!("expected a name such as :message, found {}", found(name));
            return self.refuse(Code::Shape, name.span, message);
        };
        let Some(bare) = word.strip_prefix(':').filter(|bare| is_name(bare)) else {
            let message = format!("expected a name such as :message, found {}", quoted(word));
            let problem = Diagnostic::new(Code::Shape, name.span, message);
            self.problem(if is_name(word) { problem.hint(format!("write :{word}")) } else { problem });
            return None;
        };
        let Some(value) = pair.get(1) else {
            return self.refuse(Code::Shape, name.span, format!(":{bare} has no value"));
        };
        let value_span = value.span;
        let value = self.value(value)?;
        Some(Member { name: bare.to_owned(), span: name.span, value, value_span })
    }

    /// A predicate.
    pub(super) fn predicate(&mut self, form: &Form) -> Option<Predicate> {
        let FormKind::List(forms) = &form.kind else { return self.value(form).map(Predicate::Value) };
        let Some((word, first, rest)) = head(form) else {
            let message = format!("expected a predicate such as (= *a* 1), found {}", found(form));
            return self.refuse(Code::Shape, forms.first().map_or(form.span, |first| first.span), message);
        };
        match word.as_str() {
            "and" => self.predicates(form, rest).map(Predicate::And),
            "or" => self.predicates(form, rest).map(Predicate::Or),
            "not" => match rest {
                [only] => self.predicate(only).map(|inner| Predicate::Not(Box::new(inner))),
                _ => self.refuse(Code::Shape, form.span, "(not P) takes one predicate"),
            },
            _ => match comparison(&word) {
                Some(comparison) => self.comparison(comparison, form, rest),
                None => {
                    let message = format!("unknown predicate {}", quoted(&word));
                    self.problem(unknown(Code::UnknownWord, first.span, message, &word, PREDICATES));
                    None
                }
            },
        }
    }

    fn predicates(&mut self, form: &Form, rest: &[Form]) -> Option<Vec<Predicate>> {
        if rest.is_empty() {
            return self.refuse(Code::Shape, form.span, "expected at least one predicate");
        }
        // Every member is looked at, also after a wrong one.
        let members: Vec<_> = rest.iter().map(|member| self.predicate(member)).collect();
        members.into_iter().collect()
    }

    fn comparison(&mut self, comparison: Comparison, form: &Form, rest: &[Form]) -> Option<Predicate> {
        let [a, b] = rest else {
            let symbol = comparison.symbol();
            let message = format!("({symbol} a b) compares two values; found {}", rest.len());
            return self.refuse(Code::Shape, form.span, message);
        };
        let (a, b) = (self.value(a), self.value(b));
        Some(Predicate::Compare(comparison, a?, b?))
    }
}

/// One parameter, with the places that a problem with it is shown at.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) value: Value,
    pub(super) value_span: Span,
}

fn comparison(symbol: &str) -> Option<Comparison> {
    use Comparison::*;
    [Equal, NotEqual, Greater, Less, AtLeast, AtMost].into_iter().find(|known| known.symbol() == symbol)
}

/// Whether a word can be the name of an attribute, a value or a parameter, between or behind its signs.
fn is_name(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_.?!/%&+".contains(c))
}
