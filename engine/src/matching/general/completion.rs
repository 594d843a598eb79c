//! Completions, and which of them are worth keeping.

use std::cmp::Ordering;

use super::super::moment::Moment;

/// The events of a completion from the latest to the earliest, an event as often as it serves. Comparing two as
/// lists is the order of when.md §2; a longer list that begins with the shorter is greater. Empty inside a `fail`,
/// where nobody asks. The order agrees with union, so the best part always makes the best whole.
pub(super) type Witness = Vec<u64>;

/// The union of two witnesses.
pub(super) fn merged(a: &[u64], b: &[u64]) -> Witness {
    let mut union = Witness::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a, b);
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b) {
        if x >= y {
            union.push(*x);
            a = a_rest;
        } else {
            union.push(*y);
            b = b_rest;
        }
    }
    union.extend_from_slice(a);
    union.extend_from_slice(b);
    union
}

/// A completion that ends at the point in hand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct New {
    /// Its first event.
    pub start: Moment,
    /// Its events.
    pub witness: Witness,
}

impl New {
    /// The order of preference at the root: the latest start, then the greater witness.
    pub fn preference(&self, other: &Self) -> Ordering {
        self.start.cmp(&other.start).then_with(|| self.witness.cmp(&other.witness))
    }
}

/// Keeps of the completions with one end those that a parent can need: the best witness of each start, and, unless
/// starts must be kept `exact`, only starts that no later one with as good a witness outdoes.
pub(super) fn reduce(new: &mut Vec<New>, exact: bool) {
    if new.len() < 2 {
        return;
    }
    new.sort_unstable_by(|a, b| b.preference(a));
    if exact {
        new.dedup_by(|later, kept| later.start == kept.start);
        return;
    }
    let mut kept: Vec<New> = Vec::with_capacity(new.len());
    for candidate in new.drain(..) {
        if kept.last().is_none_or(|best| candidate.witness > best.witness) {
            kept.push(candidate);
        }
    }
    *new = kept;
}

/// The beginning of a chain: some of its members have completed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prefix {
    /// Its first event.
    pub start: Moment,
    /// Where its last member completed.
    pub end: Moment,
    /// Its events.
    pub witness: Witness,
}

/// What of a stored completion matters to those who go on from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matters {
    /// Only that it is there.
    Not,
    /// The later the better.
    Later,
    /// The earlier the better.
    Earlier,
    /// Each is needed.
    Exactly,
}

impl Matters {
    fn as_good(self, this: Moment, other: Moment) -> bool {
        match self {
            Self::Not => true,
            Self::Later => this >= other,
            Self::Earlier => this <= other,
            Self::Exactly => this == other,
        }
    }
}

/// Puts a prefix in, unless one there is as good in every way, and takes those out to which it is.
pub(super) fn insert(prefixes: &mut Vec<Prefix>, new: Prefix, start: Matters, end: Matters) {
    let outdoes = |a: &Prefix, b: &Prefix| {
        start.as_good(a.start, b.start) && end.as_good(a.end, b.end) && a.witness >= b.witness
    };
    if prefixes.iter().any(|old| outdoes(old, &new)) {
        return;
    }
    prefixes.retain(|old| !outdoes(&new, old));
    prefixes.push(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_union_of_the_better_is_the_better_union() {
        let lists: Vec<Witness> =
            [&[][..], &[1], &[2], &[2, 1], &[2, 2], &[3], &[3, 1, 1], &[3, 2]].map(<[u64]>::to_vec).to_vec();
        for (a, b) in lists.iter().flat_map(|a| lists.iter().map(move |b| (a, b))) {
            for c in &lists {
                assert_eq!(a.cmp(b), merged(a, c).cmp(&merged(b, c)), "{a:?} {b:?} {c:?}");
            }
        }
    }

    #[test]
    fn an_earlier_start_is_kept_only_for_a_better_witness() {
        let new = |start, witness: &[u64]| New { start: Moment::event(start, 0), witness: witness.to_vec() };
        let all = [new(1, &[9, 8, 1]), new(2, &[9, 2]), new(3, &[9, 3]), new(3, &[9, 3, 3])];
        let mut kept = all.to_vec();
        reduce(&mut kept, false);
        assert_eq!(kept, [new(3, &[9, 3, 3]), new(1, &[9, 8, 1])]);
        let mut kept = all.to_vec();
        reduce(&mut kept, true);
        assert_eq!(kept, [new(3, &[9, 3, 3]), new(2, &[9, 2]), new(1, &[9, 8, 1])]);
    }
}
