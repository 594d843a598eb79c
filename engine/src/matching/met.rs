//! Which of a trigger's predicates an event meets.

/// A set of predicate numbers of one [`Machine`](super::Machine). Up to 64 predicates cost no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Met {
    low: u64,
    high: Vec<u64>,
}

impl Met {
    /// The empty set.
    pub const fn none() -> Self {
        Self { low: 0, high: Vec::new() }
    }

    /// The set of one predicate.
    pub fn of(id: u16) -> Self {
        let mut met = Self::none();
        met.insert(id);
        met
    }

    /// Adds a predicate.
    pub fn insert(&mut self, id: u16) {
        let (word, bit) = (usize::from(id / 64), 1 << (id % 64));
        if word == 0 {
            self.low |= bit;
            return;
        }
        if self.high.len() < word {
            self.high.resize(word, 0);
        }
        if let Some(bits) = self.high.get_mut(word - 1) {
            *bits |= bit;
        }
    }

    /// Whether a predicate is in it.
    pub fn contains(&self, id: u16) -> bool {
        let (word, bit) = (usize::from(id / 64), 1 << (id % 64));
        let bits = if word == 0 { self.low } else { self.high.get(word - 1).copied().unwrap_or(0) };
        bits & bit != 0
    }

    /// Whether the two have a predicate in common.
    pub fn meets(&self, other: &Self) -> bool {
        self.low & other.low != 0 || self.high.iter().zip(&other.high).any(|(a, b)| a & b != 0)
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        self.low |= other.low;
        if self.high.len() < other.high.len() {
            self.high.resize(other.high.len(), 0);
        }
        self.high.iter_mut().zip(&other.high).for_each(|(mine, theirs)| *mine |= theirs);
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.low == 0 && self.high.iter().all(|bits| *bits == 0)
    }

    /// Takes everything out, keeping the room.
    pub fn clear(&mut self) {
        self.low = 0;
        self.high.clear();
    }
}

impl FromIterator<u16> for Met {
    fn from_iter<I: IntoIterator<Item = u16>>(ids: I) -> Self {
        let mut met = Self::none();
        ids.into_iter().for_each(|id| met.insert(id));
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_beyond_one_word_too() {
        let met: Met = [0, 63, 64, 200].into_iter().collect();
        assert!([0, 63, 64, 200].into_iter().all(|id| met.contains(id)));
        assert!(![1, 62, 65, 199, 201, 999].into_iter().any(|id| met.contains(id)));
        assert!(met.meets(&[200].into_iter().collect()) && !met.meets(&[1, 65].into_iter().collect()));
        assert!(Met::none().is_empty() && !met.is_empty());
        for (mut one, other) in [(Met::of(3), met.clone()), (met.clone(), Met::of(3))] {
            one.extend(&other);
            assert!([0, 3, 63, 64, 200].into_iter().all(|id| one.contains(id)), "{one:?}");
        }
    }
}
