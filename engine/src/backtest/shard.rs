//! Some of the customers: their times, their states, their matches.

use hashbrown::HashMap;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Error;
use super::order::{Held, Order};
use super::scan::Scanned;
use crate::matching::{PatternSet, State};

/// Customers and what they have contributed.
pub(super) struct Shard<'a> {
    set: &'a PatternSet,
    /// Customers' numbers, in the order of their first events.
    numbers: HashMap<Box<str>, u32, FxBuildHasher>,
    /// Each customer's last time.
    times: Vec<i64>,
    /// What is not fresh, by customer's number and pattern's place.
    states: FxHashMap<(u32, u32), State>,
    order: Order,
    greatest: Option<i64>,
}

impl<'a> Shard<'a> {
    pub fn new(set: &'a PatternSet, order: Order) -> Self {
        Self {
            set,
            numbers: HashMap::default(),
            times: Vec::new(),
            states: FxHashMap::default(),
            order,
            greatest: None,
        }
    }

    /// The greatest time of its events.
    pub fn greatest(&self) -> Option<i64> {
        self.greatest
    }

    pub fn customers(&self) -> u64 {
        self.times.len() as u64
    }

    pub fn into_order(self) -> Order {
        self.order
    }

    /// Takes a customer's next event.
    pub fn event(&mut self, event: Scanned<'_>) -> Result<(), Error> {
        let customer = self.customer(event.key);
        let time = match self.times.get_mut(customer as usize) {
            Some(last) => {
                // Time does not go backwards for a customer.
                *last = event.time.max(*last);
                *last
            }
            None => {
                self.times.push(event.time);
                event.time
            }
        };
        self.greatest = self.greatest.max(Some(time));
        for (place, met) in event.touched {
            let Some(machine) = self.set.machine(*place) else { continue };
            let mut state = self.states.remove(&(customer, *place)).unwrap_or_default();
            while let Some(deadline) = machine.deadline(&state).filter(|deadline| *deadline < time) {
                if let Some(found) = machine.tick(&mut state, deadline) {
                    self.order.hold(Held::new(found, *place, event.key))?;
                }
            }
            if let Some(found) = machine.event(&mut state, event.line, time, met) {
                self.order.hold(Held::new(found, *place, event.key))?;
            }
            if !state.is_fresh() {
                self.states.insert((customer, *place), state);
            }
        }
        Ok(())
    }

    fn customer(&mut self, key: &str) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        self.numbers.insert(key.into(), number);
        number
    }

    /// Lets what is still open pass, up to a time included.
    pub fn finish(&mut self, until: i64) -> Result<(), Error> {
        let states = std::mem::take(&mut self.states);
        let mut keys: Vec<&str> = vec![""; self.times.len()];
        for (key, number) in &self.numbers {
            if let Some(slot) = keys.get_mut(*number as usize) {
                *slot = key;
            }
        }
        for ((customer, place), mut state) in states {
            let Some(machine) = self.set.machine(place) else { continue };
            while let Some(deadline) = machine.deadline(&state).filter(|deadline| *deadline <= until) {
                if let Some(found) = machine.tick(&mut state, deadline) {
                    let key = keys.get(customer as usize).copied().unwrap_or_default();
                    self.order.hold(Held::new(found, place, key))?;
                }
            }
        }
        Ok(())
    }
}
