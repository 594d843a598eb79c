//! Forms → triggers: one function per form; what they have in common comes first.
//!
//! A part that is wrong is reported and left out, and its neighbours are read all the same, so that one look shows
//! all there is to mend. Where a `fail` may stand is [`fail`]'s business, predicates are
//! [`condition`](super::condition)'s.

use std::fmt::Display;

use super::fail::{self, Seat};
use super::{Trigger, amount, bound};
use crate::dsl::diagnostic::{nearest, quoted};
use crate::dsl::reader::{Form, FormKind};
use crate::dsl::{Code, Diagnostic, Limits, Span};

/// The words that begin a trigger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Keyword {
    Event,
    Count,
    Seq,
    All,
    Any,
    Within,
    Fail,
    When,
}

const KEYWORDS: [(&str, Keyword); 11] = [
    ("event", Keyword::Event),
    ("count", Keyword::Count),
    ("seq", Keyword::Seq),
    ("all", Keyword::All),
    ("any", Keyword::Any),
    ("within", Keyword::Within),
    ("fail", Keyword::Fail),
    ("when", Keyword::When),
    ("allOf", Keyword::All),
    ("anyOf", Keyword::Any),
    ("failWhen", Keyword::Fail),
];

impl Keyword {
    pub(super) fn of(word: &str) -> Option<Self> {
        find(&KEYWORDS, word)
    }
}

/// The meaning of `word`, read without regard to case.
pub(super) fn find<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    table.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, meaning)| *meaning)
}

/// A list that begins with a word.
#[derive(Clone, Copy)]
pub(super) struct Call<'f> {
    pub(super) word: &'f str,
    pub(super) word_span: Span,
    pub(super) parts: &'f [Form<'f>],
    pub(super) span: Span,
}

impl<'f> Call<'f> {
    pub(super) fn of(form: &'f Form<'f>) -> Option<Self> {
        let FormKind::List(forms) = &form.kind else { return None };
        let (head, parts) = forms.split_first()?;
        let FormKind::Word(word) = &head.kind else { return None };
        Some(Self { word, word_span: head.span, parts, span: form.span })
    }
}

pub(super) struct Parser<'a> {
    pub(super) limits: &'a Limits,
    pub(super) problems: Vec<Diagnostic>,
}

