//! The patterns that an event concerns, without asking each pattern.

use std::sync::Arc;

use domain::dsl::when::Predicate;
use domain::dsl::when::index::PredicateIndex;
use domain::few::Few;
use domain::value::Attributes;
use rustc_hash::FxHashMap;

use super::{Machine, Met};

/// Whose a predicate is: places of machines, and its number in each.
type Owners = Few<(u32, u16)>;

/// Machines that see the same events.
#[derive(Debug, Default)]
pub struct PatternSet {
    machines: Vec<Arc<Machine>>,
    /// The distinct predicates of all of them, each with the machines that have it and its number there.
    index: PredicateIndex<Owners>,
}

/// Which machines an event concerns, by their place in the set, ascending, and what of theirs it meets.
pub type Touched = Vec<(u32, Met)>;

impl PatternSet {
    /// A set of these machines.
    pub fn new(machines: Vec<Arc<Machine>>) -> Self {
        let mut predicates: Vec<(Arc<Predicate>, Owners)> = Vec::with_capacity(machines.len());
        let mut numbers: FxHashMap<&Predicate, usize> = FxHashMap::default();
        numbers.reserve(machines.len());
        for (place, machine) in (0..).zip(&machines) {
            for (id, predicate) in (0..).zip(machine.predicates()) {
                let number = *numbers.entry(&**predicate).or_insert(predicates.len());
                match predicates.get_mut(number) {
                    Some((_, owners)) => owners.push((place, id)),
                    None => predicates.push((predicate.clone(), Few::One((place, id)))),
                }
            }
        }
        let index = predicates.into_iter().collect();
        Self { machines, index }
    }

    /// The machine at a place.
    pub fn machine(&self, place: u32) -> Option<&Machine> {
        self.machines.get(place as usize).map(Arc::as_ref)
    }

    /// The attributes that any of the machines reads.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        self.index.attributes()
    }

    /// Adds whom an event concerns. Machines that are not told of it would not have changed.
    pub fn touched(&self, event: &impl Attributes, touched: &mut Touched) {
        let from = touched.len();
        self.index.for_each_match(event, |owners| {
            touched.extend(owners.iter().map(|(place, id)| (*place, Met::of(*id))));
        });
        let added = touched.get(from..).unwrap_or_default();
        if !added.is_sorted_by(|a, b| a.0 < b.0) {
            let mut added = touched.split_off(from);
            added.sort_by_key(|(place, _)| *place);
            for (place, met) in added {
                match touched.get_mut(from..).and_then(<[_]>::last_mut) {
                    Some((last, all)) if *last == place => all.extend(&met),
                    _ => touched.push((place, met)),
                }
            }
        }
    }
}
