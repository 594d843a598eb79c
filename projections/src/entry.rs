//! Rows of the record, opened and read: what the read models are made from.
//!
//! Customer events and marks are not among them. An entry of a kind that has read models but whose name or
//! shape is not known is an error: a read model that leaves things out would be wrong without a word.

use cqrs_es::DomainEvent;
use domain::ids::{Position, ReactionId, TenantId};
use domain::time::Stamp;
use domain::{augment, client, integration, listener, pattern, reaction, template, tenant};
use eventlog::crypto::{Erasure, Opened, Vault};
use eventlog::record::{Recorded, StreamKind};
use serde::de::DeserializeOwned;

use crate::Error;

/// An entry of the record.
pub(crate) struct Entry {
    pub position: Position,
    pub stamp: Stamp,
    pub tenant: TenantId,
    /// The stream's id.
    pub id: String,
    /// The entry's number in its stream.
    pub version: u64,
    pub customer: Option<domain::ids::CustomerId>,
    /// Who asked for it.
    pub by: Option<String>,
    pub body: Body,
}

/// What happened.
pub(crate) enum Body {
    Tenant(tenant::Event),
    Client(client::Event),
    Token(client::TokenIssued),
    Pattern(pattern::Event),
    Template(template::Event),
    Integration(integration::Event),
    Augment(augment::Event),
    Listener(listener::Event),
    Reaction(ReactionId, Box<reaction::Event>),
    /// A customer was erased.
    Erasure(Erasure),
    /// A customer's who was erased: passed over, and counted.
    Erased,
    /// Nothing that a read model is made from.
    Other,
}

/// Opens and reads rows of the domain log, in order.
pub(crate) async fn read(vault: &Vault, rows: Vec<Recorded>) -> Result<Vec<Entry>, Error> {
    let (sealed, clear): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.stream.kind == StreamKind::Reaction);
    let opened = vault.open_all(&sealed).await?;
    let mut entries = clear.into_iter().map(of_aggregate).collect::<Result<Vec<_>, _>>()?;
    for (row, opened) in sealed.into_iter().zip(opened) {
        let body = match opened {
            Opened::Clear(clear) => of_reaction(&row, &clear)?,
            Opened::Erased => Body::Erased,
        };
        entries.push(entry(row, body));
    }
    entries.sort_unstable_by_key(|entry| entry.position);
    Ok(entries)
}

fn of_aggregate(row: Recorded) -> Result<Entry, Error> {
    let body = match row.stream.kind {
        StreamKind::Tenant => Body::Tenant(aggregate(&row)?),
        StreamKind::Client => Body::Client(aggregate(&row)?),
        StreamKind::Token if row.event_type == client::TokenIssued::TYPE => Body::Token(payload(&row)?),
        StreamKind::Token => return Err(unknown(&row)),
        StreamKind::Pattern => Body::Pattern(aggregate(&row)?),
        StreamKind::Template => Body::Template(aggregate(&row)?),
        StreamKind::Integration => Body::Integration(aggregate(&row)?),
        StreamKind::Erasure => Body::Erasure(Erasure::read(&row)?),
        StreamKind::Augment => Body::Augment(aggregate(&row)?),
        StreamKind::Listener => Body::Listener(aggregate(&row)?),
        StreamKind::Reaction | StreamKind::Customer | StreamKind::Mark => Body::Other,
    };
    Ok(entry(row, body))
}

fn entry(row: Recorded, body: Body) -> Entry {
    Entry {
        position: row.position,
        stamp: row.stamp,
        tenant: row.stream.tenant,
        id: row.stream.id,
        version: row.version,
        customer: row.customer,
        by: row.metadata.by,
        body,
    }
}

fn of_reaction(row: &Recorded, clear: &[u8]) -> Result<Body, Error> {
    let id = row.stream.id.parse().map_err(|error| unreadable(row, error))?;
    let event = reaction::Event::from_json(&row.event_type, row.event_version, clear);
    Ok(Body::Reaction(id, Box::new(event.map_err(|error| unreadable(row, error))?)))
}

/// An aggregate's event, which has to be what its stored name and version say.
fn aggregate<E: DomainEvent>(row: &Recorded) -> Result<E, Error> {
    let event: E = payload(row)?;
    if event.event_type() == row.event_type && event.event_version() == row.event_version.to_string() {
        Ok(event)
    } else {
        Err(unknown(row))
    }
}

fn payload<T: DeserializeOwned>(row: &Recorded) -> Result<T, Error> {
    serde_json::from_slice(&row.payload).map_err(|error| unreadable(row, error))
}

fn unknown(row: &Recorded) -> Error {
    let (kind, name) = (row.stream.kind.name(), &row.event_type);
    unreadable(row, format!("no entry of a {kind} is called {name:?} in version {}", row.event_version))
}

fn unreadable(row: &Recorded, reason: impl ToString) -> Error {
    Error::Unreadable { position: row.position, reason: reason.to_string() }
}
