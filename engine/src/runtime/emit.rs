//! Matches on their way into the record: several batches at a time, in order, while matching goes on.
//!
//! A batch that waited for the one before it would miss the group commit that is being gathered.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::{Partition, Position};
use eventlog::crypto::Vault;
use eventlog::record::{self, Fence, Item, Outcome, Record, Share};
use tokio::sync::watch;
use tokio::time::sleep;

use super::engine::{Engine, Error};
use super::items;
use super::matcher::Completed;

/// How long the first wait before another try is, and the longest.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// Why work ends before it is done.
pub(super) enum Halt {
    /// Shutdown while the record was not available: the last checkpoint stays.
    Stopped,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Waits until the engine is to stop.
pub(super) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Nobody is left who could say so: that is the end too.
    drop(stopping.wait_for(|stopping| *stopping).await);
}

/// Appends matches.
pub(super) struct Emitter {
    pub record: Arc<dyn Record>,
    pub vault: Arc<Vault>,
    /// Of which partitions.
    pub share: Share,
    /// Of each of them.
    pub fences: Vec<Fence>,
    /// Whether the engine is to stop.
    pub stopping: watch::Receiver<bool>,
}

impl Emitter {
    /// For an engine, without a right to write yet.
    pub fn new(engine: &Engine, stopping: &watch::Receiver<bool>) -> Self {
        Self {
            record: engine.record.clone(),
            vault: engine.vault.clone(),
            share: engine.share(),
            fences: Vec::new(),
            stopping: stopping.clone(),
        }
    }

    /// Appends what rows up to a position completed: each once, however often it is found. The position, once all of
    /// it is committed.
    pub async fn emit(self: Arc<Self>, completed: Vec<Completed>, upto: Position) -> Result<Position, Halt> {
        let mut left: Vec<&Completed> = completed.iter().collect();
        while !left.is_empty() {
            let items = self.retrying(|| self.items(&left)).await?;
            let (kept, items): (Vec<&Completed>, Vec<Item>) =
                left.iter().zip(items).filter_map(|(c, item)| Some((*c, item?))).unzip();
            let outcomes = match items.is_empty() {
                true => Vec::new(),
                false => self.retrying(|| self.record.append(items.clone())).await?,
            };
            left.clear();
            for (completed, outcome) in kept.into_iter().zip(outcomes) {
                match outcome {
                    // A conflict: it is there already, from before a crash.
                    Outcome::Appended { .. } | Outcome::Conflict(_) => {}
                    Outcome::KeyTaken => left.push(completed),
                    Outcome::Fenced => return Err(self.fenced(completed.partition)),
                    other => return Err(Error::Unexpected(other).into()),
                }
            }
        }
        Ok(upto)
    }

    /// What is to be appended for each match; nothing for a customer who has been erased meanwhile.
    async fn items(&self, completed: &[&Completed]) -> Result<Vec<Option<Item>>, record::Error> {
        let mut items = Vec::with_capacity(completed.len());
        for completed in completed {
            let fence = self.fence(completed.partition);
            items.push(items::of_match(&*self.record, &self.vault, completed, fence).await?);
        }
        Ok(items)
    }

    /// The right to write to a partition.
    pub fn fence(&self, partition: Partition) -> Option<Fence> {
        self.fences.get(self.share.place(partition)).cloned()
    }

    /// Another engine has taken a partition over.
    pub fn fenced(&self, partition: Partition) -> Halt {
        Error::Fenced(self.fence(partition).map_or_else(|| partition.0.to_string(), |fence| fence.lease))
            .into()
    }

    /// Tries again while the record is not available.
    pub async fn retrying<T, W>(&self, mut work: impl FnMut() -> W) -> Result<T, Halt>
    where
        W: Future<Output = Result<T, record::Error>>,
    {
        let mut stopping = self.stopping.clone();
        let mut wait = RETRY.0;
        loop {
            let error = match work().await {
                Err(record::Error::Unavailable(error)) => error,
                other => return Ok(other?),
            };
            tracing::warn!(error, "the record is not available; trying again");
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(RETRY.1),
                () = stopped(&mut stopping) => return Err(Halt::Stopped),
            }
        }
    }
}
