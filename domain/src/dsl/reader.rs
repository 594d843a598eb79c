//! Text → forms: what both languages share (when.md §1, then.md §1).
//!
//! The text comes as flat tokens (`token.rs`); nesting is a stack of our own, so depth costs no call stack, and
//! [`Limits`] are held before anything is built. It knows parentheses, braces, strings, numbers and words; what a
//! word means is the languages' business.

use std::borrow::Cow;

use super::diagnostic::{MOST, quoted};
pub(super) use super::token::is_symbol;
use super::token::{Bracket, Fragment, Token, begins_like_a_number, fragment, token};
use super::{Code, Diagnostic, Limits, Span};
use crate::json::Number;

/// A form and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Form<'a> {
    /// What it is.
    pub kind: FormKind<'a>,
    /// Where it stands; for a list from its opening to its closing parenthesis.
    pub span: Span,
}

/// What a form is.
#[derive(Clone, Debug, PartialEq)]
pub enum FormKind<'a> {
    /// `( … )`
    List(Vec<Form<'a>>),
    /// `{ … }` (then only): its forms in order, names and values in turn.
    Map(Vec<Form<'a>>),
    /// `"…"`, unescaped.
    Text(Cow<'a, str>),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Bool(bool),
    /// Any other word, as it stands: symbols, and for `then` also `*name*`, `$name`, `+TM1`, `:name`.
    Word(&'a str),
}

impl Form<'_> {
    /// What it is, as a person would say it.
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            FormKind::List(forms) if forms.is_empty() => "an empty list".to_owned(),
            FormKind::List(_) => "a list".to_owned(),
            FormKind::Map(_) => "a map".to_owned(),
            FormKind::Text(text) => format!("the string {}", quoted(text)),
            FormKind::Number(number) => number.to_string().chars().take(40).collect(),
            FormKind::Bool(value) => value.to_string(),
            FormKind::Word(word) => format!("the word {}", quoted(word)),
        }
    }
}

/// Nesting beyond this is refused whatever the limits say: what walks a tree may do so by recursion.
const DEEPEST: usize = 256;

/// Reads all forms of `source`.
///
/// # Errors
/// Every problem that can be told apart from the others, in the order of their places, but no more than a few: the
/// rest of a text that is wrong from one end to the other says nothing new.
pub fn read<'a>(source: &'a str, limits: &Limits) -> Result<Vec<Form<'a>>, Vec<Diagnostic>> {
    match recover(source, limits) {
        (Some(forms), problems) if problems.is_empty() => Ok(forms),
        (_, problems) => Err(problems),
    }
}

/// As [`read`]; where no more is wrong than parentheses, there are forms all the same (as if what is open were closed
/// at the end, and a surplus closer were not there), in which more may be found to mend.
pub(super) fn recover<'a>(source: &'a str, limits: &Limits) -> (Option<Vec<Form<'a>>>, Vec<Diagnostic>) {
    if source.len() > limits.source {
        let message = format!("{} bytes of source; at most {} are taken", source.len(), limits.source);
        return (None, vec![Diagnostic::new(Code::Limit, Span::new(0, 0), message)]);
    }
    let mut reader = Reader {
        source,
        limits,
        open: Vec::new(),
        forms: Vec::new(),
        count: 0,
        problems: Vec::new(),
        readable: true,
    };
    if reader.tokens().is_ok() {
        reader.end();
    } else {
        reader.readable = false;
    }
    reader.problems.sort_by_key(|problem| problem.span.start);
    (reader.readable.then_some(reader.forms), reader.problems)
}

struct Reader<'a, 'l> {
    source: &'a str,
    limits: &'l Limits,
    /// What is open around the place, the innermost last.
    open: Vec<Open<'a>>,
    /// The forms read so far in the innermost of them.
    forms: Vec<Form<'a>>,
    count: usize,
    problems: Vec<Diagnostic>,
    /// Whether no more than parentheses is wrong so far.
    readable: bool,
}

