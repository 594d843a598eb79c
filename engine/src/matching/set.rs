//! The patterns that an event concerns, without asking each pattern.

use std::collections::HashMap;
use std::sync::Arc;

use domain::dsl::when::Predicate;
use domain::dsl::when::index::PredicateIndex;
use domain::value::Attributes;

use super::{Machine, Met};

/// Machines that see the same events.
#[derive(Debug, Default)]
pub struct PatternSet {
    machines: Vec<Arc<Machine>>,
    /// The distinct predicates of all of them, each with the machines that have it and its number there.
    index: PredicateIndex<Vec<(u32, u16)>>,
}

/// Which machines an event concerns, by their place in the set, ascending, and what of theirs it meets.
pub type Touched = Vec<(u32, Met)>;

impl PatternSet {
    /// A set of these machines.
    pub fn new(machines: Vec<Arc<Machine>>) -> Self {
        let mut predicates: Vec<(Predicate, Vec<(u32, u16)>)> = Vec::new();
        let mut numbers: HashMap<String, usize> = HashMap::new();
        for (place, machine) in (0..).zip(&machines) {
            for (id, predicate) in (0..).zip(machine.predicates()) {
                let number = *numbers.entry(predicate.to_string()).or_insert(predicates.len());
                match predicates.get_mut(number) {
                    Some((_, owners)) => owners.push((place, id)),
                    None => predicates.push((predicate.clone(), vec![(place, id)])),
                }
            }
        }
        Self { machines, index: predicates.into_iter().collect() }
    }

    /// The machine at a place.
    pub fn machine(&self, place: u32) -> Option<&Machine> {
        self.machines.get(place as usize).map(Arc::as_ref)
    }

    /// Finds out whom an event concerns. Machines that are not told of it would not have changed.
    pub fn touched(&self, event: &impl Attributes, touched: &mut Touched) {
        touched.clear();
        let mut owners: Vec<(u32, u16)> = Vec::new();
        self.index.for_each_match(event, |of| owners.extend_from_slice(of));
        owners.sort_unstable();
        for (place, id) in owners {
            match touched.last_mut() {
                Some((last, met)) if *last == place => met.insert(id),
                _ => touched.push((place, [id].into_iter().collect())),
            }
        }
    }
}
