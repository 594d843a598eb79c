//! Text → tokens, on nom: one flat piece at a time, never nested, so that each costs no more than its own length.
//!
//! Nothing is refused here: what begins no token is a [`Token::Stray`], what is wrong in a string a
//! [`Fragment::Fault`]; [`reader`](super::reader) says so at their place.

use std::fmt::{self, Write};

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, take_while, take_while_m_n, take_while1};
use nom::character::complete::{anychar, char};
use nom::combinator::{map, opt, success, value, verify};
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser};

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Bracket {
    Round,
    Curly,
}

impl Bracket {
    pub(super) fn opener(self) -> char {
        if self == Self::Round { '(' } else { '{' }
    }

    pub(super) fn closer(self) -> char {
        if self == Self::Round { ')' } else { '}' }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Token<'a> {
    /// White space, commas, a comment.
    Blank,
    Open(Bracket),
    Close(Bracket),
    /// The beginning of a string.
    Quote,
    Word(&'a str),
    /// A character that begins nothing.
    Stray(char),
}

/// One token; fails only at the end.
pub(super) fn token(input: &str) -> IResult<&str, Token<'_>> {
    alt((
        value(Token::Blank, take_while1(|c: char| c.is_whitespace() || c == ',')),
        value(Token::Blank, pair(char(';'), take_while(|c| c != '\n'))),
        value(Token::Open(Bracket::Round), char('(')),
        value(Token::Close(Bracket::Round), char(')')),
        value(Token::Open(Bracket::Curly), char('{')),
        value(Token::Close(Bracket::Curly), char('}')),
        value(Token::Quote, char('"')),
        map(
            take_while1(|c| is_symbol_character(c) || matches!(c, '=' | '<' | '>' | '*' | '$' | ':')),
            Token::Word,
        ),
        map(anychar, Token::Stray),
    ))
    .parse(input)
}

/// Whether a symbol may hold `c`.
fn is_symbol_character(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '?' | '!' | '/' | '%' | '&' | '+')
}

/// Whether `word`, standing bare, is read as a symbol: nothing else, and nothing more.
pub(super) fn is_symbol(word: &str) -> bool {
    let literal = matches!(word, "" | "true" | "false") || begins_like_a_number(word);
    !literal && word.chars().all(is_symbol_character)
}

pub(super) fn begins_like_a_number(word: &str) -> bool {
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    unsigned.strip_prefix('.').unwrap_or(unsigned).starts_with(|c: char| c.is_ascii_digit())
}

/// A piece of a string.
#[derive(Clone)]
pub(super) enum Fragment<'a> {
    Plain(&'a str),
    Escaped(char),
    Fault(&'static str),
    /// The closing quote.
    End,
}

/// One piece of a string; fails only at the end of the text.
pub(super) fn fragment(input: &str) -> IResult<&str, Fragment<'_>> {
    alt((
        map(is_not("\"\\"), Fragment::Plain),
        value(Fragment::End, char('"')),
        preceded(
            char('\\'),
            alt((
                value(Fragment::Escaped('"'), char('"')),
                value(Fragment::Escaped('\\'), char('\\')),
                value(Fragment::Escaped('\n'), char('n')),
                value(Fragment::Escaped('\t'), char('t')),
                value(Fragment::Escaped('\r'), char('r')),
                unicode,
                value(Fragment::Fault(r#"an escape is one of \" \\ \n \t \r \uXXXX"#), success(())),
            )),
        ),
    ))
    .parse(input)
}

/// `uXXXX`, of a surrogate pair both halves.
fn unicode(input: &str) -> IResult<&str, Fragment<'_>> {
    let low = preceded(tag("\\u"), verify(hex4, |code| (0xDC00..0xE000).contains(code)));
    let (after, high) = preceded(char('u'), hex4).parse(input)?;
    let (after, code) = if (0xD800..0xDC00).contains(&high) {
        map(opt(low), |low| low.map_or(high, |low| 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)))
            .parse(after)?
    } else {
        (after, high)
    };
    let half = Fragment::Fault("half of a surrogate pair is not a character");
    Ok((after, char::from_u32(code).map_or(half, Fragment::Escaped)))
}

fn hex4(input: &str) -> IResult<&str, u32> {
    let digits = take_while_m_n(4, 4, |c: char| c.is_ascii_hexdigit());
    map(digits, |digits: &str| digits.chars().filter_map(|d| d.to_digit(16)).fold(0, |n, d| n * 16 + d))
        .parse(input)
}

/// Writes a string as [`fragment`] reads it, without raw line breaks.
pub(super) fn quote(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
