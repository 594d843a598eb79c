//! Options: `retries`, `within`, `template`, `success`, `failure`; which goes where, and what is in them.

use super::command::is_command;
use super::value::Member;
use super::{Parser, Scope, found, head, unknown};
use crate::dsl::reader::{Form, FormKind};
use crate::dsl::then::Command;
use crate::dsl::{Code, Diagnostic};
use crate::time::{Span, Unit};

/// The words that begin an option.
const OPTIONS: [&str; 5] = ["retries", "within", "template", "success", "failure"];

/// An option's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Retries,
    Within,
    Template,
    Success,
    Failure,
}

impl Word {
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "retries" => Some(Self::Retries),
            "within" | "timeout" => Some(Self::Within),
            "template" => Some(Self::Template),
            "success" => Some(Self::Success),
            "failure" => Some(Self::Failure),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Retries => "retries",
            Self::Within => "within",
            Self::Template => "template",
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }

    fn belongs_to(self) -> &'static str {
        match self {
            Self::Retries => "seq, par, send and await",
            Self::Within => "seq, par, send, await and expect",
            Self::Template => "send and event",
            Self::Success | Self::Failure => "seq, par, send, await, expect, event and if",
        }
    }
}

/// The options of one command.
#[derive(Default)]
pub(super) struct Options {
    pub(super) retries: Option<u32>,
    pub(super) within: Option<Span>,
    pub(super) template: Vec<Member>,
    pub(super) success: Option<Box<Command>>,
    pub(super) failure: Option<Box<Command>>,
}

