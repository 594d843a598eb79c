//! Every way in goes through here: REST, NATS publishers, listeners, and a reaction's `event`.

use std::sync::Arc;

use domain::customer_event::{CustomerEvent, Origin, Refusal};
use domain::ids::{Position, TenantId};
use domain::json::Json;
use domain::time::Stamp;

use crate::crypto::Vault;
use crate::record::{Error, Item, Metadata, Record};

/// An event that asks to come in; already read as JSON within the event limits.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Whose.
    pub tenant: TenantId,
    /// The event as it came.
    pub event: Json,
    /// The idempotency key, where the way in has one.
    pub idempotency_key: Option<String>,
    /// Which way in.
    pub origin: Origin,
    /// Cause and author.
    pub metadata: Metadata,
}

/// An event that was accepted: committed and fsynced.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// As stored.
    pub event: CustomerEvent,
    /// Where.
    pub position: Position,
    /// When.
    pub stamp: Stamp,
    /// Whether the idempotency key had been used: this is the answer of then.
    pub duplicate: bool,
}

/// Why an event was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The event's own fault.
    #[error(transparent)]
    Event(#[from] Refusal),
    /// The record's.
    #[error(transparent)]
    Record(#[from] Error),
}

/// An event ready to be appended, for a caller that appends it together with more.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The item: one write, `config` set, keys included.
    pub item: Item,
    /// What it holds.
    pub event: CustomerEvent,
}

/// The door.
pub struct Door {
    _record: Arc<dyn Record>,
    _vault: Arc<Vault>,
}

impl Door {
    /// A door to a record.
    pub fn new(record: Arc<dyn Record>, vault: Arc<Vault>) -> Self {
        Self { _record: record, _vault: vault }
    }

    /// Accepts a batch; each event's answer, in order. A bad one does not hold back the others.
    pub async fn accept(&self, incoming: Vec<Incoming>) -> Vec<Result<Accepted, Refused>> {
        let _ = incoming;
        todo!("eventlog")
    }

    /// Validates, augments and seals an event without appending it. An [`Outcome::Stale`](crate::record::Outcome)
    /// or `KeyTaken` of the append means: prepare again.
    ///
    /// # Errors
    /// Why it cannot be accepted.
    pub async fn prepare(&self, incoming: &Incoming) -> Result<Prepared, Refused> {
        let _ = incoming;
        todo!("eventlog")
    }
}
