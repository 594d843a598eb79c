//! Follows the record and keeps the read models up with it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use eventlog::crypto::Vault;
use eventlog::record::{Feed, Record, Select};

use crate::{Error, Views, entry, store};

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

    async fn follow(&self) -> Result<Infallible, Error> {
        let end = self.record.head().borrow().position;
        let begin = self.views.write(move |connection| {
            store::reset_beyond(connection, end)?;
            store::furthest_behind(connection)
        });
        // Where the read models stand; there may be nothing more for them up to where the feed is.
        let mut place = begin.await?;
        let mut feed = Feed::new(self.record.clone(), Select::Domain, place);
        self.views.told(place);
        loop {
            let rows = feed.advance(BATCH).await?;
            let seen = feed.position();
            if !rows.is_empty() {
                let entries = entry::read(&self.vault, rows).await?;
                let apply = move |connection: &mut _| store::apply(connection, place, seen, &entries);
                place = self.views.write(apply).await?;
            }
            self.views.told(seen);
        }
    }
}
