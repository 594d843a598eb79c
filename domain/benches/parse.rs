//! Parsing a pattern, beside only cutting the same text into tokens with nom, and beside only walking its bytes.
//!
//! `cargo bench -p domain --bench parse`

#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../../benches/measure.rs"]
mod measure;

use std::hint::black_box;

use domain::dsl::{Limits, then, when};
use nom::branch::alt;
use nom::bytes::complete::{is_not, take_while1};
use nom::character::complete::{char, multispace1, one_of};
use nom::combinator::{opt, recognize};
use nom::multi::fold_many0;
use nom::sequence::delimited;
use nom::{IResult, Parser};

use measure::{Run, compare, measured};

const TIMES: u64 = 40_000;

const WHEN: &str = r#"(within 30 minutes
  (seq (event (and (= type "call") (= state "abandoned") (> wait 20)))
       (count 2 (event (or (= type "tweet") (= type "mail"))))
       (fail (event (= type "callback")))
       (event (= type "purchase"))))"#;

const THEN: &str = r#"(seq (send twilio sms {:to-phone-number *phone* :from-phone-number "15551234"
                             :message "We are sorry that we missed your call"}
                        (within 20 seconds))
     (delay 5 minutes)
     (send webhook post {:url "https://example.com/hook" :body {:who *id* :kind "sorry" :n 3}}))"#;

fn main() {
    let limits = Limits::default();
    for source in [WHEN, THEN] {
        assert!(tokens(source).is_ok_and(|(rest, count)| rest.is_empty() && count > 40));
    }
    compare(
        &format!("parse `when`: {} bytes, {} tokens", WHEN.len(), tokens(WHEN).unwrap().1),
        vec![
            ("when::parse", &mut || times(|| when::parse(black_box(WHEN), &limits).unwrap())),
            ("nom cuts it into tokens", &mut || times(|| tokens(black_box(WHEN)).unwrap().1)),
            ("a walk over its bytes", &mut || times(|| walk(black_box(WHEN)))),
        ],
    );
    compare(
        &format!("parse `then`: {} bytes, {} tokens", THEN.len(), tokens(THEN).unwrap().1),
        vec![
            ("then::parse", &mut || times(|| then::parse(black_box(THEN), &limits).unwrap())),
            ("nom cuts it into tokens", &mut || times(|| tokens(black_box(THEN)).unwrap().1)),
            ("a walk over its bytes", &mut || times(|| walk(black_box(THEN)))),
        ],
    );
}

fn times<T>(mut once: impl FnMut() -> T) -> Run {
    measured(|| {
        for _ in 0..TIMES {
            black_box(once());
        }
        TIMES
    })
}

/// How many tokens there are, white space told among them.
fn tokens(source: &str) -> IResult<&str, usize> {
    let word = |c: char| !c.is_whitespace() && !"(){}[]\"".contains(c);
    let token = alt((
        multispace1,
        recognize(one_of("(){}[]")),
        recognize(delimited(char('"'), opt(is_not("\"")), char('"'))),
        take_while1(word),
    ));
    fold_many0(token, || 0, |count, _: &str| count + 1).parse(source)
}

fn walk(source: &str) -> usize {
    source.bytes().fold(0, |depth, byte| match byte {
        b'(' => depth + 1,
        b')' => depth - 1,
        _ => depth,
    })
}
