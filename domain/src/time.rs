//! Time as a value: milliseconds that the record stamped. Nothing in this crate reads a clock.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01 UTC, as stamped by the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(pub i64);

/// A span of time as the languages write it; never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// How many of the unit.
    pub amount: u64,
    /// Of which unit.
    pub unit: Unit,
}

/// The units of the languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// 1,000 ms
    Seconds,
    /// 60 seconds
    Minutes,
    /// 60 minutes
    Hours,
    /// 24 hours
    Days,
}

impl Unit {
    /// The unit's length in milliseconds.
    pub fn millis(self) -> i64 {
        match self {
            Self::Seconds => 1_000,
            Self::Minutes => 60_000,
            Self::Hours => 3_600_000,
            Self::Days => 86_400_000,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
        })
    }
}

impl Span {
    /// The span in milliseconds; `i64::MAX` where it does not fit (the checks refuse such a span long before).
    pub fn millis(self) -> i64 {
        i64::try_from(self.amount).ok().and_then(|n| n.checked_mul(self.unit.millis())).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.unit)
    }
}

impl Stamp {
    /// This time plus `millis`, held at the end of time.
    pub fn after(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }
}

/// RFC 3339 in UTC with milliseconds.
impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1_000)
    }
}

/// Year, month and day of a number of days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let mp = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let mp = (month + 9) % 12;
    let day_of_year = (153 * mp + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

impl Stamp {
    /// Reads an RFC 3339 time; digits beyond the millisecond are cut off.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<i64> {
            let digits = b.get(from..to)?;
            digits
                .iter()
                .all(u8::is_ascii_digit)
                .then(|| digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0')))
        };
        let sign = |at: usize, any: &[u8]| b.get(at).filter(|c| any.contains(c));
        sign(4, b"-").and(sign(7, b"-")).and(sign(10, b"Tt ")).and(sign(13, b":")).and(sign(16, b":"))?;
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (h, m, s) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if day < 1 || day > days_in_month || h > 23 || m > 59 || s > 60 {
            return None;
        }
        let mut at = 19;
        let mut ms = 0;
        if b.get(at) == Some(&b'.') {
            let digits = b[at + 1..].iter().take_while(|d| d.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            ms = (0..3).fold(0, |n, i| n * 10 + if i < digits { i64::from(b[at + 1 + i] - b'0') } else { 0 });
            at += 1 + digits;
        }
        let offset = match b.get(at)? {
            b'Z' | b'z' => {
                at += 1;
                0
            }
            c @ (b'+' | b'-') => {
                sign(at + 3, b":")?;
                let (oh, om) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
                if oh > 23 || om > 59 {
                    return None;
                }
                at += 6;
                (oh * 60 + om) * if *c == b'-' { -60_000 } else { 60_000 }
            }
            _ => return None,
        };
        (at == b.len()).then(|| {
            Self(
                days_from_civil(year, month, day) * 86_400_000 + h * 3_600_000 + m * 60_000 + s * 1_000 + ms
                    - offset,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_as_rfc_3339() {
        assert_eq!(Stamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Stamp(1_709_210_096_789).to_string(), "2024-02-29T12:34:56.789Z");
        for ms in [0, 951_782_400_000, 1_709_210_096_789, -1, 4_102_444_800_000] {
            assert_eq!(Stamp::from_rfc3339(&Stamp(ms).to_string()), Some(Stamp(ms)));
        }
        assert_eq!(Stamp::from_rfc3339("2024-02-29T14:34:56.7899+02:00"), Some(Stamp(1_709_210_096_789)));
        for bad in ["2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01", "2024-01-01T00:00:00", "x"]
        {
            assert_eq!(Stamp::from_rfc3339(bad), None, "{bad}");
        }
    }
}
