//! Turns: what servers must not do at the same time for a moment, a change of one tenant's configuration for instance.

use std::sync::Arc;

use sqlx::{Connection, Executor, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{PostgresRecord, failed, schema};
use crate::record::Error;

/// How many turns a server takes or waits for at a time: each has a connection of its own.
const AT_ONCE: usize = 4;

/// A turn is waited for no longer than this, and whoever stands still in one loses it: the database ends its session.
const LIMITS: &str = "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'; BEGIN";

pub(super) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE))
}

/// A turn; over when it is dropped.
pub struct Turn {
    // Closing it is what ends the turn.
    connection: PgConnection,
    _room: OwnedSemaphorePermit,
}

impl PostgresRecord {
    /// Waits for the turn with `what`.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it is another's for too long, or the database is away.
    pub async fn turn(&self, what: &str) -> Result<Turn, Error> {
        let closed = |_| Error::Unavailable("the record has been closed".into());
        let room = Arc::clone(&self.turns).acquire_owned().await.map_err(closed)?;
        let mut connection = schema::connect(&self.connect).await.map_err(failed)?;
        connection.execute(LIMITS).await.map_err(failed)?;
        sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 6378))")
            .bind(what)
            .execute(&mut connection)
            .await
            .map_err(failed)?;
        Ok(Turn { connection, _room: room })
    }
}

impl Turn {
    /// Ends it, once the database says so.
    ///
    /// # Errors
    /// The database's; it is over all the same.
    pub async fn end(self) -> Result<(), Error> {
        self.connection.close().await.map_err(failed)
    }
}