struct Open<'a> {
    bracket: Bracket,
    at: usize,
    /// The forms that stand before it in what is around it.
    before: Vec<Form<'a>>,
}

/// Nothing more can be told from the rest of the text.
struct Stop;

impl<'a> Reader<'a, '_> {
    fn tokens(&mut self) -> Result<(), Stop> {
        let mut rest = self.source;
        while let Ok((after, token)) = token(rest) {
            let span = Span::new(self.at(rest), self.at(after));
            rest = match token {
                Token::Blank => after,
                Token::Quote => self.text(after, span)?,
                Token::Word(word) => {
                    let kind = self.word(word, span)?;
                    self.push(kind, span)?;
                    after
                }
                Token::Open(bracket) => {
                    self.opens(bracket, span)?;
                    after
                }
                Token::Close(bracket) => {
                    self.closes(bracket, span)?;
                    after
                }
                Token::Stray(c) => {
                    self.unreadable(stray(c, span))?;
                    after
                }
            };
        }
        Ok(())
    }

    /// The offset at which `rest`, an end of the source, begins.
    fn at(&self, rest: &str) -> usize {
        self.source.len() - rest.len()
    }

    fn problem(&mut self, problem: Diagnostic) -> Result<(), Stop> {
        self.problems.push(problem);
        if self.problems.len() < MOST { Ok(()) } else { Err(Stop) }
    }

    fn unreadable(&mut self, problem: Diagnostic) -> Result<(), Stop> {
        self.readable = false;
        self.problem(problem)
    }

    fn refuse(&mut self, code: Code, span: Span, message: String) -> Stop {
        self.problems.push(Diagnostic::new(code, span, message));
        Stop
    }

    fn push(&mut self, kind: FormKind<'a>, span: Span) -> Result<(), Stop> {
        self.forms.push(Form { kind, span });
        self.counted(span)
    }

    fn counted(&mut self, span: Span) -> Result<(), Stop> {
        self.count += 1;
        if self.count > self.limits.forms {
            let message = format!("more than {} forms", self.limits.forms);
            return Err(self.refuse(Code::Limit, span, message));
        }
        Ok(())
    }

    fn opens(&mut self, bracket: Bracket, span: Span) -> Result<(), Stop> {
        let deepest = self.limits.depth.min(DEEPEST);
        if self.open.len() == deepest {
            return Err(self.refuse(Code::Limit, span, format!("nested over {deepest} deep")));
        }
        self.counted(span)?;
        self.open.push(Open { bracket, at: span.start, before: std::mem::take(&mut self.forms) });
        Ok(())
    }

    fn closes(&mut self, bracket: Bracket, span: Span) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else {
            let message = format!("`{}` closes nothing: nothing is open here", bracket.closer());
            return self.problem(Diagnostic::new(Code::Syntax, span, message));
        };
        let expected = open.bracket;
        self.close(open, span.end);
        if expected != bracket {
            let (expected, found) = (expected.closer(), bracket.closer());
            let message = format!("expected `{expected}`, found `{found}`");
            return self.problem(Diagnostic::new(Code::Syntax, span, message));
        }
        Ok(())
    }

    /// Makes a form of what was open up to `end`.
    fn close(&mut self, open: Open<'a>, end: usize) {
        let inside = std::mem::replace(&mut self.forms, open.before);
        let kind = match open.bracket {
            Bracket::Round => FormKind::List(inside),
            Bracket::Curly => FormKind::Map(inside),
        };
        self.forms.push(Form { kind, span: Span::new(open.at, end) });
    }

    /// At the end nothing should be open.
    fn end(&mut self) {
        let Some(innermost) = self.open.last() else { return };
        let closers: String = self.open.iter().rev().map(|open| open.bracket.closer()).collect();
        let message = match self.open.len() {
            1 => format!("the `{}` opened here is not closed", innermost.bracket.opener()),
            n => format!("{n} parentheses are not closed; the innermost was opened here"),
        };
        let span = Span::new(innermost.at, innermost.at + 1);
        let hint = format!("`{closers}` is missing at the end, or further in front");
        self.problems.push(Diagnostic::new(Code::Syntax, span, message).hint(hint));
        while let Some(open) = self.open.pop() {
            self.close(open, self.source.len());
        }
    }

    fn word(&mut self, word: &'a str, span: Span) -> Result<FormKind<'a>, Stop> {
        match word {
            "true" => return Ok(FormKind::Bool(true)),
            "false" => return Ok(FormKind::Bool(false)),
            _ if !begins_like_a_number(word) => return Ok(FormKind::Word(word)),
            _ => {}
        }
        let exponent = word.contains(['e', 'E']);
        if let Some(number) = Number::from_text(word).filter(|_| !exponent) {
            return Ok(FormKind::Number(number));
        }
        let word = quoted(word);
        let problem = Diagnostic::new(Code::Syntax, span, format!("{word} is not a number"))
            .hint(format!("numbers are written 5, -5 or 0.5; as a text or a name it takes quotes: {word}"));
        self.unreadable(problem)?;
        Ok(FormKind::Number(Number::from(0_u64)))
    }

    /// Reads a string from behind its opening quote; gives what follows its closing one.
    fn text(&mut self, mut rest: &'a str, quote: Span) -> Result<&'a str, Stop> {
        let mut text = Cow::Borrowed("");
        while let Ok((after, fragment)) = fragment(rest) {
            match fragment {
                Fragment::Plain(plain) => text += plain,
                Fragment::Escaped(c) => text.to_mut().push(c),
                Fragment::Fault(message) => {
                    let span = Span::new(self.at(rest), self.at(after));
                    self.unreadable(Diagnostic::new(Code::Syntax, span, message))?;
                }
                Fragment::End => {
                    self.push(FormKind::Text(text), Span::new(quote.start, self.at(after)))?;
                    return Ok(after);
                }
            }
            rest = after;
        }
        Err(self.refuse(Code::Syntax, quote, "the string that opens here is not closed".to_owned()))
    }
}

fn stray(c: char, span: Span) -> Diagnostic {
    let problem = Diagnostic::new(Code::Syntax, span, format!("unexpected character {c:?}"));
    match c {
        '[' | ']' => problem.hint("lists are written with ( )"),
        '\'' | '`' | '“' | '”' | '„' | '‘' | '’' => problem.hint("strings stand in \" \""),
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms, written compactly: lists and maps as they are, words bare, numbers with `#`, texts as Rust's.
    fn shown(source: &str) -> String {
        fn show(forms: &[Form]) -> String {
            let form = |form: &Form| match &form.kind {
                FormKind::List(forms) => format!("({})", show(forms)),
                FormKind::Map(forms) => format!("{{{}}}", show(forms)),
                FormKind::Text(text) => format!("{text:?}"),
                FormKind::Number(number) => format!("#{number}"),
                FormKind::Bool(value) => format!("#{value}"),
                FormKind::Word(word) => (*word).to_owned(),
            };
            forms.iter().map(form).collect::<Vec<_>>().join(" ")
        }
        show(&read(source, &Limits::default()).unwrap())
    }

    /// The problems: the source's bytes each stands at, and its message.
    fn problems(source: &str, limits: &Limits) -> Vec<(usize, String)> {
        let problems = read(source, limits).unwrap_err();
        problems.into_iter().map(|problem| (problem.span.start, problem.message)).collect()
    }

    #[test]
    fn forms_are_what_the_page_says() {
        for (source, forms) in [
            ("", ""),
            (" ; nothing, but (a comment", ""),
            ("(seq,a ; b\n c)", "(seq a c)"),
            ("(= é.b/c?! \"x\")", "(= é.b/c?! \"x\")"),
            (
                "5 -5 0.50 -0 123456789012345678901234567890",
                "#5 #-5 #0.50 #-0 #123456789012345678901234567890",
            ),
            ("true false True - + -a a5 %", "#true #false True - + -a a5 %"),
            ("{:to *a.b* :n {:c $d, :e +TM1}}", "{:to *a.b* :n {:c $d :e +TM1}}"),
            (">= != a\"b\"c", ">= != a \"b\" c"),
            (r#""\"\\\n\t\r\u00e9\ud83d\ude00""#, r#""\"\\\n\t\ré😀""#),
            ("\"a\n b;(\"", r#""a\n b;(""#),
        ] {
            assert_eq!(shown(source), forms, "{source}");
        }
    }

    #[test]
    fn a_form_knows_where_it_stands() {
        let forms = read(" (é \"a\\n\") b", &Limits::default()).unwrap();
        let FormKind::List(inside) = &forms[0].kind else { panic!("a list") };
        let spans: Vec<Span> = inside.iter().chain(&forms).map(|form| form.span).collect();
        assert_eq!(spans, [Span::new(2, 4), Span::new(5, 10), Span::new(1, 11), Span::new(12, 13)]);
    }

    #[test]
    fn each_problem_is_told_at_its_place() {
        for (source, expected) in [
            ("(a (b)", vec![(0, "the `(` opened here is not closed")]),
            ("(a {b (c)", vec![(3, "2 parentheses are not closed; the innermost was opened here")]),
            ("(a)) b)", vec![(3, "`)` closes nothing"), (6, "`)` closes nothing")]),
            ("(a} {b)", vec![(2, "expected `)`, found `}`"), (6, "expected `}`, found `)`")]),
            ("(a \"b)", vec![(3, "the string that opens here is not closed")]),
            ("[a @", vec![(0, "unexpected character '['"), (3, "unexpected character '@'")]),
            ("+5 .5 5a 1e5 007 -.5", [0, 3, 6, 9, 13, 17].map(|at| (at, "is not a number")).to_vec()),
            (
                r#""\x" "\ud83d" "\ude00 \u12""#,
                vec![
                    (1, "an escape is"),
                    (6, "half of a surrogate pair"),
                    (15, "half of a surrogate pair"),
                    (22, "an escape is"),
                ],
            ),
            ("(a # \"\\", vec![(3, "unexpected character '#'"), (5, "is not closed"), (6, "an escape is")]),
        ] {
            let found = problems(source, &Limits::default());
            assert_eq!(found.len(), expected.len(), "{source}: {found:?}");
            for ((at, message), (expected_at, part)) in found.iter().zip(&expected) {
                assert!(at == expected_at && message.contains(part), "{source}: {found:?}");
            }
        }
    }

    #[test]
    fn limits_hold_before_anything_is_built() {
        let limits = Limits { source: 1 << 20, ..Limits::default() };
        let deep = |n: usize| format!("{}{}", "(".repeat(n), ")".repeat(n));
        assert!(read(&deep(64), &limits).is_ok());
        assert_eq!(problems(&deep(65), &limits), [(64, "nested over 64 deep".to_owned())]);
        assert_eq!(problems(&"(".repeat(100_000), &limits), [(64, "nested over 64 deep".to_owned())]);
        assert_eq!(
            problems(&deep(100_000), &Limits { depth: usize::MAX, forms: usize::MAX, ..limits })[0].0,
            DEEPEST
        );
        assert!(read(&"a ".repeat(1_000), &limits).is_ok());
        assert_eq!(problems(&"a ".repeat(1_001), &limits), [(2_000, "more than 1000 forms".to_owned())]);
        assert_eq!(problems(&"()".repeat(1_001), &limits), [(2_000, "more than 1000 forms".to_owned())]);
        assert_eq!(problems(&")".repeat(100_000), &limits).len(), MOST);
        assert_eq!(problems(&" ".repeat(65_537), &Limits::default())[0].0, 0);
    }
}
