//! The read models, open: ask them, and wait for them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::Position;
use eventlog::workers::{Ended, Workers};
use rusqlite::Connection;
use tokio::sync::watch;

use crate::{Error, store};

/// How many questions are answered at once.
const READERS: usize = 4;

/// How long a write waits for its read models (design.md §3.5).
const WAIT: Duration = Duration::from_secs(5);

/// The read models. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Views {
    shared: Arc<Shared>,
}

struct Shared {
    writer: Workers<Connection>,
    readers: Workers<Connection>,
    progress: watch::Sender<Position>,
}

/// Which part of a list, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Only what stands before this position; `None`: from the newest on.
    pub before: Option<Position>,
    /// At most so many entries.
    pub limit: usize,
}

impl Page {
    /// The bounds as SQL has them.
    pub(crate) fn bounds(self) -> (i64, i64) {
        let before = self.before.map_or(i64::MAX, |position| i64::try_from(position.0).unwrap_or(i64::MAX));
        (before, i64::try_from(self.limit).unwrap_or(i64::MAX))
    }
}

impl Views {
    /// Opens the read models' file, making it if there is none and anew if it is torn. To be opened before anything
    /// else that lives in the same file.
    ///
    /// # Errors
    /// The store's.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let writer = store::open(path)?;
        // At once: later there may be no room on the disk to open one.
        let readers = (0..READERS).map(|_| store::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        let (progress, _) = watch::channel(store::furthest_behind(&writer)?);
        Ok(Self {
            shared: Arc::new(Shared {
                writer: Workers::start("views-writer", [writer])?,
                readers: Workers::start("views-reader", readers)?,
                progress,
            }),
        })
    }

    /// Up to where every read model has taken the record in.
    pub fn progress(&self) -> watch::Receiver<Position> {
        self.shared.progress.subscribe()
    }

    /// Waits at most 5 s until every read model has taken `position` in: then every read shows it.
    ///
    /// # Errors
    /// [`Error::Late`] if they have not by then.
    pub async fn wait_for(&self, position: Position) -> Result<(), Error> {
        let mut progress = self.progress();
        let there = progress.wait_for(|at| *at >= position);
        let result = tokio::time::timeout(WAIT, there).await;
        let reached = matches!(result, Ok(Ok(_)));
        if reached {
            Ok(())
        } else {
            Err(Error::Late { wanted: position, at: *self.shared.progress.borrow() })
        }
    }

    pub(crate) fn told(&self, position: Position) {
        self.shared.progress.send_replace(position);
    }

    /// Asks: `question` sees one state of all read models.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let question = |connection: &mut Connection| {
            let snapshot = connection.unchecked_transaction()?;
            question(&snapshot)
        };
        self.shared.readers.run(question).await.map_err(|Ended| Error::Ended)?
    }

    /// Works on the writing connection.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared.writer.run(work).await.map_err(|Ended| Error::Ended)?
    }
}
