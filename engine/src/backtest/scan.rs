//! A line of JSON → what matching needs of it: key, time, and whom it concerns.
//!
//! Each line is checked in full, also where no pattern looks.

use domain::json::{self, Json, Object};
use domain::value::{Attributes, Value};

use super::Error;
use super::input::{Block, LONGEST_LINE};
use crate::matching::{PatternSet, Touched};
use domain::time::Stamp;

/// How many skipped lines are named.
const NAMED: usize = 10;

/// What was made of the lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    pub events: u64,
    pub skipped: u64,
    pub first_skipped: Vec<(u64, String)>,
    pub without_time: u64,
}

impl Tally {
    fn skip(&mut self, line: u64, reason: String) {
        self.skipped += 1;
        if self.first_skipped.len() < NAMED {
            self.first_skipped.push((line, reason));
        }
    }

    /// The tally of both.
    pub fn add(&mut self, other: Self) {
        self.events += other.events;
        self.skipped += other.skipped;
        self.without_time += other.without_time;
        self.first_skipped.extend(other.first_skipped);
        self.first_skipped.sort_unstable();
        self.first_skipped.truncate(NAMED);
    }
}

/// An event as matching sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanned<'a> {
    pub line: u64,
    pub key: &'a str,
    pub time: i64,
    pub touched: &'a [(u32, crate::matching::Met)],
}

/// Reads lines.
pub(super) struct Scanner<'a> {
    set: &'a PatternSet,
    key: &'a str,
    time_field: &'a str,
    touched: Touched,
    pub tally: Tally,
}

impl<'a> Scanner<'a> {
    pub fn new(set: &'a PatternSet, key: &'a str, time_field: &'a str) -> Self {
        Self { set, key, time_field, touched: Touched::new(), tally: Tally::default() }
    }

    /// Hands on the events of a block.
    pub fn block(
        &mut self,
        block: &Block,
        hand_on: &mut impl FnMut(Scanned<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match block {
            Block::TooLong(line) => self.tally.skip(*line, too_long()),
            Block::Lines { first, bytes } => {
                let mut from = 0;
                let ends = memchr::memchr_iter(b'\n', bytes);
                let last = (bytes.last() != Some(&b'\n')).then_some(bytes.len());
                for (line, end) in (*first..).zip(ends.chain(last)) {
                    if let Some(bytes) = bytes.get(from..end) {
                        self.line(line, bytes, hand_on)?;
                    }
                    from = end + 1;
                }
            }
        }
        Ok(())
    }

    fn line(
        &mut self,
        line: u64,
        bytes: &[u8],
        hand_on: &mut impl FnMut(Scanned<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let event = match parse(bytes) {
            Ok(event) => event,
            Err(reason) => {
                self.tally.skip(line, reason);
                return Ok(());
            }
        };
        let Some(key) = event.attribute(self.key).as_ref().and_then(key_text) else {
            self.tally.skip(line, format!("no usable {:?}", self.key));
            return Ok(());
        };
        let time = event.attribute(self.time_field).as_ref().and_then(time_of).unwrap_or_else(|| {
            self.tally.without_time += 1;
            i64::try_from(line).unwrap_or(i64::MAX)
        });
        self.set.touched(&event, &mut self.touched);
        self.tally.events += 1;
        hand_on(Scanned { line, key: &key, time, touched: &self.touched })
    }
}

fn too_long() -> String {
    format!("longer than {} KiB", LONGEST_LINE / 1024)
}

fn parse(line: &[u8]) -> Result<Object, String> {
    if line.len() > LONGEST_LINE {
        return Err(too_long());
    }
    match json::parse(line, json::Limits::STORED) {
        Ok(Json::Object(event)) => Ok(event),
        Ok(other) => Err(format!("not an object but {}", other.kind())),
        Err(error) => Err(format!("{} at column {}", error.message, error.column)),
    }
}

/// A key as text: that of a string that is not empty, a number as it stands, a boolean.
fn key_text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Text(text) if !text.is_empty() => Some(text.to_string()),
        Value::Number(text) => Some((*text).to_owned()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Text(_) | Value::Null | Value::Compound(_) => None,
    }
}

/// A time in milliseconds: of a number, its fraction cut off, or of an RFC 3339 string.
fn time_of(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Number(text) => text.parse().ok().or_else(|| {
            let millis = text.parse::<f64>().ok()?.trunc();
            // Both bounds are exact in f64; the upper one is the first that is too great.
            (millis >= i64::MIN as f64 && millis < i64::MAX as f64).then_some(millis as i64)
        }),
        Value::Text(text) => Stamp::from_rfc3339(text).map(|stamp| stamp.0),
        Value::Null | Value::Bool(_) | Value::Compound(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_or_rfc_3339() {
        for (text, time) in [
            ("1700000000003", Some(1_700_000_000_003)),
            ("1700000000003.9", Some(1_700_000_000_003)),
            ("-1.9", Some(-1)),
            ("1.7e12", Some(1_700_000_000_000)),
            ("1e30", None),
            ("99999999999999999999", None),
            (r#""1970-01-01T00:00:01Z""#, Some(1_000)),
            (r#""17""#, None),
            ("true", None),
        ] {
            let json = json::parse(text.as_bytes(), json::Limits::STORED).unwrap();
            assert_eq!(time_of(&(&json).into()), time, "{text}");
        }
    }
}
