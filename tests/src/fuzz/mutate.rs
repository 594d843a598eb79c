//! Inputs made from others: bytes changed, pieces taken out, doubled and put together, words put in; also so often
//! that limits are met. A seed fixes all of it.

use crate::property::dice::Dice;

/// The longest input that is made.
const LONGEST: usize = 256 * 1024;

/// What the languages and formats are made of.
const WORDS: &[&str] = &[
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ";",
    ",",
    ":",
    "=",
    "!=",
    "<",
    ">=",
    "(seq ",
    "(all ",
    "(any ",
    "(count ",
    "(within ",
    "(fail ",
    "(event ",
    "(when ",
    "(and ",
    "(or ",
    "(not ",
    "(exists ",
    "(contains ",
    "(send echo message {",
    "(par ",
    "(delay ",
    "(expect ",
    "(await ",
    "(if ",
    "(set ",
    "(success ",
    "(failure ",
    "(retries ",
    "(template {",
    "(within 1 hours ",
    "*a*",
    "$a",
    "+TM1",
    ":message ",
    "\"x\"",
    "true",
    "false",
    "null",
    "nil",
    "10000",
    "4000000000",
    "99999999999999999999",
    "-0",
    "0.5",
    "1e400",
    "1e-400",
    "hours",
    "days",
    "\\u0000",
    "\\ud800",
    "\\udfff\\ud800",
    "\u{0}",
    "é",
    "\u{1f600}",
    "\u{202e}",
    "{{",
    "}}",
    "{{#a}}",
    "{{/a}}",
    "{{^b}}",
    "{{{c}}}",
    "{{&d}}",
    "{{> TM1}}",
    "{{!x}}",
    "{{.}}",
    "{{#many}}",
    "{{/many}}",
    "{{=<% %>=}}",
    "Basic ",
    "Bearer ",
    "grant_type=client_credentials",
    "&scope=",
    "client_id=",
    "client_secret=secret-canary",
    "%00",
    "%ff",
    "%e2%82",
    "+",
    "&",
    "\r\n",
    "\n",
    "\t",
    " ",
    "/",
    "==",
    "QWxhZGRpbjpvcGVu",
];

/// An input made from one or two of `corpus`.
pub fn mutated(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = if corpus.is_empty() { Vec::new() } else { dice.one_of(corpus).clone() };
    for _ in 0..dice.between(1, 8) {
        change(dice, &mut input, corpus);
    }
    input.truncate(LONGEST);
    input
}

fn change(dice: &mut Dice, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let (from, to) = piece(dice, input.len());
    match dice.between(0, 8) {
        0 if from < input.len() => input[from] = byte(dice),
        1 if from < input.len() => input[from] ^= 1 << dice.between(0, 7),
        2 => input.insert(from, byte(dice)),
        3 => drop(input.drain(from..to)),
        4 => {
            let piece = input[from..to].to_vec();
            insert(input, to, &piece);
        }
        5 if !corpus.is_empty() => {
            let other = dice.one_of(corpus);
            let (a, b) = piece(dice, other.len());
            insert(input, from, &other[a..b]);
        }
        6 => {
            // Often enough to meet a limit, now and then.
            let times = if dice.chance(3) { dice.between(1_000, 50_000) } else { dice.between(2, 80) };
            let word = dice.one_of(WORDS).repeat(times);
            insert(input, from, word.as_bytes());
        }
        _ => insert(input, from, dice.one_of(WORDS).as_bytes()),
    }
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if input.len() + piece.len() <= LONGEST * 2 {
        input.splice(at..at, piece.iter().copied());
    }
}

fn byte(dice: &mut Dice) -> u8 {
    u8::try_from(dice.between(0, 255)).unwrap_or_default()
}

/// A piece of something so long: mostly a short one.
fn piece(dice: &mut Dice, length: usize) -> (usize, usize) {
    let from = dice.between(0, length);
    let most = if dice.chance(80) { 16 } else { length };
    (from, dice.between(from, length.min(from + most)))
}
