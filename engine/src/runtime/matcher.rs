//! What the record's rows do to what customers have contributed: pure, so that live and replay cannot differ.
//!
//! Rows are taken in the order of their positions. Reading and writing are [`super`]'s business.

use std::sync::Arc;

use domain::configuration::{Change, Configuration, Consequence};
use domain::ids::{
    CustomerId, PARTITIONS, Partition as PartitionId, PatternId, Position, ReactionId, TenantId,
};
use domain::json::Object;
use domain::reaction::Match;
use domain::time::Stamp;
use rustc_hash::FxHashMap;

use super::partition::{Partition, Slot};
use crate::matching::{Found, Machine, PatternSet, Touched};

/// A match and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Completed {
    /// Of which tenant.
    pub tenant: TenantId,
    /// Of which customer.
    pub customer: CustomerId,
    /// In which partition.
    pub partition: PartitionId,
    /// The row that completed it, or that passed its deadline.
    pub cause: Position,
    /// The match.
    pub found: Match,
}

impl Completed {
    /// The match's id.
    pub fn id(&self) -> ReactionId {
        let found = &self.found;
        ReactionId::of(&self.tenant, &found.pattern, found.version, self.customer, found.point)
    }
}

/// Where and when a row of a partition is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub partition: PartitionId,
    pub position: Position,
    pub stamp: Stamp,
}

/// All tenants' patterns and all customers' states.
#[derive(Debug)]
pub(crate) struct Matcher {
    tenants: FxHashMap<TenantId, Tenant>,
    /// Each start of a pattern's matching that the record has, in order; `None` where it has ended.
    slots: Vec<Option<Active>>,
    partitions: Vec<Partition>,
    touched: Touched,
}

#[derive(Debug, Default)]
struct Tenant {
    configuration: Configuration,
    slots: FxHashMap<PatternId, Slot>,
    /// Made anew with the first event after a change.
    set: Option<(PatternSet, Vec<Slot>)>,
}

/// A pattern in force.
#[derive(Debug)]
pub(super) struct Active {
    pub tenant: TenantId,
    pub pattern: PatternId,
    pub version: u32,
    pub machine: Arc<Machine>,
    program: Position,
}

impl Matcher {
    pub fn new() -> Self {
        Self {
            tenants: FxHashMap::default(),
            slots: Vec::new(),
            partitions: (0..PARTITIONS).map(|_| Partition::default()).collect(),
            touched: Touched::new(),
        }
    }

    /// Takes in a configuration change.
    pub fn configure(&mut self, tenant: &TenantId, position: Position, change: Change) {
        let entry = self.tenants.entry(tenant.clone()).or_default();
        match entry.configuration.apply(position, change) {
            Consequence::None => {}
            Consequence::Program(pattern) => {
                if let Some(Some(active)) =
                    entry.slots.get(&pattern).and_then(|s| self.slots.get_mut(*s as usize))
                {
                    active.program = position;
                }
            }
            Consequence::Afresh(pattern) => {
                self.retire(tenant, &pattern);
                self.start(tenant, pattern);
            }
            Consequence::Retired(pattern) => self.retire(tenant, &pattern),
            Consequence::Unreadable(pattern, diagnostics) => {
                self.retire(tenant, &pattern);
                let problem = diagnostics.first().map(|d| d.message.as_str()).unwrap_or_default();
                tracing::error!(%tenant, %pattern, problem, "a pattern cannot be read and is not matched");
            }
        }
    }

    fn start(&mut self, tenant: &TenantId, pattern: PatternId) {
        let Some(entry) = self.tenants.get_mut(tenant) else { return };
        let Some(definition) = entry.configuration.patterns.get(&pattern) else { return };
        let active = Active {
            tenant: tenant.clone(),
            pattern: pattern.clone(),
            version: definition.version,
            machine: Arc::new(Machine::new(&definition.trigger)),
            program: definition.program,
        };
        entry.slots.insert(pattern, Slot::try_from(self.slots.len()).unwrap_or(Slot::MAX));
        entry.set = None;
        self.slots.push(Some(active));
    }

    fn retire(&mut self, tenant: &TenantId, pattern: &PatternId) {
        let Some(entry) = self.tenants.get_mut(tenant) else { return };
        let Some(slot) = entry.slots.remove(pattern) else { return };
        entry.set = None;
        if let Some(ended) = self.slots.get_mut(slot as usize) {
            *ended = None;
        }
        self.partitions.iter_mut().for_each(|partition| partition.forget(slot));
    }

