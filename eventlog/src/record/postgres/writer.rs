//! The writer: one task that owns the one writing connection and sends what waits by groups.
//!
//! All that waits goes into one statement, hence one commit; while that runs the next group gathers. The task is
//! nobody's request: a client that hangs up cuts nothing off. A group that fails leaves nothing behind, or, where
//! the connection broke before its answer, perhaps all of it: that is what idempotency keys and versions are for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::sync::mpsc;

use super::batch::Batch;
use super::shared::Shared;
use super::{Options, failed, schema};
use crate::record::queue::{Append, Queue, answer, closed, refuse};
use crate::record::{Error, Item, Outcome};

/// A connection that was idle for so long is tried before a group is risked on it.
const IDLE: Duration = Duration::from_secs(1);

/// How long a group waits for a database that cannot be reached, before it is refused.
const PATIENCE: Duration = Duration::from_secs(5);

/// The pause between two tries to reach it.
const PAUSE: Duration = Duration::from_millis(100);

/// The way to the writer.
pub(super) struct Writer {
    jobs: mpsc::UnboundedSender<Append>,
    queue: Queue,
}

impl Writer {
    pub(super) fn start(options: &Options, shared: Arc<Shared>) -> Self {
        let (jobs, queue) = mpsc::unbounded_channel();
        tokio::spawn(Worker { options: options.clone(), shared, connection: None }.run(queue));
        Self { jobs, queue: Queue::new(options.queue_bytes) }
    }

    /// Queues a batch, for which there may have to be room first, and waits for its commit.
    pub(super) async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let (append, answer) = self.queue.admit(items).await?;
        self.jobs.send(append).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

struct Worker {
    options: Options,
    shared: Arc<Shared>,
    /// The connection, and when it last answered.
    connection: Option<(PgConnection, Instant)>,
}

impl Worker {
    /// Runs until nobody is left to ask; what was queued by then is still appended.
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Append>) {
        while let Some(first) = queue.recv().await {
            let group = self.gather(first, &mut queue);
            match self.append(&group).await {
                Ok(outcomes) => answer(group, outcomes),
                Err(error) => {
                    tracing::error!(%error, appends = group.len(), "a group could not be committed");
                    refuse(group, || error.clone());
                }
            }
        }
        if let Some((connection, _)) = self.connection
            && let Err(error) = connection.close().await
        {
            tracing::debug!(%error, "the writing connection ended without a farewell");
        }
    }

    /// All appends that wait, up to what a group may hold.
    fn gather(&self, first: Append, queue: &mut mpsc::UnboundedReceiver<Append>) -> Vec<Append> {
        let (mut items, mut bytes) = (first.items.len(), first.bytes);
        let mut group = vec![first];
        while items < self.options.group_items && bytes < self.options.group_bytes {
            let Ok(next) = queue.try_recv() else { break };
            items += next.items.len();
            bytes += next.bytes;
            group.push(next);
        }
        group
    }

    async fn append(&mut self, group: &[Append]) -> Result<Vec<Outcome>, Error> {
        let items = || group.iter().flat_map(|append| &append.items);
        let batch = Batch::of(items());
        let clock = self.options.clock.as_ref().map(|clock| clock.now());
        let mut connection = self.connection().await?;
        // On any failure the connection goes: what state it is in is not known.
        let answer = batch.append(&mut connection, clock).await.map_err(failed)?;
        let done = answer.outcomes(items()).ok_or_else(|| {
            Error::Damaged("the database answered what its function for appending never does".into())
        })?;
        self.shared.configured(done.configurations);
        match done.head {
            Some(head) => self.shared.advance(head),
            // Nothing was written, but others may have: whoever is answered finds what that stands on.
            None => self.shared.refresh(&mut connection).await.map_err(failed)?,
        }
        self.connection = Some((connection, Instant::now()));
        Ok(done.outcomes)
    }

    /// The connection, made anew if it is gone; the database is waited for a while.
    async fn connection(&mut self) -> Result<PgConnection, Error> {
        if let Some((mut connection, used)) = self.connection.take()
            && (used.elapsed() < IDLE || connection.ping().await.is_ok())
        {
            return Ok(connection);
        }
        let begun = Instant::now();
        loop {
            match schema::connect(&self.options.connect).await {
                Ok(connection) => return Ok(connection),
                Err(error) if begun.elapsed() > PATIENCE => return Err(failed(error)),
                Err(error) => tracing::debug!(%error, "the database cannot be reached; trying again"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
