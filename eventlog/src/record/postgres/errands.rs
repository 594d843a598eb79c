//! Errands: what a server has done by the one that holds a term, with the answer back. They live in the database for
//! as long as somebody waits for them; one that is not answered in time is its sender's to repeat.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{PostgresRecord, failed};
use crate::record::Error;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two looks for an answer, or for errands.
const LOOK: Duration = Duration::from_millis(50);

/// How many errands are run at once.
const AT_ONCE: i64 = 64;

/// The way to the server that holds a term.
pub struct Errands {
    record: Arc<PostgresRecord>,
    term: &'static str,
}

impl Errands {
    /// Errands for whoever holds a term.
    pub fn to(record: Arc<PostgresRecord>, term: &'static str) -> Self {
        Self { record, term }
    }

    /// Has an errand run; none if no answer came in time.
    ///
    /// # Errors
    /// The database's.
    pub async fn run(&self, errand: &str) -> Result<Option<String>, Error> {
        let pool = &self.record.pool;
        let sql = "INSERT INTO cxengage.errands (term, errand) VALUES ($1, $2) RETURNING id";
        let id: i64 =
            sqlx::query_scalar(sql).bind(self.term).bind(errand).fetch_one(pool).await.map_err(failed)?;
        let until = Instant::now() + PATIENCE;
        loop {
            sleep(LOOK).await;
            let over = Instant::now() >= until;
            let sql =
                "DELETE FROM cxengage.errands WHERE id = $1 AND ($2 OR answer IS NOT NULL) RETURNING answer";
            let answer: Option<Option<String>> =
                sqlx::query_scalar(sql).bind(id).bind(over).fetch_optional(pool).await.map_err(failed)?;
            if over || answer.is_some() {
                return Ok(answer.flatten());
            }
        }
    }

    /// Runs errands for ever, as the holder of the term. What cannot be read just now is tried again.
    pub async fn serve<W: Future<Output = Option<String>>>(&self, run: impl Fn(String) -> W) {
        loop {
            match self.take().await {
                Ok(errands) => {
                    let answers = errands.into_iter().map(async |(id, errand)| {
                        let Some(answer) = run(errand).await else { return };
                        if let Err(error) = self.answer(id, &answer).await {
                            tracing::warn!(%error, "the answer to an errand is lost");
                        }
                    });
                    join_all(answers).await;
                }
                Err(error) => tracing::debug!(%error, "errands cannot be read just now"),
            }
            sleep(LOOK).await;
        }
    }

    /// The errands that nobody runs yet, each once; what was left behind by those who waited goes.
    async fn take(&self) -> Result<Vec<(i64, String)>, Error> {
        let sql = "WITH old AS (DELETE FROM cxengage.errands WHERE made < clock_timestamp() - interval '1 minute') \
                   UPDATE cxengage.errands e SET taken = true FROM ( \
                       SELECT id FROM cxengage.errands WHERE term = $1 AND NOT taken \
                       ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED \
                   ) open WHERE e.id = open.id RETURNING e.id, e.errand";
        sqlx::query_as(sql).bind(self.term).bind(AT_ONCE).fetch_all(&self.record.pool).await.map_err(failed)
    }

    async fn answer(&self, id: i64, answer: &str) -> Result<(), Error> {
        let sql = "UPDATE cxengage.errands SET answer = $2 WHERE id = $1";
        sqlx::query(sql).bind(id).bind(answer).execute(&self.record.pool).await.map_err(failed)?;
        Ok(())
    }
}
