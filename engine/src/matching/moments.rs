//! A few moments in little room: one, which is all that most states hold, without a block of its own.

use std::ops::{Deref, DerefMut};

use super::moment::Moment;

/// The state of a simple trigger: moments, as each kind of machine lays them out. Empty is fresh.
#[derive(Clone, Debug, Default)]
pub(super) enum Moments {
    #[default]
    None,
    One(Moment),
    Many(Vec<Moment>),
}

/// What a block of memory costs beside what is in it.
const BLOCK: usize = 16;

impl Moments {
    /// No moments.
    pub const fn new() -> Self {
        Self::None
    }

    /// So many of the same.
    pub fn filled(moment: Moment, len: usize) -> Self {
        match len {
            0 => Self::None,
            1 => Self::One(moment),
            _ => Self::Many(vec![moment; len]),
        }
    }

    /// The bytes of its block, if it has one.
    pub fn block(&self) -> usize {
        match self {
            Self::None | Self::One(_) => 0,
            Self::Many(list) => list.capacity() * size_of::<Moment>() + BLOCK,
        }
    }

    /// Adds one at the end.
    pub fn push(&mut self, moment: Moment) {
        match self {
            Self::None => *self = Self::One(moment),
            Self::One(first) => *self = Self::Many(vec![*first, moment]),
            Self::Many(list) => list.push(moment),
        }
    }
}

impl Deref for Moments {
    type Target = [Moment];

    fn deref(&self) -> &[Moment] {
        match self {
            Self::None => &[],
            Self::One(moment) => std::slice::from_ref(moment),
            Self::Many(list) => list,
        }
    }
}

impl DerefMut for Moments {
    fn deref_mut(&mut self) -> &mut [Moment] {
        match self {
            Self::None => &mut [],
            Self::One(moment) => std::slice::from_mut(moment),
            Self::Many(list) => list,
        }
    }
}

/// However they are kept.
impl PartialEq for Moments {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl FromIterator<Moment> for Moments {
    fn from_iter<I: IntoIterator<Item = Moment>>(moments: I) -> Self {
        let mut all = Self::new();
        moments.into_iter().for_each(|moment| all.push(moment));
        all
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_state_of_one_moment_takes_no_more_than_its_moment_and_a_word() {
        assert_eq!(size_of::<crate::matching::State>(), 24);
    }
}
