//! Numbers as text, compared exactly (when.md §1).

use std::cmp::Ordering;
use std::fmt;

use serde_json::value::RawValue;

/// A JSON number, kept as the text that it came as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

impl Number {
    /// `text` as a number, if RFC 8259 has it as one.
    pub fn from_text(text: &str) -> Option<Self> {
        is_json_number(text).then(|| Self(text.into()))
    }

    /// The text that it came as.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value, if it is a whole number in range, written without fraction or exponent.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.parse().ok()
    }

    /// As [`Self::as_i64`], for unsigned.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// The nearest `f64`.
    pub fn as_f64(&self) -> f64 {
        self.0.parse().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value.to_string().into())
    }
}
impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(value.to_string().into())
    }
}

impl serde::Serialize for Number {
    /// With every digit that it has; a whole number has no other way to be written than the one that it came as, but for -0.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_i64() {
            Some(whole) if whole != 0 || self.as_str() == "0" => serializer.serialize_i64(whole),
            _ => {
                let text = self.0.to_string();
                let raw = RawValue::from_string(text).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }
    }
}

fn is_json_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let leading_zero = digits.len() > 1 && digits[0] == b'0' && digits[1].is_ascii_digit();
    !leading_zero && is_numeric_text(text)
}

/// Whether a string is numeric: `-?digits(.digits)?` with an optional exponent, no white space, leading zeros
/// allowed (when.md §1).
pub fn is_numeric_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    let digits = |at: &mut usize| {
        let from = *at;
        while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            *at += 1;
        }
        *at > from
    };
    if !digits(&mut at) {
        return false;
    }
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        if !digits(&mut at) {
            return false;
        }
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(bytes.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        if !digits(&mut at) {
            return false;
        }
    }
    at == bytes.len()
}

/// Compares two numeric texts: integers as integers of any size, `f64` only where a fraction or an exponent is
/// involved. `None` if a text is not numeric.
pub fn compare_numbers(a: &str, b: &str) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(compare_integers(a, b)),
        _ => a.parse::<f64>().ok()?.partial_cmp(&b.parse().ok()?),
    }
}

/// Sign and digits without leading zeros, if `text` is an integer; zero has no digits and no sign.
fn integer(text: &str) -> Option<(bool, &str)> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    Some((negative && !digits.is_empty(), digits))
}

fn compare_integers((a_negative, a): (bool, &str), (b_negative, b): (bool, &str)) -> Ordering {
    let magnitude = a.len().cmp(&b.len()).then_with(|| a.cmp(b));
    match (a_negative, b_negative) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => magnitude,
        (true, true) => magnitude.reverse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_size_compare_exactly() {
        let big = "123456789012345678901234567890";
        assert_eq!(compare_numbers(big, "123456789012345678901234567891"), Some(Ordering::Less));
        assert_eq!(compare_numbers("-5", "3"), Some(Ordering::Less));
        assert_eq!(compare_numbers("-5", "-30"), Some(Ordering::Greater));
        assert_eq!(compare_numbers("007", "7"), Some(Ordering::Equal));
        assert_eq!(compare_numbers("-0", "0"), Some(Ordering::Equal));
        assert_eq!(compare_numbers("1.0", "1"), Some(Ordering::Equal));
        assert_eq!(compare_numbers("1e2", "99"), Some(Ordering::Greater));
    }

    #[test]
    fn numeric_texts_are_those_of_the_language() {
        for text in ["0", "007", "-1", "1.5", "1e3", "-1.5E-7"] {
            assert!(is_numeric_text(text), "{text}");
        }
        for text in ["", "-", "+1", ".5", "1.", "1e", " 1", "1 ", "inf", "NaN", "0x1", "1_0"] {
            assert!(!is_numeric_text(text), "{text}");
        }
        assert!(Number::from_text("01").is_none());
        assert!(Number::from_text("-0.10").is_some());
    }
}
