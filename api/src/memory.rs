//! Amounts of memory: as they are written, and how much this machine lets us have.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// An amount of memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory(pub usize);

/// The units, as they may be written, and their bytes.
const UNITS: [(&str, usize); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// What cannot be an amount of memory.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is not an amount of memory: a whole number of bytes, or of KiB, MiB, GiB or TiB, such as 512MiB"
)]
pub struct NoMemory(String);

impl FromStr for Memory {
    type Err = NoMemory;

    fn from_str(text: &str) -> Result<Self, NoMemory> {
        let refused = || NoMemory(text.to_owned());
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = text.get(digits.len()..).unwrap_or_default();
        let factor = match unit {
            "" => 1,
            unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(refused)?.1,
        };
        let number: usize = digits.trim_end().parse().map_err(|_| refused())?;
        number.checked_mul(factor).map(Self).ok_or_else(refused)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().rev().find(|(_, bytes)| self.0 >= *bytes && self.0.is_multiple_of(*bytes));
        match unit {
            Some((name, bytes)) => write!(f, "{}{name}", self.0 / bytes),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Memory {
    /// Half of what this machine has, or of what this process's control group may have if that is less; 1 GiB where
    /// neither can be told. In whole MiB.
    pub fn half() -> Self {
        let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
        let group = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
            .iter()
            .find_map(|path| std::fs::read_to_string(Path::new(path)).ok()?.trim().parse::<usize>().ok());
        let all = machine.into_iter().chain(group).min().unwrap_or(2 << 30);
        Self((all / 2) >> 20 << 20)
    }
}

/// The machine's memory, of the kernel's account of it.
fn total(text: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_and_without_units() {
        for (text, bytes) in
            [("65536", 65_536), ("16MiB", 16 << 20), ("2 gib", 2 << 30), ("1TiB", 1 << 40), ("0", 0)]
        {
            assert_eq!(text.parse::<Memory>().unwrap(), Memory(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5GiB", "16MB", "99999999999TiB", "12x"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
        assert_eq!(Memory(48 << 20).to_string(), "48MiB");
        assert_eq!(Memory(48 << 20 | 1).to_string().parse::<Memory>().unwrap(), Memory(48 << 20 | 1));
    }

    #[test]
    fn half_of_the_machine_is_a_plausible_amount() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       16315372 kB\n"), Some(16_315_372 << 10));
        assert!(Memory::half().0 >= 64 << 20);
    }
}