impl Parser<'_> {
    /// The one trigger that the whole source is.
    pub(super) fn whole(&mut self, forms: &[Form]) -> Option<Trigger> {
        let Some((first, rest)) = forms.split_first() else {
            let problem = Diagnostic::new(Code::Shape, Span::new(0, 0), "expected a trigger, found nothing")
                .hint("for example (event (= type \"order\"))");
            self.report(problem);
            return None;
        };
        if let Some(second) = rest.first() {
            let message = format!("expected the end, found {}: a `when` is one trigger", second.describe());
            let hint = "several are combined with all, any, seq; or the one before is closed too early";
            self.report(Diagnostic::new(Code::Shape, second.span, message).hint(hint));
        }
        let trigger = self.trigger(first, Seat::Outermost)?;
        self.problems.extend(bound::check(&trigger, first.span, self.limits));
        Some(trigger)
    }

    pub(super) fn report(&mut self, problem: Diagnostic) {
        self.problems.push(problem);
    }

    /// The value, or a report of what is wrong.
    fn accept<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|problem| self.report(problem)).ok()
    }

    /// A list that begins with a word; `what` is expected here.
    pub(super) fn call<'f>(&mut self, form: &'f Form<'f>, what: &str) -> Option<Call<'f>> {
        let call = Call::of(form);
        if call.is_none() {
            let message = match &form.kind {
                FormKind::List(forms) if !forms.is_empty() => {
                    format!("expected a keyword after the parenthesis, found {}", forms[0].describe())
                }
                _ => format!("expected {what}, found {}", form.describe()),
            };
            self.report(Diagnostic::new(Code::Shape, form.span, message));
        }
        call
    }

    /// A word that begins nothing that is known here.
    pub(super) fn unknown<'t>(&mut self, call: &Call<'_>, what: &str, words: impl Iterator<Item = &'t str>) {
        let words: Vec<&str> = words.collect();
        let message = format!("unknown word {}", quoted(call.word));
        let hint = match nearest(call.word, words.iter().copied()) {
            Some(word) => format!("did you mean {word:?}?"),
            None => format!("{what} begins with one of {}", words.join(", ")),
        };
        self.report(Diagnostic::new(Code::UnknownWord, call.word_span, message).hint(hint));
    }

    /// Exactly `N` parts, which `takes` names; a surplus one is reported with `hint`, and the others are still read.
    pub(super) fn exactly<'f, const N: usize>(
        &mut self,
        call: &Call<'f>,
        takes: &str,
        hint: impl Display,
    ) -> Option<&'f [Form<'f>; N]> {
        let problem = |span, what: &str| {
            Diagnostic::new(Code::Shape, span, format!("`{}` takes {takes}; {what}", call.word))
                .hint(hint.to_string())
        };
        if let Some(surplus) = call.parts.get(N) {
            self.report(problem(surplus.span, "this is one part too many"));
        }
        let parts = call.parts.first_chunk();
        if parts.is_none() {
            self.report(problem(call.end(), "something is missing"));
        }
        parts
    }

    /// At least one part.
    pub(super) fn some<'f>(&mut self, call: &Call<'f>, takes: &str) -> &'f [Form<'f>] {
        if call.parts.is_empty() {
            let message = format!("`{}` takes at least one {takes}", call.word);
            self.report(Diagnostic::new(Code::Shape, call.end(), message));
        }
        call.parts
    }

    /// The trigger that `form` is, where it stands in `seat`.
    pub(super) fn trigger(&mut self, form: &Form, seat: Seat) -> Option<Trigger> {
        let call = self.call(form, "a trigger such as (event …)")?;
        let Some(keyword) = Keyword::of(call.word) else {
            self.no_trigger(&call);
            return None;
        };
        if let Some(problem) = fail::misplaced(form, seat) {
            self.report(problem);
        }
        match keyword {
            Keyword::Event => self.event(&call),
            Keyword::Count => self.count(&call),
            Keyword::Seq => self.seq(&call, seat),
            Keyword::All => self.all(&call),
            Keyword::Any => self.members(&call, Seat::Alternative).map(Trigger::Any),
            Keyword::Within => self.within(&call),
            Keyword::Fail => {
                let [guarded] = self.exactly(&call, "one trigger", "several are combined with any or all")?;
                Some(Trigger::Fail(Box::new(self.trigger(guarded, Seat::Guard)?)))
            }
            Keyword::When => self.when(&call, seat),
        }
    }

    fn no_trigger(&mut self, call: &Call<'_>) {
        if super::condition::is_keyword(call.word) {
            let message = format!("expected a trigger, found the predicate `{}`", call.word);
            let hint = match call.word.to_ascii_lowercase().as_str() {
                "and" => {
                    "triggers are combined with all; a predicate stands in an event: (event (and …))".into()
                }
                "or" => {
                    "triggers are combined with any; a predicate stands in an event: (event (or …))".into()
                }
                word => format!("a predicate stands in an event: (event ({word} …))"),
            };
            self.report(Diagnostic::new(Code::Shape, call.word_span, message).hint(hint));
        } else {
            self.unknown(call, "a trigger", KEYWORDS.iter().map(|(word, _)| *word));
        }
    }

    fn event(&mut self, call: &Call<'_>) -> Option<Trigger> {
        if let Some(inner) = call.parts.get(1).filter(|part| is(part, Keyword::Event)) {
            let problem = Diagnostic::new(Code::Shape, inner.span, "an `event` inside an `event`").hint(
                "the parenthesis that closes the event before it is missing here, or one too many at the end",
            );
            self.report(problem);
            return None;
        }
        let [predicate] = self.exactly(call, "one predicate", "several are combined with and, or")?;
        self.predicate(predicate).map(Trigger::Event)
    }

    fn count(&mut self, call: &Call<'_>) -> Option<Trigger> {
        let most = self.limits.count.min(u32::MAX.into());
        let hint = "for example (count 2 (event …))";
        let [n, trigger] = self.exactly(call, "a whole number and one trigger", hint)?;
        let n = self.accept(amount::whole(n, call.word, 1, most));
        let trigger = self.trigger(trigger, Seat::Counted)?;
        Some(Trigger::Count(u32::try_from(n?).ok()?, Box::new(trigger)))
    }

    fn within(&mut self, call: &Call<'_>) -> Option<Trigger> {
        let hint = "for example (within 1 hours (count 2 (event …)))";
        let [n, unit, trigger] = self.exactly(call, "a whole number, a unit and one trigger", hint)?;
        let span =
            amount::span(n, unit, call.word, self.limits).map_err(|problems| self.problems.extend(problems));
        let trigger = self.trigger(trigger, Seat::Window)?;
        Some(Trigger::Within(span.ok()?, Box::new(trigger)))
    }

    fn seq(&mut self, call: &Call<'_>, seat: Seat) -> Option<Trigger> {
        self.problems.extend(fail::misplaced_in_seq(call.parts, seat));
        self.members(call, Seat::Member).map(Trigger::Seq)
    }

    fn all(&mut self, call: &Call<'_>) -> Option<Trigger> {
        self.problems.extend(fail::misplaced_in_all(call));
        self.members(call, Seat::Member).map(Trigger::All)
    }

    fn members(&mut self, call: &Call<'_>, seat: Seat) -> Option<Vec<Trigger>> {
        let forms = self.some(call, "trigger");
        // All of them are read before the first that is wrong takes the whole away.
        let members: Vec<_> = forms.iter().map(|form| self.trigger(form, seat)).collect();
        members.into_iter().collect::<Option<Vec<_>>>().filter(|members| !members.is_empty())
    }

    fn when(&mut self, call: &Call<'_>, seat: Seat) -> Option<Trigger> {
        if seat != Seat::Outermost {
            let problem = Diagnostic::new(Code::Shape, call.word_span, "`when` stands outermost, and once")
                .hint("leave it out here");
            self.report(problem);
        }
        let [trigger] = self.exactly(call, "one trigger", "several are combined with all, any, seq")?;
        self.trigger(trigger, Seat::Whole)
    }
}

impl Call<'_> {
    /// The closing parenthesis.
    fn end(&self) -> Span {
        Span::new(self.span.end - 1, self.span.end)
    }
}

/// Whether `form` is a list that begins with this keyword.
pub(super) fn is(form: &Form, keyword: Keyword) -> bool {
    Call::of(form).and_then(|call| Keyword::of(call.word)) == Some(keyword)
}
