//! A list that nearly always has one element: that one needs no block of memory.

use std::ops::Deref;

/// One element, or several, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Few<T> {
    /// One.
    One(T),
    /// Any other number.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Adds one at the end.
    pub fn push(&mut self, element: T) {
        match self {
            Self::Many(list) if list.is_empty() => *self = Self::One(element),
            Self::Many(list) => list.push(element),
            Self::One(_) => {
                if let Self::One(first) = std::mem::take(self) {
                    *self = Self::Many(vec![first, element]);
                }
            }
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::One(element) => std::slice::from_ref(element),
            Self::Many(list) => list,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_in_order() {
        let mut few = Few::default();
        for n in 0..4 {
            assert_eq!(*few, (0..n).collect::<Vec<_>>());
            few.push(n);
        }
        assert!(matches!(few, Few::Many(_)));
    }
}
