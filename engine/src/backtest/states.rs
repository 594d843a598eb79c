//! What is not fresh, by customer and pattern, in little room.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

use crate::matching::State;

/// States without gaps, and their places by whose they are.
#[derive(Default)]
pub(super) struct States {
    places: HashTable<u32>,
    list: Vec<Kept>,
}

/// A customer's number and a pattern's place.
pub(super) type Of = (u32, u32);

struct Kept {
    of: Of,
    state: State,
}

fn hash(of: Of) -> u64 {
    FxBuildHasher.hash_one(of)
}

impl States {
    /// Lets `change` change a state, which is dropped if it is fresh afterwards.
    pub fn with<T>(&mut self, of: Of, change: impl FnOnce(&mut State) -> T) -> T {
        let Self { places, list } = self;
        let owner = |place: &u32| list.get(*place as usize).map(|kept| kept.of);
        match places.entry(hash(of), |place| owner(place) == Some(of), |place| owner(place).map_or(0, hash)) {
            Entry::Vacant(free) => {
                let mut state = State::default();
                let result = change(&mut state);
                if !state.is_fresh() {
                    free.insert(u32::try_from(list.len()).unwrap_or(u32::MAX));
                    list.push(Kept { of, state });
                }
                result
            }
            Entry::Occupied(found) => {
                let place = *found.get();
                let Some(kept) = list.get_mut(place as usize) else { return change(&mut State::default()) };
                let result = change(&mut kept.state);
                if kept.state.is_fresh() {
                    found.remove();
                    self.close(place);
                }
                result
            }
        }
    }

    /// Moves the last state into a gap.
    fn close(&mut self, gap: u32) {
        let from = self.list.len().saturating_sub(1);
        self.list.swap_remove(gap as usize);
        if let Some(moved) = self.list.get(gap as usize)
            && let Some(place) = self.places.find_mut(hash(moved.of), |place| *place as usize == from)
        {
            *place = gap;
        }
    }

    /// Takes out all of them.
    pub fn take(&mut self) -> impl Iterator<Item = (Of, State)> {
        self.places = HashTable::new();
        std::mem::take(&mut self.list).into_iter().map(|kept| (kept.of, kept.state))
    }
}
