//! What cqrs-es reads and writes: one stream of the record, for one command.

use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use cqrs_es::Aggregate;
use cqrs_es::persist::{
    PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot,
};
use domain::ids::Position;
use serde_json::Value;

use super::Committed;
use super::kinds::{Along, Kind};
use crate::crypto::Vault;
use crate::record::{
    Error, Expect, Item, Metadata, NewEvent, NewKey, Outcome, Record, Recorded, Select, StreamId, Write,
};

/// How many rows of a stream are read at a time.
const PAGE: usize = 1_000;

/// The repository of one command. It knows its stream, so the framework's aggregate id is not looked at.
pub(super) struct Repository {
    record: Arc<dyn Record>,
    vault: Arc<Vault>,
    stream: StreamId,
    metadata: Metadata,
    events: &'static [(&'static str, Along)],
    committed: Seen,
}

/// Where the stream was last seen: the framework does not tell its caller.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Committed>>);

impl Seen {
    pub(super) fn get(&self) -> Committed {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, committed: Committed) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = committed;
    }
}

impl Repository {
    pub(super) fn new<A: Kind>(
        record: &Arc<dyn Record>,
        vault: &Arc<Vault>,
        stream: &StreamId,
        metadata: &Metadata,
    ) -> Self {
        Self {
            record: Arc::clone(record),
            vault: Arc::clone(vault),
            stream: stream.clone(),
            metadata: metadata.clone(),
            events: A::EVENTS,
            committed: Seen::default(),
        }
    }

    pub(super) fn committed(&self) -> Seen {
        self.committed.clone()
    }

    async fn read(&self, after: usize) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let rows = stored_events(&*self.record, &self.stream).await.map_err(connection)?;
        if let Some(last) = rows.last() {
            self.committed.set(Committed {
                position: last.position,
                version: last.version,
                stamp: last.stamp,
            });
        }
        rows.iter().map(serialized).skip(after).collect()
    }

    /// The event as the record has it, with the key that is made with it.
    async fn new_event(
        &self,
        event: &SerializedEvent,
    ) -> Result<(NewEvent, Option<NewKey>), PersistenceError> {
        let unknown =
            || PersistenceError::UnknownError(format!("no event is called {}", event.event_type).into());
        let (event_type, along) =
            *self.events.iter().find(|(name, _)| *name == event.event_type).ok_or_else(unknown)?;
        let new = NewEvent {
            event_type,
            event_version: event.event_version.parse().map_err(|_| unknown())?,
            payload: serde_json::to_vec(&event.payload)?,
            event_id: None,
            configures: along == Along::Configuration,
        };
        let key = match along {
            Along::TenantKey => {
                Some(self.vault.new_tenant_key(&self.stream.tenant).await.map_err(connection)?)
            }
            Along::Nothing | Along::Configuration => None,
        };
        Ok((new, key))
    }
}

impl PersistedEventRepository for Repository {
    async fn get_events<A: Aggregate>(&self, _: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.read(0).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        _: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.read(last_sequence).await
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        _: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        _: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        let Some(first) = events.first() else { return Ok(()) };
        let mut write = Write {
            stream: self.stream.clone(),
            expect: Expect::Version(first.sequence as u64 - 1),
            customer: None,
            partition: None,
            events: Vec::with_capacity(events.len()),
        };
        let mut keys = Vec::new();
        for event in events {
            let (event, key) = self.new_event(event).await?;
            write.events.push(event);
            keys.extend(key);
        }
        let item = Item { writes: vec![write], keys, metadata: self.metadata.clone(), ..Item::default() };
        let outcomes = self.record.append(vec![item]).await.map_err(connection)?;
        match last_of(outcomes).map_err(connection)? {
            Outcome::Appended { last, stamp, .. } => {
                let version = first.sequence as u64 - 1 + events.len() as u64;
                self.committed.set(Committed { position: last, version, stamp });
                Ok(())
            }
            Outcome::Conflict(_) => Err(PersistenceError::OptimisticLockError),
            refused => Err(PersistenceError::UnknownError(format!("an append was {refused:?}").into())),
        }
    }

    async fn stream_events<A: Aggregate>(&self, _: &str) -> Result<ReplayStream, PersistenceError> {
        Err(not_offered())
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        Err(not_offered())
    }
}

/// All events of a stream.
pub(super) async fn stored_events(record: &dyn Record, stream: &StreamId) -> Result<Vec<Recorded>, Error> {
    let select = Select::Stream(stream.clone());
    let mut rows: Vec<Recorded> = Vec::new();
    loop {
        let after = rows.last().map_or(Position(0), |row| row.position);
        let page = record.read_after(select.clone(), after, PAGE).await?;
        let full = page.len() == PAGE;
        rows.extend(page);
        if !full {
            return Ok(rows);
        }
    }
}

/// The outcome of the one item of a batch.
pub(super) fn last_of(outcomes: Vec<Outcome>) -> Result<Outcome, Error> {
    outcomes.into_iter().next_back().ok_or_else(|| Error::Unavailable("no answer to an append".into()))
}

/// What the framework gives back of a fault, in the record's terms.
pub(super) fn fault(stream: &StreamId, error: Box<dyn StdError + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => Error::Damaged(format!("{} {}: {error}", stream.kind.name(), stream.id)),
    }
}

fn serialized(row: &Recorded) -> Result<SerializedEvent, PersistenceError> {
    Ok(SerializedEvent {
        aggregate_id: row.stream.id.clone(),
        sequence: usize::try_from(row.version)
            .map_err(|error| PersistenceError::DeserializationError(error.into()))?,
        aggregate_type: row.stream.kind.name().to_owned(),
        event_type: row.event_type.clone(),
        event_version: row.event_version.to_string(),
        payload: serde_json::from_slice(&row.payload)?,
        metadata: Value::Object(serde_json::Map::new()),
    })
}

fn connection(error: Error) -> PersistenceError {
    PersistenceError::ConnectionError(Box::new(error))
}

/// Readers follow the record by position; the framework's own replay knows no order across aggregates.
fn not_offered() -> PersistenceError {
    PersistenceError::UnknownError("replay is not offered here".into())
}
