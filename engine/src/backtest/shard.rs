//! Some of the customers: their times, their states, their matches.

use super::Error;
use super::batch::{Batch, Scanned};
use super::customers::{Customers, TOGETHER};
use super::order::{Held, Order};
use super::states::States;
use crate::matching::{Found, Machine, PatternSet, State};

/// Customers and what they have contributed.
pub(super) struct Shard<'a> {
    set: &'a PatternSet,
    customers: Customers,
    states: States,
    order: Order,
    greatest: Option<i64>,
    /// The customer and the time of each event of the batch in hand that touches any pattern.
    touching: Vec<(u32, i64)>,
    found: Vec<Found>,
}

impl<'a> Shard<'a> {
    pub fn new(set: &'a PatternSet, order: Order) -> Self {
        Self {
            set,
            customers: Customers::default(),
            states: States::default(),
            order,
            greatest: None,
            touching: Vec::new(),
            found: Vec::new(),
        }
    }

    /// The greatest time of its events.
    pub fn greatest(&self) -> Option<i64> {
        self.greatest
    }

    pub fn customers(&self) -> u64 {
        self.customers.len() as u64
    }

    pub fn into_order(self) -> Order {
        self.order
    }

    /// Takes its customers' next events: first all customers are looked up, so that the processor can wait for the
    /// memory of several at a time, then all states.
    pub fn batch(&mut self, batch: &Batch) -> Result<(), Error> {
        let mut touching = std::mem::take(&mut self.touching);
        touching.clear();
        let mut greatest = self.greatest.unwrap_or(i64::MIN);
        for (place, event) in batch.iter().enumerate() {
            if place % TOGETHER == 0 {
                self.customers.bring_near(batch.hashes(place));
            }
            let of = self.customers.event(event.key, event.hash, event.time);
            greatest = greatest.max(of.1);
            self.greatest = Some(greatest);
            if !event.touched.is_empty() {
                touching.push(of);
            }
        }
        let events = batch.iter().filter(|event| !event.touched.is_empty());
        for (event, (customer, time)) in events.zip(&touching) {
            self.event(event, *customer, *time)?;
        }
        self.touching = touching;
        Ok(())
    }

    fn event(&mut self, event: Scanned<'_>, customer: u32, time: i64) -> Result<(), Error> {
        for (place, met) in event.touched {
            let Some(machine) = self.set.machine(*place) else { continue };
            let found = &mut self.found;
            self.states.with((customer, *place), |state| {
                pass(machine, state, |deadline| deadline < time, found);
                found.extend(machine.event(state, event.line, time, met));
            });
            for found in self.found.drain(..) {
                self.order.hold(Held::new(found, *place, event.key))?;
            }
        }
        Ok(())
    }

    /// Lets what is still open pass, up to a time included.
    pub fn finish(&mut self, until: i64) -> Result<(), Error> {
        for ((customer, place), mut state) in self.states.take() {
            let Some(machine) = self.set.machine(place) else { continue };
            pass(machine, &mut state, |deadline| deadline <= until, &mut self.found);
            for found in self.found.drain(..) {
                self.order.hold(Held::new(found, place, self.customers.key(customer)))?;
            }
        }
        Ok(())
    }
}

/// Lets deadlines pass as long as they are due.
fn pass(machine: &Machine, state: &mut State, due: impl Fn(i64) -> bool, found: &mut Vec<Found>) {
    while let Some(deadline) = machine.deadline(state).filter(|deadline| due(*deadline)) {
        found.extend(machine.tick(state, deadline));
    }
}
