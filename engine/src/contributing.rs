//! What a customer has so far contributed towards a match of a pattern.
//!
//! Read from the record on demand, by matching the customer's events again from where the pattern started afresh:
//! nothing of it is kept for the asking.

use std::sync::Arc;

use domain::configuration::Configuration;
use domain::customer_event::CustomerEvent;
use domain::ids::{PatternId, Position, TenantId};
use domain::time::Stamp;
use eventlog::crypto::{Opened, Vault};
use eventlog::customer_stream::change_of;
use eventlog::record::{Error, Record, Recorded, Select};

use crate::matching::{Machine, State};
use crate::runtime::rows::damaged;

/// How many rows are read at a time.
const ROWS: usize = 1_000;

/// What a customer has contributed.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributing {
    /// Which version of the pattern's `when` is in force.
    pub version: u32,
    /// The events, in order.
    pub events: Vec<Contributed>,
}

/// An event that contributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributed {
    /// Where it is.
    pub position: Position,
    /// When it came.
    pub stamp: Stamp,
    /// As stored.
    pub event: CustomerEvent,
}

/// The customer's events since the last match of an enabled pattern that meet an event predicate outside a `fail`
/// and, under an outermost `within`, are not too old by now. `None` if the pattern is not enabled.
///
/// # Errors
/// The record's.
pub async fn contributing(
    record: &Arc<dyn Record>,
    vault: &Vault,
    tenant: &TenantId,
    pattern: &PatternId,
    key: &str,
) -> Result<Option<Contributing>, Error> {
    let configuration = configuration(record, tenant).await?;
    let Some(active) = configuration.patterns.get(pattern) else { return Ok(None) };
    let customer = vault.customer(tenant, key).await?.id;
    let mut looking =
        Looking { machine: Machine::new(&active.trigger), state: State::default(), events: Vec::new() };
    let mut after = active.since;
    loop {
        let select = Select::Customer(tenant.clone(), customer);
        let rows = record.read_after(select, after, ROWS).await?;
        let Some(last) = rows.last().map(|row| row.position) else { break };
        after = last;
        for (row, opened) in rows.iter().zip(vault.open_all(&rows).await?) {
            if let Opened::Clear(clear) = opened {
                looking.event(row, serde_json::from_slice(&clear).map_err(|e| damaged(row, e))?);
            }
        }
    }
    let now = record.now();
    looking.pass(now);
    if let Some(window) = looking.machine.window() {
        looking.events.retain(|event| now.0.saturating_sub(event.stamp.0) <= window);
    }
    Ok(Some(Contributing { version: active.version, events: looking.events }))
}

struct Looking {
    machine: Machine,
    state: State,
    /// Since the last match.
    events: Vec<Contributed>,
}

impl Looking {
    fn pass(&mut self, before: Stamp) {
        while let Some(due) = self.machine.deadline(&self.state).filter(|due| *due < before.0) {
            if self.machine.tick(&mut self.state, due).is_some() {
                self.events.clear();
            }
        }
    }

    fn event(&mut self, row: &Recorded, event: CustomerEvent) {
        self.pass(row.stamp);
        let met = self.machine.met(&event.effective());
        if self.machine.event(&mut self.state, row.position.0, row.stamp.0, &met).is_some() {
            self.events.clear();
        } else if self.machine.wanted().meets(&met) {
            self.events.push(Contributed { position: row.position, stamp: row.stamp, event });
        }
    }
}

async fn configuration(record: &Arc<dyn Record>, tenant: &TenantId) -> Result<Configuration, Error> {
    let mut configuration = Configuration::default();
    let mut after = Position(0);
    loop {
        let rows = record.read_after(Select::Configuration(Some(tenant.clone())), after, ROWS).await?;
        let Some(last) = rows.last().map(|row| row.position) else { return Ok(configuration) };
        for row in &rows {
            if let Some(change) = change_of(row)? {
                configuration.apply(row.position, change);
            }
        }
        after = last;
    }
}
