//! The roster: which servers are there to share a work, and who has which share of it.
//!
//! As with [`Term`](super::Term)s no clock is compared with another: each server counts its beats, and is taken for gone
//! by whoever has seen the same beat for [`LASTING`] by its own clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{LASTING, PostgresRecord, failed};
use crate::record::Error;

/// After so long in silence a server is struck off.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// The roster of a work, as one server calls it.
pub struct Roster {
    record: Arc<PostgresRecord>,
    work: &'static str,
    /// The last beat of each server, and when it was heard first.
    heard: HashMap<String, (i64, Instant)>,
}

/// A server on the roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// The shares that it has.
    pub holds: BTreeSet<u8>,
    /// The shares that it could take over at once.
    pub warm: BTreeSet<u8>,
}

/// Who is there, by the servers' names.
pub type Presence = BTreeMap<String, Present>;

impl Roster {
    /// The roster of a work.
    pub fn of(record: Arc<PostgresRecord>, work: &'static str) -> Self {
        Self { record, work, heard: HashMap::new() }
    }

    /// The name by which this server is on it.
    pub fn own(&self) -> &str {
        &self.record.server
    }

    /// Says that this server is there, and for which shares it could take over; who is.
    ///
    /// # Errors
    /// The database's.
    pub async fn call(&mut self, warm: &BTreeSet<u8>) -> Result<Presence, Error> {
        type Line = (String, i64, Vec<i64>, Vec<i64>);
        let warm: Vec<i64> = warm.iter().map(|share| i64::from(*share)).collect();
        let called = sqlx::query_as("SELECT server, beat, warm, holds FROM cxengage.roll_call($1, $2, $3)")
            .bind(self.work)
            .bind(&self.record.server)
            .bind(warm)
            .fetch_all(&self.record.pool)
            .await;
        let lines: Vec<Line> = match called {
            Ok(lines) => lines,
            Err(error) => {
                // Nobody could say that they are there: their silence counts from anew.
                self.heard.clear();
                return Err(failed(error));
            }
        };
        let now = Instant::now();
        let mut presence = Presence::new();
        for (server, beat, warm, holds) in lines {
            let heard = self.heard.entry(server.clone()).or_insert((beat, now));
            if heard.0 != beat {
                *heard = (beat, now);
            }
            let silent = now - heard.1;
            if silent < LASTING {
                presence.insert(server, Present { holds: shares(holds), warm: shares(warm) });
            } else if silent >= FORGOTTEN {
                self.strike_off(&server, beat).await?;
            }
        }
        Ok(presence)
    }

    /// Takes this server off, so that nobody waits for it to fall silent.
    ///
    /// # Errors
    /// The database's.
    pub async fn leave(&self) -> Result<(), Error> {
        let sql = "DELETE FROM cxengage.workers WHERE work = $1 AND server = $2";
        let delete = sqlx::query(sql).bind(self.work).bind(&self.record.server);
        delete.execute(&self.record.pool).await.map_err(failed)?;
        Ok(())
    }

    async fn strike_off(&mut self, server: &str, beat: i64) -> Result<(), Error> {
        let sql = "DELETE FROM cxengage.workers WHERE work = $1 AND server = $2 AND beat = $3";
        let delete = sqlx::query(sql).bind(self.work).bind(server).bind(beat);
        delete.execute(&self.record.pool).await.map_err(failed)?;
        self.heard.remove(server);
        Ok(())
    }
}

fn shares(numbers: Vec<i64>) -> BTreeSet<u8> {
    numbers.into_iter().filter_map(|number| u8::try_from(number).ok()).collect()
}
