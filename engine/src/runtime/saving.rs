//! Checkpoints being written: one at a time, from another thread, while matching goes on.

use domain::ids::Position;
use eventlog::checkpoint::Checkpoints;
use eventlog::record;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::emit::RETRY;
use super::matcher::Matcher;
use super::store::Lost;

/// The checkpoint as far as it is written.
pub(super) struct Saving {
    checkpoints: Checkpoints,
    /// The checkpoint's.
    name: String,
    /// Up to where every match has been committed.
    progress: watch::Receiver<Position>,
    /// Up to here the checkpoint is, or will be when what is under way is done.
    upto: Position,
    /// When the next one is due, if anything has happened since the last.
    due: Option<Instant>,
    under_way: Option<Writing>,
}

struct Writing {
    task: JoinHandle<Result<(), record::Error>>,
    /// The snapshot.
    number: u32,
    /// Up to where the checkpoint was before.
    before: Position,
}

impl Saving {
    /// The checkpoint of that name is at a position.
    pub fn new(
        checkpoints: Checkpoints,
        name: String,
        progress: watch::Receiver<Position>,
        upto: Position,
    ) -> Self {
        Self { checkpoints, name, progress, upto, due: None, under_way: None }
    }

    /// Something has happened: a checkpoint is due then at the latest.
    pub fn touched(&mut self, due: Instant) {
        self.due.get_or_insert(due);
    }

    /// When the next checkpoint is due, if it can begin then.
    pub fn due(&self) -> Option<Instant> {
        self.due.filter(|_| self.under_way.is_none())
    }

    pub fn is_due(&self, position: Position, rows: u64) -> bool {
        self.due().is_some_and(|due| due <= Instant::now() || position.0 - self.upto.0 >= rows)
    }

    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Begins to write what is matched up to a position, unless a checkpoint is under way or is there already. It is
    /// committed after every match up to there.
    pub fn begin(&mut self, matcher: &mut Matcher, position: Position) -> Result<(), Lost> {
        if self.under_way.is_some() || position == self.upto {
            return Ok(());
        }
        let snapshot = matcher.snapshot()?;
        let number = snapshot.number();
        let (checkpoints, name, mut progress) =
            (self.checkpoints.clone(), self.name.clone(), self.progress.clone());
        let task = tokio::spawn(async move {
            // Nobody tells any more: the engine has ended, and matches up to there may be missing.
            let waits = !eventlog::broken!("checkpoint-before-match");
            if waits && progress.wait_for(|done| *done >= position).await.is_err() {
                return Ok(());
            }
            checkpoints.commit_each(&name, position, snapshot.changes()).await
        });
        self.under_way = Some(Writing { task, number, before: self.upto });
        (self.upto, self.due) = (position, None);
        Ok(())
    }

    /// Waits until the checkpoint that is under way is written, or has failed; for ever if there is none. Cancel-safe.
    pub async fn ended(&mut self) -> Result<(), record::Error> {
        let Some(writing) = &mut self.under_way else { return std::future::pending().await };
        let ended = (&mut writing.task).await;
        ended
            .unwrap_or_else(|error| Err(record::Error::Unavailable(format!("its task ended early: {error}"))))
    }

    /// Leaves nothing under way: what only has to be written still is, what waits for matches is given up.
    pub async fn abandon(&mut self) {
        // One that has ended may have been asked how already.
        let Some(writing) = self.under_way.take().filter(|writing| !writing.task.is_finished()) else {
            return;
        };
        if *self.progress.borrow() < self.upto {
            writing.task.abort();
        }
        // However it ended, the checkpoint is whole, of this position or of the one before.
        drop(writing.task.await);
    }

    /// Takes in how it ended. That one fails is no reason to stop matching.
    pub fn take(
        &mut self,
        ended: Result<(), record::Error>,
        matcher: &mut Matcher,
    ) -> Result<(), record::Error> {
        let Some(writing) = self.under_way.take() else { return Ok(()) };
        match ended {
            Ok(()) => matcher.saved(writing.number),
            Err(record::Error::Unavailable(error)) => {
                tracing::warn!(error, "a checkpoint could not be written; trying again later");
                self.upto = writing.before;
                self.due = Some(Instant::now() + RETRY.1);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl Drop for Saving {
    /// An engine that ends otherwise than in good order writes nothing more.
    fn drop(&mut self) {
        if let Some(writing) = &self.under_way {
            writing.task.abort();
        }
    }
}
