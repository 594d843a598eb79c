//! Terms: what only one server may do at a time, and the places that its holder keeps.
//!
//! No clock is compared with another. The holder counts its beats in the term's row; whoever waits takes over when it
//! has seen the same beat for [`LASTING`] by its own clock. A holder that was only slow finds out by its next beat,
//! and before that by its fences: the new holder raises the leases' epochs, which only the holder of a term can.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::Position;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{PostgresRecord, failed};
use crate::checkpoint::{Change, Places, Row};
use crate::record::Error;
use crate::record::row::integer;

/// How often a holder says that it is there.
const BEAT: Duration = Duration::from_secs(1);

/// How long a holder may be silent before another takes over.
pub const LASTING: Duration = Duration::from_secs(6);

/// The pause between two looks at a term that another holds.
const LOOK: Duration = Duration::from_millis(500);

/// Something that one server does at a time.
pub struct Term {
    record: Arc<PostgresRecord>,
    name: String,
    /// Who is to have it when this server lets it go; whoever comes first if empty.
    heir: Mutex<String>,
    progress: watch::Sender<Position>,
}

/// A term as it stands in the database.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    holder: String,
    beat: i64,
    progress: i64,
}

impl Term {
    /// A term of that name, for the server that has this record open.
    pub fn new(record: Arc<PostgresRecord>, name: impl Into<String>) -> Self {
        Self { record, name: name.into(), heir: Mutex::default(), progress: watch::channel(Position(0)).0 }
    }

    /// Says which server is to have it when this one [lets it go](Self::let_go).
    pub fn leave_to(&self, server: &str) {
        self.heir.lock().unwrap_or_else(PoisonError::into_inner).replace_range(.., server);
    }

    /// How far its holder says it has come, as known here while this server [waits](Self::wait) for it.
    pub fn progress(&self) -> watch::Receiver<Position> {
        self.progress.subscribe()
    }

    /// Waits until this server holds it. A database that is away is asked again. Cancel-safe.
    pub async fn wait(&self) {
        let mut seen: Option<(Standing, Instant)> = None;
        loop {
            let silent = seen.as_ref().filter(|(_, since)| since.elapsed() >= LASTING);
            match self.claim(silent.map(|(standing, _)| standing)).await {
                Ok(now) if now.holder == self.record.server => return,
                Ok(now) => {
                    self.told(now.progress);
                    let same = |(before, _): &(Standing, Instant)| {
                        (&before.holder, before.beat) == (&now.holder, now.beat)
                    };
                    if !seen.as_ref().is_some_and(same) {
                        seen = Some((now, Instant::now()));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, term = %self.name, "who holds it cannot be found out just now");
                    // Nobody could say that they are there: their silence counts from anew.
                    seen = None;
                }
            }
            sleep(LOOK).await;
        }
    }

    /// Says again and again that this server is there and how far it has come; returns when another holds the term.
    pub async fn hold(&self, progress: watch::Receiver<Position>) {
        loop {
            sleep(BEAT).await;
            let reached = *progress.borrow();
            match self.beat(reached).await {
                Ok(true) => {}
                Ok(false) => return,
                // Whoever takes over meanwhile will be found there then.
                Err(error) => {
                    tracing::warn!(%error, term = %self.name, "the lease cannot be renewed just now")
                }
            }
        }
    }

    /// Lets it go, so that another need not wait: to whom it was [left](Self::leave_to), if to anybody.
    ///
    /// # Errors
    /// The record's: the others wait until they have seen it silent for long enough.
    pub async fn let_go(&self) -> Result<(), Error> {
        let heir = std::mem::take(&mut *self.heir.lock().unwrap_or_else(PoisonError::into_inner));
        sqlx::query("UPDATE cxengage.terms SET holder = $3, beat = beat + 1 WHERE name = $1 AND holder = $2")
            .bind(&self.name)
            .bind(&self.record.server)
            .bind(heir)
            .execute(&self.record.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    fn told(&self, progress: i64) {
        let reached = Position(progress.unsigned_abs());
        self.progress.send_if_modified(|known| {
            let further = reached > *known;
            *known = reached.max(*known);
            further
        });
    }

    async fn claim(&self, silent: Option<&Standing>) -> Result<Standing, Error> {
        let (holder, beat, progress) = sqlx::query_as("SELECT * FROM cxengage.claim($1, $2, $3, $4)")
            .bind(&self.name)
            .bind(&self.record.server)
            .bind(silent.map(|standing| standing.holder.as_str()))
            .bind(silent.map(|standing| standing.beat))
            .fetch_one(&self.record.pool)
            .await
            .map_err(failed)?;
        Ok(Standing { holder, beat, progress })
    }

    async fn beat(&self, progress: Position) -> Result<bool, Error> {
        let done = sqlx::query(
            "UPDATE cxengage.terms SET beat = beat + 1, progress = greatest(progress, $3) \
             WHERE name = $1 AND holder = $2",
        )
        .bind(&self.name)
        .bind(&self.record.server)
        .bind(integer(progress.0))
        .execute(&self.record.pool)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1 || crate::broken!("deaf-to-its-term"))
    }
}

/// Places in the record that the holder of a term keeps in the database, where the next holder finds them.
pub struct SharedPlaces {
    record: Arc<PostgresRecord>,
    term: &'static str,
}

impl SharedPlaces {
    /// The places that whoever holds the term keeps.
    pub fn of(record: Arc<PostgresRecord>, term: &'static str) -> Self {
        Self { record, term }
    }
}

#[async_trait]
impl Places for SharedPlaces {
    async fn load(&self, name: &str) -> Result<Option<(Position, Vec<Row>)>, Error> {
        // One statement, so both are of one moment.
        let found: Vec<(i64, Option<Vec<u8>>, Option<Vec<u8>>)> = sqlx::query_as(
            "SELECT p.position, r.key, r.value FROM cxengage.places p \
             LEFT JOIN cxengage.place_rows r ON r.name = p.name WHERE p.name = $1 ORDER BY r.key",
        )
        .bind(name)
        .fetch_all(&self.record.pool)
        .await
        .map_err(failed)?;
        let Some((position, ..)) = found.first() else { return Ok(None) };
        let position = Position(position.unsigned_abs());
        Ok(Some((position, found.into_iter().filter_map(|(_, key, value)| key.zip(value)).collect())))
    }

    async fn commit(&self, name: &str, position: Position, changes: Vec<Change>) -> Result<(), Error> {
        let (keys, values): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        let kept: bool = sqlx::query_scalar("SELECT cxengage.keep($1, $2, $3, $4, $5, $6)")
            .bind(self.term)
            .bind(&self.record.server)
            .bind(name)
            .bind(integer(position.0))
            .bind(&keys)
            .bind(&values)
            .fetch_one(&self.record.pool)
            .await
            .map_err(failed)?;
        match kept {
            true => Ok(()),
            false => Err(Error::Unavailable(format!("another server holds {}", self.term))),
        }
    }

    async fn forget(&self, name: &str) -> Result<(), Error> {
        let mut transaction = self.record.pool.begin().await.map_err(failed)?;
        for table in ["place_rows", "places"] {
            let statement = format!("DELETE FROM cxengage.{table} WHERE name = $1");
            sqlx::query(&statement).bind(name).execute(&mut *transaction).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }
}
