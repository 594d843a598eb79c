//! cqrs-es over the record's port, for the administrative aggregates.
//!
//! Only its aggregate, command loop and event store are used: not its snapshots (0.5 counts events twice in them)
//! nor its queries (a crash loses what they were to be told; readers follow the record instead). Read next:
//! `repository` (what the framework reads and writes), [`kinds`] (which aggregates there are), `together` (many at once).

pub mod kinds;
mod repository;
#[cfg(test)]
mod tests;
mod together;

use std::sync::Arc;

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateError, CqrsFramework};
use domain::client::TokenIssued;
use domain::ids::{Position, TenantId};
use domain::time::Stamp;

use self::repository::{Repository, last_of, stored_events};
use crate::crypto::Vault;
use crate::record::{Error, Expect, Item, Metadata, NewEvent, Outcome, Record, StreamId, StreamKind, Write};

pub use kinds::{Along, Kind};

/// How often a command is decided again when others change its aggregate at the same time.
const ATTEMPTS: usize = 32;

/// Where a command left its aggregate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Position of the aggregate's last event; 0 if it has none.
    pub position: Position,
    /// How many events it has.
    pub version: u64,
    /// The stamp of the last one.
    pub stamp: Stamp,
}

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum CommandError<E: std::error::Error> {
    /// The aggregate refused it.
    #[error(transparent)]
    Refused(E),
    /// Others kept changing the aggregate in between: try again.
    #[error("the aggregate kept changing while the command was decided")]
    Conflict,
    /// The record's fault.
    #[error(transparent)]
    Record(#[from] Error),
}

/// The way for commands to their aggregates.
#[derive(Clone)]
pub struct Commands {
    record: Arc<dyn Record>,
    vault: Arc<Vault>,
}

impl Commands {
    /// Commands on the aggregates of a record.
    pub fn new(record: Arc<dyn Record>, vault: Arc<Vault>) -> Self {
        Self { record, vault }
    }

    /// Runs a command: loads the aggregate, decides, appends. A command that loses a race is decided again on the
    /// new state. It runs in a task of its own, so that a caller who goes away does not cut it in the middle.
    ///
    /// # Errors
    /// The aggregate's refusal, a race lost too often, or the record's fault.
    pub async fn execute<A: Kind>(
        &self,
        stream: StreamId,
        command: A::Command,
        metadata: Metadata,
    ) -> Result<Committed, CommandError<A::Error>> {
        let commands = self.clone();
        let task = tokio::spawn(async move { commands.run::<A>(&stream, &command, &metadata).await });
        match task.await {
            Ok(answer) => answer,
            Err(error) => Err(Error::Unavailable(format!("a command ended early: {error}")).into()),
        }
    }

    async fn run<A: Kind>(
        &self,
        stream: &StreamId,
        command: &A::Command,
        metadata: &Metadata,
    ) -> Result<Committed, CommandError<A::Error>> {
        for _ in 0..ATTEMPTS {
            let repository = Repository::new::<A>(&self.record, &self.vault, stream, metadata);
            let committed = repository.committed();
            let store = PersistedEventStore::<Repository, A>::new_event_store(repository);
            let framework = CqrsFramework::new(store, vec![], ());
            match framework.execute(&stream.id, command.clone()).await {
                Ok(()) => return Ok(committed.get()),
                Err(AggregateError::AggregateConflict) => {}
                Err(AggregateError::UserError(refusal)) => return Err(CommandError::Refused(refusal)),
                Err(
                    AggregateError::DatabaseConnectionError(error)
                    | AggregateError::DeserializationError(error)
                    | AggregateError::UnexpectedError(error),
                ) => return Err(repository::fault(stream, error).into()),
            }
        }
        Err(CommandError::Conflict)
    }

    /// The aggregate as its events have made it; the default one if it has none.
    ///
    /// # Errors
    /// The record's; an event that cannot be read is [`Error::Damaged`].
    pub async fn load<A: Kind>(&self, stream: &StreamId) -> Result<A, Error> {
        let mut aggregate = A::default();
        for row in stored_events(&*self.record, stream).await? {
            let event = serde_json::from_slice(&row.payload)
                .map_err(|error| Error::Damaged(format!("position {}: {error}", row.position)))?;
            aggregate.apply(event);
        }
        Ok(aggregate)
    }

    /// Notes that a token was issued. `hash` is the token's SHA-256 as hex: the token itself is nowhere.
    ///
    /// # Errors
    /// The record's; a token that was issued already is [`Error::Malformed`], for they are drawn at random.
    pub async fn issue_token(
        &self,
        hash: &str,
        token: &TokenIssued,
        metadata: Metadata,
    ) -> Result<Committed, Error> {
        let payload = serde_json::to_vec(token).map_err(|error| Error::Malformed(error.to_string()))?;
        let event = NewEvent {
            event_type: TokenIssued::TYPE,
            event_version: 1,
            payload,
            event_id: None,
            configures: false,
        };
        let write = Write {
            stream: StreamId::new(&TenantId(String::new()), StreamKind::Token, hash),
            expect: Expect::Version(0),
            customer: None,
            partition: None,
            events: vec![event],
        };
        let item = Item { writes: vec![write], metadata, ..Item::default() };
        match last_of(self.record.append(vec![item]).await?)? {
            Outcome::Appended { last, stamp, .. } => Ok(Committed { position: last, version: 1, stamp }),
            refused => Err(Error::Malformed(format!("a token that is there already: {refused:?}"))),
        }
    }
}
