//! A share of the partitions: what one worker of several has.

use domain::ids::{PARTITIONS, Partition};

/// The partitions whose number leaves the same rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share {
    number: u8,
    of: u8,
}

impl Share {
    /// All partitions.
    pub const ALL: Self = Self { number: 0, of: 1 };

    /// The shares, so many (from 1 to the number of partitions), that have every partition between them.
    pub fn each_of(of: u8) -> impl Iterator<Item = Self> {
        let of = of.clamp(1, PARTITIONS);
        (0..of).map(move |number| Self { number, of })
    }

    /// Which one of them it is, from 0.
    pub fn number(self) -> u8 {
        self.number
    }

    /// How many there are.
    pub fn of(self) -> u8 {
        self.of
    }

    /// Whether a partition is in it.
    pub fn has(self, partition: Partition) -> bool {
        partition.0 % self.of == self.number
    }

    /// Its partitions.
    pub fn partitions(self) -> impl Iterator<Item = Partition> {
        (self.number..PARTITIONS).step_by(usize::from(self.of)).map(Partition)
    }

    /// Which one of its own a partition is, from 0.
    pub fn place(self, partition: Partition) -> usize {
        usize::from(partition.0 / self.of)
    }

    /// What a work is called for this share: `engine`, or `engine:3` where it is one of several.
    pub fn name(self, work: &str) -> String {
        match self.of {
            1 => work.to_owned(),
            _ => format!("{work}:{}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_every_partition_once_between_them() {
        for of in [1, 3, 8, PARTITIONS] {
            let mut all: Vec<_> = Share::each_of(of).flat_map(Share::partitions).collect();
            all.sort_unstable();
            assert_eq!(all, (0..PARTITIONS).map(Partition).collect::<Vec<_>>(), "{of}");
            for share in Share::each_of(of) {
                assert_eq!(
                    (0..PARTITIONS).filter(|n| share.has(Partition(*n))).count(),
                    share.partitions().count()
                );
                assert!(share.partitions().enumerate().all(|(n, partition)| share.place(partition) == n));
            }
        }
        assert_eq!(Share::ALL.name("engine"), "engine");
        assert_eq!(Share::each_of(8).nth(3).map(|share| share.name("engine")), Some("engine:3".into()));
    }
}
