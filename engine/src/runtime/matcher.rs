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

use super::partition::{Host, Partition};
use super::slots::{Active, Slot, Slots};
use super::store::{Lost, Store};
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
pub struct Place {
    /// Which partition.
    pub partition: PartitionId,
    /// Where in the record.
    pub position: Position,
    /// When it was appended.
    pub stamp: Stamp,
}

/// All tenants' patterns and all customers' states. A partition is touched by its own rows only, and by configuration.
#[derive(Debug)]
pub struct Matcher {
    pub(super) tenants: FxHashMap<TenantId, Tenant>,
    pub(super) slots: Slots,
    pub(super) partitions: Vec<Partition>,
    pub(super) store: Store,
    /// The last snapshot before the slots changed.
    pub(super) slots_changed: u32,
    /// Which partition is swept, and which spilled from, next.
    pub(super) hands: (usize, usize),
    touched: Touched,
}

/// A tenant's patterns.
#[derive(Debug, Default)]
pub(super) struct Tenant {
    configuration: Configuration,
    pub(super) slots: FxHashMap<PatternId, Slot>,
    /// Made anew with the first event after a change.
    set: Option<(PatternSet, Vec<Slot>)>,
}

impl Default for Matcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Matcher {
    /// One that knows nothing yet.
    pub fn new() -> Self {
        Self {
            tenants: FxHashMap::default(),
            slots: Slots::default(),
            partitions: (0..PARTITIONS).map(Partition::new).collect(),
            store: Store::default(),
            slots_changed: 0,
            hands: (0, 0),
            touched: Touched::new(),
        }
    }

    /// Takes in a configuration change.
    pub fn configure(&mut self, tenant: &TenantId, position: Position, change: Change) {
        let entry = self.tenants.entry(tenant.clone()).or_default();
        match entry.configuration.apply(position, change) {
            Consequence::None => {}
            Consequence::Program(pattern) => {
                if let Some(Some(active)) = entry.slots.get(&pattern).map(|slot| self.slots.get_mut(*slot)) {
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

    /// Whether any pattern of a tenant is in force.
    pub fn has_patterns(&self, tenant: &TenantId) -> bool {
        self.tenants.get(tenant).is_some_and(|tenant| !tenant.slots.is_empty())
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
        entry.slots.insert(pattern, self.slots.start(active));
        entry.set = None;
        self.slots_changed = self.store.next;
    }

    fn retire(&mut self, tenant: &TenantId, pattern: &PatternId) {
        let Some(entry) = self.tenants.get_mut(tenant) else { return };
        let Some(slot) = entry.slots.remove(pattern) else { return };
        entry.set = None;
        self.slots.end(slot);
        self.slots_changed = self.store.next;
        self.partitions.iter_mut().for_each(|partition| partition.forget(slot, &self.store));
    }

    /// Lets every deadline of a partition pass that is earlier than a row's stamp.
    ///
    /// # Errors
    /// What was spilled cannot be read back; the matcher is of no use any more.
    pub fn pass(&mut self, place: Place, completed: &mut Vec<Completed>) -> Result<(), Lost> {
        let host = Host { slots: &self.slots, store: &self.store };
        let Some(partition) = self.partitions.get_mut(usize::from(place.partition.0)) else { return Ok(()) };
        partition.reached = place.stamp.0;
        while let Some((time, of)) = partition.due(place.stamp.0, host)? {
            let Some(active) = self.slots.get(of.0) else { continue };
            let tick = |state: &mut _| active.machine.tick(state, time);
            if let Some(found) = partition.change(of, &active.machine, host, tick)? {
                completed.push(active.completed(of.1, place, found));
            }
        }
        Ok(())
    }

    /// Feeds a customer's event, after [`Self::pass`].
    ///
    /// # Errors
    /// As [`Self::pass`].
    pub fn event(
        &mut self,
        tenant: &TenantId,
        customer: CustomerId,
        place: Place,
        event: &Object,
        completed: &mut Vec<Completed>,
    ) -> Result<(), Lost> {
        let Some(tenant) = self.tenants.get_mut(tenant) else { return Ok(()) };
        let host = Host { slots: &self.slots, store: &self.store };
        let (set, places) = tenant.set.get_or_insert_with(|| tenant_set(&tenant.slots, host.slots));
        self.touched.clear();
        set.touched(event, &mut self.touched);
        let Some(partition) = self.partitions.get_mut(usize::from(place.partition.0)) else { return Ok(()) };
        for (number, met) in &self.touched {
            let Some(slot) = places.get(*number as usize) else { continue };
            let Some(active) = host.slots.get(*slot) else { continue };
            let feed = |state: &mut _| active.machine.event(state, place.position.0, place.stamp.0, met);
            if let Some(found) = partition.change((*slot, customer), &active.machine, host, feed)? {
                completed.push(active.completed(customer, place, found));
            }
        }
        Ok(())
    }

    /// Of each partition that has deadlines: a time before which none of them is.
    pub fn deadlines(&self) -> impl Iterator<Item = (PartitionId, i64)> {
        (0..).map(PartitionId).zip(&self.partitions).filter_map(|(id, p)| Some((id, p.deadline()?)))
    }
}

/// A tenant's machines in the order in which they started.
fn tenant_set(by_pattern: &FxHashMap<PatternId, Slot>, slots: &Slots) -> (PatternSet, Vec<Slot>) {
    let mut places: Vec<Slot> = by_pattern.values().copied().collect();
    places.sort_unstable();
    let machines = places.iter().filter_map(|slot| Some(slots.get(*slot)?.machine.clone())).collect();
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
