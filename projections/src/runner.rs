//! Follows the record and keeps the read models up with it.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::Position;
use eventlog::crypto::Vault;
use eventlog::record::{Feed, Record, Recorded, Select};

use crate::entry::{self, Entry};
use crate::{Error, Views, store};

/// How many entries go into one transaction at most.
pub(crate) const BATCH: usize = 1_000;

/// The pause after a failure that may pass.
const PAUSE: Duration = Duration::from_secs(1);

/// Keeps the read models up with the record.
pub struct Runner {
    views: Views,
    record: Arc<dyn Record>,
    vault: Arc<Vault>,
}

impl Runner {
    /// A runner; it does nothing until it [`run`](Self::run)s.
    pub fn new(views: Views, record: Arc<dyn Record>, vault: Arc<Vault>) -> Self {
        Self { views, record, vault }
    }

    /// Follows the record until what it meets cannot be mended by trying again; says what that was. What may pass
    /// (the store is busy, the disk is full) is tried again after a pause. Can be dropped at any time.
    pub async fn run(self) -> Error {
        loop {
            let Err(error) = self.follow().await;
            if !error.is_passing() {
                return error;
            }
            tracing::warn!(%error, "the read models have stopped and go on after a pause");
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow(&self) -> Result<std::convert::Infallible, Error> {
        let end = self.record.head().borrow().position;
        let begin = self.views.write(move |connection| {
            store::reset_beyond(connection, end)?;
            store::furthest_behind(connection)
        });
        let mut after = begin.await?;
        self.views.told(after);
        let mut feed = Feed::new(Arc::clone(&self.record), Select::All, after);
        loop {
            let rows = feed.next(BATCH).await?;
            let end = feed.position();
            let entries = read(&self.vault, rows).await?;
            let apply = move |connection: &mut _| store::apply(connection, after, end, &entries);
            self.views.told(self.views.write(apply).await?);
            after = end;
        }
    }
}

/// Opens and reads rows.
pub(crate) async fn read(vault: &Vault, rows: Vec<Recorded>) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::with_capacity(rows.len());
    for row in rows {
        entries.push(entry::read(vault, row).await?);
    }
    Ok(entries)
}

/// Where a batch of rows ends: at the last of them, or, if it holds all that there was, at the end of the record.
pub(crate) fn end_of(rows: &[Recorded], limit: usize, head: Position, after: Position) -> Position {
    let last = rows.last().map_or(after, |row| row.position);
    if rows.len() < limit { last.max(head) } else { last }
}
