//! RFC 8259 over bytes that are known to be UTF-8, without making anything: where does what begins here end?
//!
//! Every function takes the place where something begins and tells the place after it, or `None` if it is refused.
//! What is refused, and why, is said by `parse`, which agrees with this in all cases.
//! A line feed is no white space here: it ends a line, and with it whatever is open.

use super::Kind;

/// The byte at a place; 0, which begins nothing, beyond the end.
#[inline]
pub(super) fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

/// Eight bytes, the first the lowest.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Over white space, of which there nearly always is none.
#[inline]
pub(super) fn space(bytes: &[u8], at: usize) -> usize {
    if byte(bytes, at) > b' ' { at } else { over_space(bytes, at) }
}

#[cold]
fn over_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(byte(bytes, at), b' ' | b'\t' | b'\r') {
        at += 1;
    }
    at
}

/// A value; so many arrays and objects are open around it.
pub(super) fn value(bytes: &[u8], at: usize, depth: usize) -> Option<(Kind, usize)> {
    match byte(bytes, at) {
        b'"' => string(bytes, at),
        b'-' | b'0'..=b'9' => number(bytes, at).map(|end| (Kind::Number, end)),
        b'{' => object(bytes, at, depth).map(|end| (Kind::Object, end)),
        b'[' => array(bytes, at, depth).map(|end| (Kind::Array, end)),
        b't' => literal(bytes, at, b"true").map(|end| (Kind::True, end)),
        b'f' => literal(bytes, at, b"false").map(|end| (Kind::False, end)),
        b'n' => literal(bytes, at, b"null").map(|end| (Kind::Null, end)),
        _ => None,
    }
}

fn object(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    members(bytes, at, depth, |_| {})
}

fn literal(bytes: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    bytes.get(at..)?.starts_with(word).then_some(at + word.len())
}

/// A string, from quote to quote.
#[inline]
pub(super) fn string(bytes: &[u8], at: usize) -> Option<(Kind, usize)> {
    let end = plain(bytes, at + 1);
    match byte(bytes, end) {
        b'"' => Some((Kind::Plain, end + 1)),
        b'\\' => escaped(bytes, end).map(|end| (Kind::Escaped, end)),
        _ => None,
    }
}

/// The rest of a string from its first escape.
#[cold]
fn escaped(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match byte(bytes, at) {
            b'"' => return Some(at + 1),
            b'\\' => at = plain(bytes, escape(bytes, at)?),
            _ => return None,
        }
    }
}

/// The first byte that is not just part of a string: a quote, a backslash, a control character, or the end.
#[inline]
fn plain(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = word(bytes, at) {
        let special = special(word);
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while !matches!(byte(bytes, at), b'"' | b'\\' | 0..0x20) {
        at += 1;
    }
    at
}

/// The highest bit of each byte that is special. Beyond the first of them (from the lowest) some may be wrong: what a
/// subtraction borrows reaches only upwards.
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    // With its second bit turned, a quote follows right after the control characters.
    let quote_or_control = (word ^ (ONES * 2)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGHS
}

fn escape(bytes: &[u8], at: usize) -> Option<usize> {
    match byte(bytes, at + 1) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => match hex4(bytes, at + 2)? {
            0xDC00..0xE000 => None,
            0xD800..0xDC00 => {
                let rest = literal(bytes, at + 6, b"\\u")?;
                matches!(hex4(bytes, rest)?, 0xDC00..0xE000).then_some(at + 12)
            }
            _ => Some(at + 6),
        },
        _ => None,
    }
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits: &[u8; 4] = bytes.get(at..)?.first_chunk()?;
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

fn number(bytes: &[u8], mut at: usize) -> Option<usize> {
    if byte(bytes, at) == b'-' {
        at += 1;
    }
    at = match byte(bytes, at) {
        b'0' => at + 1,
        _ => digits(bytes, at)?,
    };
    if byte(bytes, at) == b'.' {
        at = digits(bytes, at + 1)?;
    }
    if matches!(byte(bytes, at), b'e' | b'E') {
        let sign = usize::from(matches!(byte(bytes, at + 1), b'+' | b'-'));
        at = digits(bytes, at + 1 + sign)?;
    }
    Some(at)
}

/// One digit or more.
#[inline]
fn digits(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(word) = word(bytes, at) {
        let others = no_digits(word);
        if others != 0 {
            at += (others.trailing_zeros() / 8) as usize;
            return (at > from).then_some(at);
        }
        at += 8;
    }
    while byte(bytes, at).is_ascii_digit() {
        at += 1;
    }
    (at > from).then_some(at)
}

/// The highest bit of each byte that is no digit; beyond the first of them some may be wrong: what an addition carries
/// reaches only upwards.
#[inline]
fn no_digits(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let digits = word ^ (ONES * b'0' as u64);
    (digits.wrapping_add(ONES * (0x80 - 10)) | digits) & (ONES << 7)
}

fn array(bytes: &[u8], at: usize, depth: usize) -> Option<usize> {
    if depth == super::DEPTH {
        return None;
    }
    let mut at = space(bytes, at + 1);
    if byte(bytes, at) == b']' {
        return Some(at + 1);
    }
    loop {
        let (_, end) = value(bytes, at, depth + 1)?;
        at = space(bytes, end);
        match byte(bytes, at) {
            b',' => at = space(bytes, at + 1),
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// A member of an object: its name from quote to quote, and its value.
pub(super) struct Member {
    pub name: (Kind, usize, usize),
    pub value: (Kind, usize, usize),
}

/// An object, member by member.
pub(super) fn members(bytes: &[u8], at: usize, depth: usize, mut each: impl FnMut(Member)) -> Option<usize> {
    if depth == super::DEPTH {
        return None;
    }
    let mut at = space(bytes, at + 1);
    if byte(bytes, at) == b'}' {
        return Some(at + 1);
    }
    loop {
        let (name, name_end, from) = name(bytes, at)?;
        let (kind, end) = value(bytes, from, depth + 1)?;
        each(Member { name: (name, at, name_end), value: (kind, from, end) });
        at = space(bytes, end);
        match byte(bytes, at) {
            b',' => at = space(bytes, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// A member's name: its kind, where it ends, and where its value begins.
pub(super) fn name(bytes: &[u8], at: usize) -> Option<(Kind, usize, usize)> {
    if byte(bytes, at) != b'"' {
        return None;
    }
    let (kind, end) = string(bytes, at)?;
    let colon = space(bytes, end);
    (byte(bytes, colon) == b':').then(|| (kind, end, space(bytes, colon + 1)))
}