impl Parser<'_> {
    /// Divides what follows a block's word into members and options, which stand behind the members.
    pub(super) fn divide<'f>(&mut self, forms: &'f [Form<'f>]) -> (&'f [Form<'f>], &'f [Form<'f>]) {
        let first = forms.iter().position(is_option).unwrap_or(forms.len());
        let (members, options) = forms.split_at(first);
        for form in options {
            self.only_option(form);
        }
        (members, options)
    }

    /// Refuses a form that is not an option.
    pub(super) fn only_option(&mut self, form: &Form) {
        if is_option(form) {
            return;
        }
        let message = format!("expected an option, found {}", found(form));
        let problem = match head(form) {
            Some((word, first, _)) if is_command(&word) => {
                let hint = "members stand in front of the options; several commands are made one by (seq …)";
                Diagnostic::new(Code::Shape, first.span, message).hint(hint)
            }
            Some((word, first, _)) => unknown(Code::UnknownWord, first.span, message, &word, OPTIONS),
            None => Diagnostic::new(Code::Shape, form.span, message),
        };
        self.problem(problem);
    }

    /// The options of `command`, which takes those that are `allowed`; its success option sees `scope`.
    pub(super) fn options(
        &mut self,
        command: &str,
        allowed: &[Word],
        scope: Scope,
        forms: &[Form],
    ) -> Option<Options> {
        let mut options = Options::default();
        let mut seen = Vec::new();
        let mut good = true;
        for form in forms {
            let Some((word, first, rest)) = head(form) else { continue };
            // What is not an option was refused already.
            let Some(option) = Word::of(&word) else { continue };
            if !allowed.contains(&option) {
                let message = format!("{command} takes no ({word} …)");
                let hint = format!("{} goes with {}", option.name(), option.belongs_to());
                self.problem(Diagnostic::new(Code::Shape, first.span, message).hint(hint));
                good = false;
                continue;
            }
            if seen.contains(&option) {
                self.problem(Diagnostic::new(Code::Shape, first.span, format!("{word} is given twice")));
                good = false;
                continue;
            }
            seen.push(option);
            good &= self.option(option, scope, form, rest, &mut options).is_some();
        }
        good.then_some(options)
    }

    fn option(
        &mut self,
        option: Word,
        scope: Scope,
        form: &Form,
        rest: &[Form],
        options: &mut Options,
    ) -> Option<()> {
        match option {
            Word::Retries => options.retries = Some(self.retries(form, rest)?),
            Word::Within => options.within = Some(self.duration(form, rest)?),
            Word::Template => match rest {
                [map] => options.template = self.map(map)?,
                _ => return self.refuse(Code::Shape, form.span, "(template {:name value …}) takes one map"),
            },
            Word::Success => {
                let command = self.seeing(scope, |parser| parser.only_command("success", form, rest));
                options.success = Some(Box::new(command?));
            }
            Word::Failure => options.failure = Some(Box::new(self.only_command("failure", form, rest)?)),
        }
        Some(())
    }

    /// The one command in a `success` or `failure`.
    pub(super) fn only_command(&mut self, word: &str, form: &Form, rest: &[Form]) -> Option<Command> {
        match rest {
            [only] => self.command(only),
            [] => self.refuse(Code::Shape, form.span, format!("({word} …) holds one command; found none")),
            [_, second, ..] => {
                for command in rest {
                    self.command(command);
                }
                let message = format!("({word} …) holds one command; found {}", rest.len());
                let hint = format!("write ({word} (seq …))");
                self.problem(Diagnostic::new(Code::Shape, second.span, message).hint(hint));
                None
            }
        }
    }

    fn retries(&mut self, form: &Form, rest: &[Form]) -> Option<u32> {
        let [only] = rest else {
            return self.refuse(Code::Shape, form.span, "(retries n) takes one whole number");
        };
        let Some(n) = whole(only) else {
            let message = format!("expected how many retries, a whole number; found {}", found(only));
            return self.refuse(Code::Shape, only.span, message);
        };
        match u32::try_from(n) {
            Ok(retries) if n <= self.limits.retries => Some(retries),
            _ => {
                let message = format!("{} retries; at most {} are taken", n, self.limits.retries);
                self.refuse(Code::Limit, only.span, message)
            }
        }
    }

    /// `n unit`.
    pub(super) fn duration(&mut self, form: &Form, rest: &[Form]) -> Option<Span> {
        let [amount, unit] = rest else {
            let at = rest.get(2).unwrap_or(form);
            return self.refuse(Code::Shape, at.span, "expected a duration, such as 5 minutes");
        };
        let n = match whole(amount) {
            Some(n) if n > 0 => Some(n),
            _ => {
                let message = format!("expected a whole number from 1, found {}", found(amount));
                self.refuse(Code::Shape, amount.span, message)
            }
        };
        let unit = self.unit(unit);
        let span = Span { amount: n?, unit: unit? };
        if span.millis() > self.limits.span {
            let days = self.limits.span / 86_400_000;
            let message = format!("{span} is too long; at most {days} days are taken");
            return self.refuse(Code::Limit, amount.span, message);
        }
        Some(span)
    }

    fn unit(&mut self, form: &Form) -> Option<Unit> {
        let known = ["seconds", "minutes", "hours", "days"];
        let FormKind::Word(word) = &form.kind else {
            let message = format!("expected a unit ({}), found {}", known.join(", "), found(form));
            return self.refuse(Code::Shape, form.span, message);
        };
        match word.to_lowercase().as_str() {
            "second" | "seconds" => Some(Unit::Seconds),
            "minute" | "minutes" => Some(Unit::Minutes),
            "hour" | "hours" => Some(Unit::Hours),
            "day" | "days" => Some(Unit::Days),
            _ => {
                let message = format!("unknown unit {}", found(form));
                self.problem(unknown(Code::UnknownWord, form.span, message, word, known));
                None
            }
        }
    }
}

fn is_option(form: &Form) -> bool {
    head(form).is_some_and(|(word, ..)| Word::of(&word).is_some())
}

fn whole(form: &Form) -> Option<u64> {
    match &form.kind {
        FormKind::Number(number) => number.as_u64(),
        _ => None,
    }
}