    /// Lets every deadline of a partition pass that is earlier than a row's stamp.
    pub fn pass(&mut self, place: Place, completed: &mut Vec<Completed>) {
        let Some(partition) = self.partitions.get_mut(usize::from(place.partition.0)) else { return };
        partition.reached = place.stamp.0;
        while let Some((time, customer, slot)) = partition.due(place.stamp.0) {
            let Some(active) = self.slots.get(slot as usize).and_then(Option::as_ref) else { continue };
            if let Some(found) = partition.tick(customer, slot, &active.machine, time) {
                completed.push(active.completed(customer, place, found));
            }
        }
    }

    /// Feeds a customer's event, after [`Self::pass`].
    pub fn event(
        &mut self,
        tenant: &TenantId,
        customer: CustomerId,
        place: Place,
        event: &Object,
        completed: &mut Vec<Completed>,
    ) {
        let Some(tenant) = self.tenants.get_mut(tenant) else { return };
        let slots = &self.slots;
        let (set, places) = tenant.set.get_or_insert_with(|| tenant_set(&tenant.slots, slots));
        self.touched.clear();
        set.touched(event, &mut self.touched);
        let Some(partition) = self.partitions.get_mut(usize::from(place.partition.0)) else { return };
        for (number, met) in &self.touched {
            let Some(slot) = places.get(*number as usize) else { continue };
            let Some(active) = slots.get(*slot as usize).and_then(Option::as_ref) else { continue };
            let at = (place.position.0, place.stamp.0);
            if let Some(found) = partition.event(customer, *slot, &active.machine, at, met) {
                completed.push(active.completed(customer, place, found));
            }
        }
    }

    /// The earliest deadline of each partition that has one.
    pub fn deadlines(&self) -> impl Iterator<Item = (PartitionId, i64)> {
        (0..).map(PartitionId).zip(&self.partitions).filter_map(|(id, p)| Some((id, p.deadline()?)))
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = (PartitionId, &Partition)> {
        (0..).map(PartitionId).zip(&self.partitions)
    }

    pub(super) fn partitions_mut(&mut self) -> impl Iterator<Item = (PartitionId, &mut Partition)> {
        (0..).map(PartitionId).zip(&mut self.partitions)
    }

    /// Drops what cannot matter any more from the partitions that have changed.
    pub(super) fn sweep(&mut self) {
        let machine = |slot: Slot| {
            self.slots.get(slot as usize).and_then(Option::as_ref).map(|active| active.machine.as_ref())
        };
        self.partitions.iter_mut().filter(|p| p.dirty).for_each(|partition| partition.sweep(machine));
    }

    pub(super) fn slots(&self) -> &[Option<Active>] {
        &self.slots
    }

    /// The slot in which a pattern's version is matched.
    pub(super) fn slot(
        &self,
        tenant: &TenantId,
        pattern: &PatternId,
        version: u32,
    ) -> Option<(Slot, &Active)> {
        let slot = *self.tenants.get(tenant)?.slots.get(pattern)?;
        let active = self.slots.get(slot as usize)?.as_ref()?;
        (active.version == version).then_some((slot, active))
    }
}

/// A tenant's machines in the order in which they started.
fn tenant_set(by_pattern: &FxHashMap<PatternId, Slot>, slots: &[Option<Active>]) -> (PatternSet, Vec<Slot>) {
    let mut places: Vec<Slot> = by_pattern.values().copied().collect();
    places.sort_unstable();
    let active = |slot: &Slot| slots.get(*slot as usize).and_then(Option::as_ref);
    let machines = places.iter().filter_map(|slot| active(slot).map(|a| a.machine.clone())).collect();
    (PatternSet::new(machines), places)
}

impl Active {
    fn completed(&self, customer: CustomerId, place: Place, found: Found) -> Completed {
        let Found { point, at, witness } = found;
        Completed {
            tenant: self.tenant.clone(),
            customer,
            partition: place.partition,
            cause: place.position,
            found: Match {
                pattern: self.pattern.clone(),
                version: self.version,
                point,
                at: Stamp(at),
                witness: witness.into_iter().map(Position).collect(),
                program: self.program,
            },
        }
    }
}
