//! Commands: what stands in each.

use super::options::{Options, Word};
use super::{Parser, Scope, found, head, unknown};
use crate::dsl::diagnostic::quoted;
use crate::dsl::reader::{Form, FormKind, is_symbol};
use crate::dsl::then::{Command, CommandKind, Predicate};
use crate::dsl::{Code, Diagnostic};

/// The words that begin a command.
const COMMANDS: [&str; 9] = ["seq", "par", "send", "event", "delay", "expect", "await", "if", "set"];

/// More members than this have no place in a [`Path`](crate::dsl::then::Path).
const MEMBERS: usize = u16::MAX as usize - 8;

/// Whether a word begins a command.
pub(super) fn is_command(word: &str) -> bool {
    COMMANDS.contains(&word)
}

impl Parser<'_> {
    /// A command.
    pub(super) fn command(&mut self, form: &Form) -> Option<Command> {
        let Some((word, first, rest)) = head(form) else {
            let message = format!("expected a command, such as (send …) or (seq …); found {}", found(form));
            return self.refuse(Code::Shape, form.span, message);
        };
        match word.as_str() {
            "seq" | "par" => self.block(&word, form, rest),
            "send" => self.send(form, rest),
            "event" => self.event(form, rest),
            "delay" => self.duration(form, rest).map(|span| plain(CommandKind::Delay(span), form)),
            "expect" => self.expect(form, rest),
            "await" => self.wait(form, rest),
            "if" => self.branch(form, rest),
            "set" => self.assignment(form, rest),
            _ => {
                let message = match Word::of(&word) {
                    Some(_) => format!("{word} is an option of a command, not a command"),
                    None => format!("unknown command {}", quoted(&word)),
                };
                self.problem(unknown(Code::UnknownWord, first.span, message, &word, COMMANDS));
                None
            }
        }
    }

    fn block(&mut self, word: &str, form: &Form, rest: &[Form]) -> Option<Command> {
        let (members, options) = self.divide(rest);
        if members.is_empty() {
            self.problem(Diagnostic::new(Code::Shape, form.span, format!("({word} …) needs a member")));
        } else if members.len() > MEMBERS {
            let message = format!("{} members; at most {MEMBERS} are taken", members.len());
            self.problem(Diagnostic::new(Code::Limit, form.span, message));
        }
        let members: Vec<_> = members.iter().map(|member| self.command(member)).collect();
        let allowed = [Word::Retries, Word::Within, Word::Success, Word::Failure];
        let options = self.options(word, &allowed, self.scope, options);
        let members: Vec<_> = members.into_iter().collect::<Option<_>>()?;
        let kind = if word == "seq" { CommandKind::Seq(members) } else { CommandKind::Par(members) };
        Some(with(kind, options?, form))
    }

    fn send(&mut self, form: &Form, rest: &[Form]) -> Option<Command> {
        let (call, rest) = self.call_head("send", form, rest)?;
        self.only_options(rest, None);
        let allowed = [Word::Retries, Word::Within, Word::Template, Word::Success, Word::Failure];
        let mut options = self.options("send", &allowed, call.scope(), rest)?;
        let call = self.call(call, std::mem::take(&mut options.template));
        Some(with(CommandKind::Send(call), options, form))
    }

    fn event(&mut self, form: &Form, rest: &[Form]) -> Option<Command> {
        let Some((map, rest)) = rest.split_first() else {
            return self.refuse(Code::Shape, form.span, "expected (event {:name value …} …)");
        };
        let params = self.map(map);
        self.only_options(rest, None);
        let allowed = [Word::Template, Word::Success, Word::Failure];
        let mut options = self.options("event", &allowed, Scope::Receipt, rest)?;
        let params = self.params(params?, std::mem::take(&mut options.template));
        Some(with(CommandKind::Event(params), options, form))
    }

    fn expect(&mut self, form: &Form, rest: &[Form]) -> Option<Command> {
        let Some((predicate, rest)) = rest.split_first() else {
            return self.refuse(Code::Shape, form.span, "expected (expect predicate …)");
        };
        let predicate = self.seeing(Scope::Event, |parser| parser.predicate(predicate));
        self.only_options(rest, None);
        let allowed = [Word::Within, Word::Success, Word::Failure];
        let options = self.options("expect", &allowed, Scope::Event, rest)?;
        if options.within.is_none() {
            let message = "an expect without a within may wait for ever";
            self.problem(Diagnostic::new(Code::Suspicious, form.span, message).hint("add (within n unit)"));
        }
        Some(with(CommandKind::Expect(predicate?), options, form))
    }

    fn wait(&mut self, form: &Form, rest: &[Form]) -> Option<Command> {
        let (call, rest) = self.call_head("await", form, rest)?;
        let is_if = |form: &&Form| head(form).is_some_and(|(word, ..)| word == "if");
        let Some(body) = rest.iter().find(is_if) else {
            let message = "an await holds one (if P (success …) (failure …)): what it waits for";
            return self.refuse(Code::Shape, form.span, message);
        };
        let scope = call.scope();
        let condition = self.seeing(scope, |parser| {
            let (_, _, rest) = head(body)?;
            parser.condition(body, rest)
        });
        self.only_options(rest, Some(body));
        let allowed = [Word::Retries, Word::Within, Word::Success, Word::Failure];
        let options = self.options("await", &allowed, scope, rest)?;
        if options.within.is_none() {
            let message = "an await needs a within: how long it asks in all";
            self.problem(Diagnostic::new(Code::Shape, form.span, message).hint("add (within n unit)"));
            return None;
        }
        let (until, success, failure) = condition?;
        let call = self.call(call, Vec::new());
        Some(with(CommandKind::Await { call, until, success, failure }, options, form))
    }

    fn branch(&mut self, form: &Form, rest: &[Form]) -> Option<Command> {
        let (condition, then, otherwise) = self.condition(form, rest)?;
        Some(plain(CommandKind::If { condition, then, otherwise }, form))
    }

    /// What stands in an `if`: the predicate and the branches, `(success T)` and `(failure T)` or bare commands.
    fn condition(&mut self, form: &Form, rest: &[Form]) -> Option<Condition> {
        let Some((predicate, branches)) = rest.split_first() else {
            return self.refuse(Code::Shape, form.span, "expected (if predicate (success …) (failure …))");
        };
        let predicate = self.predicate(predicate);
        if branches.is_empty() {
            let message = "an if needs a branch: (success …), (failure …) or both";
            return self.refuse(Code::Shape, form.span, message);
        }
        let (mut success, mut failure) = (None, None);
        let mut good = true;
        for branch in branches {
            let word = head(branch).and_then(|(word, ..)| Word::of(&word));
            let slot = match word {
                Some(Word::Failure) => &mut failure,
                Some(Word::Success) => &mut success,
                _ if success.is_none() => &mut success,
                _ => &mut failure,
            };
            if slot.is_some() {
                let message = format!("{} is one branch too many", found(branch));
                let hint = "an if has one success and one failure; (seq …) makes one command of several";
                self.problem(Diagnostic::new(Code::Shape, branch.span, message).hint(hint));
                return None;
            }
            let command = match (word, head(branch)) {
                (Some(Word::Success), Some((.., rest))) => self.only_command("success", branch, rest),
                (Some(Word::Failure), Some((.., rest))) => self.only_command("failure", branch, rest),
                _ => self.command(branch),
            };
            good &= command.is_some();
            *slot = Some(command);
        }
        let boxed = |slot: Option<Option<Command>>| slot.flatten().map(Box::new);
        good.then_some(())?;
        Some((predicate?, boxed(success), boxed(failure)))
    }

    fn assignment(&mut self, form: &Form, rest: &[Form]) -> Option<Command> {
        let [name, value] = rest else {
            return self.refuse(Code::Shape, form.span, "expected (set name value)");
        };
        let value = self.value(value);
        match &name.kind {
            FormKind::Word(word) if is_symbol(word) => {
                self.set.insert((*word).to_owned());
                Some(plain(CommandKind::Set((*word).to_owned(), value?), form))
            }
            _ => {
                let message = format!("expected a variable's name, found {}", found(name));
                self.problem(
                    Diagnostic::new(Code::Shape, name.span, message)
                        .hint("a variable is a bare word: (set answer $status)"),
                );
                None
            }
        }
    }

    /// Refuses what is neither an option nor the body of an `await`.
    fn only_options(&mut self, forms: &[Form], body: Option<&Form>) {
        for form in forms.iter().filter(|form| body.is_none_or(|body| !std::ptr::eq(*form, body))) {
            self.only_option(form);
        }
    }
}

/// A predicate and its branches.
type Condition = (Predicate, Option<Box<Command>>, Option<Box<Command>>);

fn plain(kind: CommandKind, form: &Form) -> Command {
    with(kind, Options::default(), form)
}

fn with(kind: CommandKind, options: Options, form: &Form) -> Command {
    Command {
        kind,
        retries: options.retries.unwrap_or(0),
        within: options.within,
        success: options.success,
        failure: options.failure,
        span: form.span,
    }
}
