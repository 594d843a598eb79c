//! A line of JSON → what matching needs of it: key, time, and whom it concerns.
//!
//! Each line is checked in full, also where no pattern looks.

use std::borrow::Cow;

use domain::json::{self, Json, scan};
use domain::time::Stamp;
use domain::value::Value;

use super::batch::{self, Batch};
use super::input::{Block, LONGEST_LINE};
use crate::matching::PatternSet;

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
    fn skip(&mut self, line: u64, reason: impl FnOnce() -> String) {
        self.skipped += 1;
        if self.first_skipped.len() < NAMED {
            self.first_skipped.push((line, reason()));
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

/// Reads lines.
pub(super) struct Scanner<'a> {
    set: &'a PatternSet,
    key: &'a str,
    /// The place of the time among the attributes that are asked for; the key has the first.
    time: usize,
    lines: scan::Scanner,
    pub tally: Tally,
}

impl<'a> Scanner<'a> {
    pub fn new(set: &'a PatternSet, key: &'a str, time_field: &'a str) -> Self {
        let lines = scan::Scanner::with([key, time_field], set.attributes());
        Self { set, key, time: usize::from(time_field != key), lines, tally: Tally::default() }
    }

    /// Adds the events of a block, divided among batches by their keys.
    pub fn block(&mut self, block: &Block, batches: &mut [Batch]) {
        match block {
            Block::TooLong(line) => self.tally.skip(*line, too_long),
            Block::Lines { first, bytes } => self.bytes(*first, bytes, batches),
        }
    }

    /// Whole lines. That they are UTF-8 is found out for all of them together, and around each that is not.
    fn bytes(&mut self, first: u64, bytes: &[u8], batches: &mut [Batch]) {
        let (mut line, mut rest) = (first, bytes);
        loop {
            let bad = match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.text(line, text, batches);
                    return;
                }
                Err(error) => error.valid_up_to(),
            };
            let (good, after) = rest.split_at(bad);
            let (good, begun) = good.split_at(memchr::memrchr(b'\n', good).map_or(0, |end| end + 1));
            line = self.text(line, std::str::from_utf8(good).unwrap_or_default(), batches);
            let ended = memchr::memchr(b'\n', after).unwrap_or(after.len());
            let whole = rest.get(good.len()..good.len() + begun.len() + ended).unwrap_or_default();
            self.tally.skip(line, || reason(whole));
            line += 1;
            rest = after.get(ended + 1..).unwrap_or_default();
        }
    }

    /// Whole lines; the number of the line after them.
    fn text(&mut self, first: u64, text: &str, batches: &mut [Batch]) -> u64 {
        let (mut line, mut from) = (first, 0);
        while from < text.len() {
            let end = match self.lines.line(text, from) {
                Some(end) if end - from <= LONGEST_LINE => {
                    self.event(line, text, batches);
                    end
                }
                _ => {
                    let rest = text.as_bytes().get(from..).unwrap_or_default();
                    let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                    self.tally.skip(line, || reason(rest.get(..length).unwrap_or_default()));
                    from + length
                }
            };
            from = end + 1;
            line += 1;
        }
        line
    }

    /// The event of the line that was read last.
    fn event(&mut self, line: u64, text: &str, batches: &mut [Batch]) {
        let event = self.lines.event(text);
        let Some(key) = event.nth(0).and_then(key_text) else {
            return self.tally.skip(line, || format!("no usable {:?}", self.key));
        };
        let time = event.nth(self.time).as_ref().and_then(time_of).unwrap_or_else(|| {
            self.tally.without_time += 1;
            i64::try_from(line).unwrap_or(i64::MAX)
        });
        self.tally.events += 1;
        let hash = batch::hash(&key);
        // The low bits: tables use the high ones first.
        let shard = match batches.len() as u64 {
            0 | 1 => 0,
            shards => (hash & 0xffff) % shards,
        };
        if let Some(batch) = batches.get_mut(shard as usize) {
            self.set.touched(&event, &mut batch.touched);
            batch.push(line, &key, hash, time);
        }
    }
}

fn too_long() -> String {
    format!("longer than {} KiB", LONGEST_LINE / 1024)
}

/// Why a line is no event.
fn reason(line: &[u8]) -> String {
    if line.len() > LONGEST_LINE {
        return too_long();
    }
    match json::parse(line, json::Limits::STORED) {
        Ok(Json::Object(_)) => "not an event".to_owned(),
        Ok(other) => format!("not an object but {}", other.kind()),
        Err(error) => format!("{} at column {}", error.message, error.column),
    }
}

/// A key as text: that of a string that is not empty, a number as it stands, a boolean.
fn key_text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Text(text) if !text.is_empty() => Some(text),
        Value::Number(text) => Some(Cow::Borrowed(text)),
        Value::Bool(value) => Some(Cow::Borrowed(if value { "true" } else { "false" })),
        Value::Text(_) | Value::Null | Value::Compound(_) => None,
    }
}

/// A time in milliseconds: of a number, its fraction cut off, or of an RFC 3339 string.
fn time_of(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Number(text) => digits(text).or_else(|| text.parse().ok()).or_else(|| {
            let millis = text.parse::<f64>().ok()?.trunc();
            // Both bounds are exact in f64; the upper one is the first that is too great.
            (millis >= i64::MIN as f64 && millis < i64::MAX as f64).then_some(millis as i64)
        }),
        Value::Text(text) => Stamp::from_rfc3339(text).map(|stamp| stamp.0),
        Value::Null | Value::Bool(_) | Value::Compound(_) => None,
    }
}

/// A number of nothing but digits that cannot be too many, eight at a time.
fn digits(text: &str) -> Option<i64> {
    if text.len() > 18 {
        return None;
    }
    let (eights, rest) = text.as_bytes().as_chunks::<8>();
    let high =
        eights.iter().try_fold(0, |number, eight| Some(number * 100_000_000 + eight_digits(*eight)?))?;
    rest.iter().try_fold(high, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + i64::from(digit))
    })
}

fn eight_digits(text: [u8; 8]) -> Option<i64> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let digits = u64::from_le_bytes(text) ^ (ONES * b'0' as u64);
    if (digits.wrapping_add(ONES * (0x80 - 10)) | digits) & (ONES << 7) != 0 {
        return None;
    }
    // Neighbours make pairs, pairs fours, fours the eight; the first digit is the lowest byte.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some(((fours * 10_000 + (fours >> 32)) & 0xffff_ffff) as i64)
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
            ("12345678", Some(12_345_678)),
            ("999999999999999999", Some(999_999_999_999_999_999)),
            ("9223372036854775807", Some(i64::MAX)),
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
