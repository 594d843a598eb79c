//! Rows of the record → what they mean for matching.

use domain::configuration::Change;
use domain::customer_event::CustomerEvent;
use domain::ids::{CustomerId, Position, TenantId};
use domain::json::Object;
use eventlog::crypto::{Opened, Vault};
use eventlog::customer_stream::change_of;
use eventlog::record::{Error, Recorded, StreamKind};

use super::matcher::{Completed, Matcher, Place};
use super::store::Lost;

/// What a row means for matching.
#[derive(Debug)]
pub(crate) enum Step {
    /// A tenant's configuration changes.
    Configure(TenantId, Position, Box<Change>),
    /// A customer's event; `None`: they were erased, only time passes.
    Event(TenantId, CustomerId, Place, Option<Object>),
    /// Time passes.
    Mark(Place),
    /// Nothing.
    Nothing,
}

/// Reads rows, in order. Stored events are opened together. Of tenants that are not `theirs` nothing is looked at but
/// that time passes.
///
/// # Errors
/// The record's; what cannot be read is [`Error::Damaged`].
pub(crate) async fn steps(
    vault: &Vault,
    rows: &[Recorded],
    theirs: impl Fn(&TenantId) -> bool,
) -> Result<Vec<Step>, Error> {
    let theirs = |row: &Recorded| theirs(&row.stream.tenant);
    let event_of = |row: &&Recorded| row.stream.kind == StreamKind::Customer && theirs(row);
    let events: Vec<&Recorded> = rows.iter().filter(event_of).collect();
    let mut opened = vault.open_all(&events).await?.into_iter();
    rows.iter()
        .map(|row| match row.stream.kind {
            StreamKind::Customer if theirs(row) => event(row, opened.next()),
            StreamKind::Customer | StreamKind::Mark => Ok(Step::Mark(place(row)?)),
            _ if row.configures && theirs(row) => configure(row),
            _ => Ok(Step::Nothing),
        })
        .collect()
}

fn event(row: &Recorded, opened: Option<Opened>) -> Result<Step, Error> {
    let customer = row.customer.ok_or_else(|| damaged(row, "a customer event without a customer"))?;
    let event = match opened {
        Some(Opened::Clear(clear)) => {
            let event: CustomerEvent = serde_json::from_slice(&clear).map_err(|e| damaged(row, e))?;
            Some(event.effective())
        }
        Some(Opened::Erased) | None => None,
    };
    Ok(Step::Event(row.stream.tenant.clone(), customer, place(row)?, event))
}

fn place(row: &Recorded) -> Result<Place, Error> {
    let partition = row.partition.ok_or_else(|| damaged(row, "a row without its partition"))?;
    Ok(Place { partition, position: row.position, stamp: row.stamp })
}

/// Configuration that matching does not know (augments) changes nothing here.
pub(crate) fn configure(row: &Recorded) -> Result<Step, Error> {
    Ok(match change_of(row)? {
        Some(change) => Step::Configure(row.stream.tenant.clone(), row.position, Box::new(change)),
        None => Step::Nothing,
    })
}

pub(crate) fn damaged(row: &Recorded, what: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("position {}, {}: {what}", row.position, row.event_type))
}

/// The record's own words for it.
pub(crate) fn lost(lost: Lost) -> Error {
    Error::Damaged(lost.to_string())
}

impl Matcher {
    /// Takes a row.
    ///
    /// # Errors
    /// What was spilled cannot be read back; the matcher is of no use any more.
    pub(crate) fn step(&mut self, step: Step, completed: &mut Vec<Completed>) -> Result<(), Lost> {
        match step {
            Step::Configure(tenant, position, change) => self.configure(&tenant, position, *change),
            Step::Mark(place) => self.pass(place, completed)?,
            Step::Event(tenant, customer, place, event) => {
                self.pass(place, completed)?;
                if let Some(event) = event {
                    self.event(&tenant, customer, place, &event, completed)?;
                }
            }
            Step::Nothing => {}
        }
        Ok(())
    }
}
