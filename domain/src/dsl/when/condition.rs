//! Forms → predicates, and the normal form of comparisons.
//!
//! A checked comparison has an attribute in first place: `(= "id" "1234")` becomes `(= id "1234")`, `(> 5 a)`
//! becomes `(< a 5)`. One without an attribute is refused.

use super::parse::{Call, Keyword, Parser, find};
use super::{Operand, Predicate};
use crate::dsl::reader::{Form, FormKind, is_symbol};
use crate::dsl::{Code, Diagnostic, Span};
use crate::value::Comparison;

#[derive(Clone, Copy)]
enum Word {
    Compare(Comparison),
    And,
    Or,
    Not,
    Contains,
    Exists,
}

const WORDS: [(&str, Word); 11] = [
    ("=", Word::Compare(Comparison::Equal)),
    ("!=", Word::Compare(Comparison::NotEqual)),
    (">", Word::Compare(Comparison::Greater)),
    ("<", Word::Compare(Comparison::Less)),
    (">=", Word::Compare(Comparison::AtLeast)),
    ("<=", Word::Compare(Comparison::AtMost)),
    ("and", Word::And),
    ("or", Word::Or),
    ("not", Word::Not),
    ("contains", Word::Contains),
    ("exists", Word::Exists),
];

/// Whether `word` begins a predicate.
pub(super) fn is_keyword(word: &str) -> bool {
    find(&WORDS, word).is_some()
}

impl Parser<'_> {
    pub(super) fn predicate(&mut self, form: &Form) -> Option<Predicate> {
        let call = self.call(form, "a predicate such as (= name \"value\")")?;
        let Some(word) = find(&WORDS, call.word) else {
            self.no_predicate(&call);
            return None;
        };
        match word {
            Word::Compare(op) => self.comparison(&call, op),
            Word::And => self.predicates(&call).map(Predicate::And),
            Word::Or => self.predicates(&call).map(Predicate::Or),
            Word::Not => {
                let [part] = self.exactly(&call, "one predicate", "several are combined with and, or")?;
                self.predicate(part).map(|part| Predicate::Not(Box::new(part)))
            }
            Word::Contains => self.contains(&call),
            Word::Exists => self.exists(&call),
        }
    }

    fn predicates(&mut self, call: &Call<'_>) -> Option<Vec<Predicate>> {
        let forms = self.some(call, "predicate");
        let parts: Vec<_> = forms.iter().map(|form| self.predicate(form)).collect();
        parts.into_iter().collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty())
    }

    fn no_predicate(&mut self, call: &Call<'_>) {
        let Some(keyword) = Keyword::of(call.word) else {
            return self.unknown(call, "a predicate", WORDS.iter().map(|(word, _)| *word));
        };
        if keyword == Keyword::Fail {
            return self.report(super::fail::in_predicate(call.word_span));
        }
        let message = format!("expected a predicate, found the trigger `{}`", call.word);
        let hint = match keyword {
            Keyword::Event => "an event cannot stand inside an event",
            Keyword::All => "predicates are combined with and",
            Keyword::Any => "predicates are combined with or",
            _ => "a trigger cannot stand inside an event; it stands around it",
        };
        self.report(Diagnostic::new(Code::Shape, call.word_span, message).hint(hint));
    }

    fn comparison(&mut self, call: &Call<'_>, op: Comparison) -> Option<Predicate> {
        let (a, b) = self.operands(call)?;
        let (op, a, b) = match (a, b) {
            (a @ Operand::Attribute(_), b) => (op, a, b),
            (a, b @ Operand::Attribute(_)) => (op.mirrored(), b, a),
            (Operand::Text(name), b) => (op, Operand::Attribute(name), b),
            _ => return self.no_attribute(call),
        };
        let ordered = !matches!(op, Comparison::Equal | Comparison::NotEqual);
        if ordered && matches!(b, Operand::Bool(_)) {
            let message = format!("true and false have no order: `{}` never holds", call.word);
            self.report(Diagnostic::new(Code::Suspicious, call.span, message));
        }
        Some(Predicate::Compare(op, a, b))
    }

    fn contains(&mut self, call: &Call<'_>) -> Option<Predicate> {
        match self.operands(call)? {
            (a, b) if is_attribute(&a) || is_attribute(&b) => Some(Predicate::Contains(a, b)),
            (Operand::Text(name), b) => Some(Predicate::Contains(Operand::Attribute(name), b)),
            _ => self.no_attribute(call),
        }
    }

    fn exists(&mut self, call: &Call<'_>) -> Option<Predicate> {
        let [name] = self.exactly(call, "the name of an attribute", "for example (exists name)")?;
        match self.operand(name)? {
            Operand::Attribute(name) | Operand::Text(name) => Some(Predicate::Exists(name)),
            _ => {
                let message =
                    format!("`{}` takes the name of an attribute, found {}", call.word, name.describe());
                self.report(Diagnostic::new(Code::Operand, name.span, message));
                None
            }
        }
    }

    fn no_attribute(&mut self, call: &Call<'_>) -> Option<Predicate> {
        let message = format!("`{}` without an attribute says nothing about the event", call.word);
        let hint = format!("name one first: ({} name …)", call.word);
        self.report(Diagnostic::new(Code::Operand, call.span, message).hint(hint));
        None
    }

    fn operands(&mut self, call: &Call<'_>) -> Option<(Operand, Operand)> {
        let hint = format_args!("for example ({} name \"value\")", call.word);
        let [a, b] = self.exactly(call, "two operands", hint)?;
        self.warn_of_null(a);
        self.warn_of_null(b);
        let (a, b) = (self.operand(a), self.operand(b));
        Some((a?, b?))
    }

    fn warn_of_null(&mut self, form: &Form) {
        let FormKind::Word(word) = &form.kind else { return };
        if matches!(*word, "null" | "nil") {
            let message = format!("`{word}` is read as the name of an attribute, as any word is");
            let hint = "whether an attribute is there is asked by (exists a), or (not (exists a))";
            self.report(Diagnostic::new(Code::Suspicious, form.span, message).hint(hint));
        }
    }

    fn operand(&mut self, form: &Form) -> Option<Operand> {
        match &form.kind {
            FormKind::Word(word) if is_symbol(word) => Some(Operand::Attribute((*word).to_owned())),
            FormKind::Text(text) => Some(Operand::Text(text.clone().into_owned())),
            FormKind::Number(number) => Some(Operand::Number(number.clone())),
            FormKind::Bool(value) => Some(Operand::Bool(*value)),
            FormKind::Word(word) => {
                self.report(no_name(word, form.span));
                None
            }
            FormKind::List(_) | FormKind::Map(_) => {
                let message = format!("expected an attribute or a literal, found {}", form.describe());
                self.report(Diagnostic::new(Code::Operand, form.span, message));
                None
            }
        }
    }
}

fn is_attribute(operand: &Operand) -> bool {
    matches!(operand, Operand::Attribute(_))
}

/// A word that cannot stand bare for an attribute.
fn no_name(word: &str, span: Span) -> Diagnostic {
    let message = format!("{} cannot be the name of an attribute", crate::dsl::diagnostic::quoted(word));
    let problem = Diagnostic::new(Code::Operand, span, message);
    let bare = word.trim_matches(['*', '$', ':']);
    if bare != word && is_symbol(bare) {
        return problem.hint(format!("in a `when` it stands bare: {bare}"));
    }
    problem.hint("put it in quotes, in first place before a literal")
}
