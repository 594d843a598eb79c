//! The loop of the live engine.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{PARTITIONS, Partition, Position, TenantId};
use eventlog::checkpoint::Checkpoints;
use eventlog::crypto::Vault;
use eventlog::record::{self, Feed, Fence, Item, Outcome, Record, Recorded, Select};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::items;
use super::matcher::{Completed, Matcher};
use super::recovery::{NAME, recover};
use super::rows::{self, Step};

/// How many rows are read at a time.
const ROWS: usize = 1_000;

/// How long the first wait before another try is, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// The clock is looked at again after this at the latest, since it may run at another pace than this machine's.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

/// How the engine is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who it is, for the leases.
    pub owner: String,
    /// A checkpoint is written this long after the first row since the last one …
    pub checkpoint_after: Duration,
    /// … or after so many rows.
    pub checkpoint_rows: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            owner: format!("engine of process {}", std::process::id()),
            checkpoint_after: Duration::from_secs(10),
            checkpoint_rows: 50_000,
        }
    }
}

/// Why the engine stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record or the checkpoints failed in a way that another try will not mend.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// Another engine has taken a partition over.
    #[error("another engine has taken over {0}")]
    Fenced(String),
    /// The record answered a match or a mark in a way that cannot be.
    #[error("the record answered {0:?} to a match or a mark")]
    Unexpected(Outcome),
}

/// The live engine.
pub struct Engine {
    record: Arc<dyn Record>,
    vault: Arc<Vault>,
    checkpoints: Checkpoints,
    options: Options,
    progress: watch::Sender<Position>,
}

impl Engine {
    /// An engine over a record. It does nothing until it is [run](Self::run).
    pub fn new(
        record: Arc<dyn Record>,
        vault: Arc<Vault>,
        checkpoints: Checkpoints,
        options: Options,
    ) -> Self {
        let (progress, _) = watch::channel(Position(0));
        Self { record, vault, checkpoints, options, progress }
    }

    /// Up to where every match has been committed.
    pub fn progress(&self) -> watch::Receiver<Position> {
        self.progress.subscribe()
    }

    /// Runs until `shutdown`; what has been read is finished and a checkpoint is written.
    ///
    /// # Errors
    /// What another try will not mend: a damaged record, a lease lost to another engine. While the record is merely
    /// not available it is tried again.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let mut stop = Stop { shutdown: Box::pin(shutdown), fired: false };
        match Running::start(self, &mut stop).await {
            Ok(mut running) => match running.follow(&mut stop).await {
                Ok(()) => running.checkpoint().await.map_err(Error::Record),
                Err(Halt::Stopped) => Ok(()),
                Err(Halt::Failed(error)) => Err(error),
            },
            Err(Halt::Stopped) => Ok(()),
            Err(Halt::Failed(error)) => Err(error),
        }
    }
}

/// Why work ends before it is done.
enum Halt {
    /// Shutdown while the record was not available: the last checkpoint stays.
    Stopped,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

struct Stop<F> {
    shutdown: Pin<Box<F>>,
    fired: bool,
}

impl<F: Future<Output = ()>> Stop<F> {
    async fn wait(&mut self) {
        if !self.fired {
            self.shutdown.as_mut().await;
            self.fired = true;
        }
    }

    /// Tries again while the record is not available.
    async fn retrying<T, W>(&mut self, mut work: impl FnMut() -> W) -> Result<T, Halt>
    where
        W: Future<Output = Result<T, record::Error>>,
    {
        let mut wait = RETRY.0;
        loop {
            let error = match work().await {
                Err(record::Error::Unavailable(error)) => error,
                other => return Ok(other?),
            };
            tracing::warn!(error, "the record is not available; trying again");
            tokio::select! {
                () = sleep(wait) => wait = (wait * 2).min(RETRY.1),
                () = self.wait() => return Err(Halt::Stopped),
            }
        }
    }
}

struct Running {
    engine: Engine,
    matcher: Matcher,
    fences: Vec<Fence>,
    /// Up to here all is matched and committed.
    position: Position,
    /// Up to here the checkpoint is.
    saved: Position,
    /// When the next checkpoint is due, if anything has happened since the last.
    save_at: Option<Instant>,
    /// The last mark appended: none is due before it has been read.
    marked: Position,
    erased: u64,
}

impl Running {
    async fn start<F: Future<Output = ()>>(engine: Engine, stop: &mut Stop<F>) -> Result<Self, Halt> {
        let leases: Vec<String> = (0..PARTITIONS).map(lease).collect();
        let fences = stop.retrying(|| engine.record.take_leases(&leases, &engine.options.owner)).await?;
        let (matcher, position) = stop.retrying(|| recover(&*engine.record, &engine.checkpoints)).await?;
        tracing::info!(%position, "the engine goes on from its checkpoint");
        engine.progress.send_replace(position);
        Ok(Self {
            engine,
            matcher,
            fences,
            position,
            saved: position,
            save_at: None,
            marked: Position(0),
            erased: 0,
        })
    }

    async fn follow<F: Future<Output = ()>>(&mut self, stop: &mut Stop<F>) -> Result<(), Halt> {
        let mut feed = Feed::new(self.engine.record.clone(), Select::All, self.position);
        loop {
            let due = self.due();
            let record = self.engine.record.clone();
            tokio::select! {
                biased;
                () = stop.wait() => return Ok(()),
                rows = feed.next(ROWS) => match rows {
                    Ok(rows) => self.take(rows, stop).await?,
                    Err(record::Error::Unavailable(_)) => stop.retrying(|| ready(&record)).await?,
                    Err(error) => return Err(error.into()),
                },
                () = passed(&record, due) => self.mark(stop).await?,
                () = save_time(self.save_at) => {}
            }
            let rows = self.position.0 - self.saved.0;
            if self.save_at.is_some_and(|at| at <= Instant::now())
                || rows >= self.engine.options.checkpoint_rows
            {
                self.save().await?;
            }
        }
    }

    /// Matches rows and commits what completed.
    async fn take<F: Future<Output = ()>>(
        &mut self,
        rows: Vec<Recorded>,
        stop: &mut Stop<F>,
    ) -> Result<(), Halt> {
        let Some(last) = rows.last().map(|row| row.position) else { return Ok(()) };
        let steps = stop.retrying(|| rows::steps(&self.engine.vault, &rows, None)).await?;
        let mut completed = Vec::new();
        for step in steps {
            if matches!(step, Step::Event(.., None)) {
                self.erased += 1;
                tracing::debug!(erased = self.erased, "an event of an erased customer is passed over");
            }
            self.matcher.step(step, &mut completed);
        }
        self.emit(&completed, stop).await?;
        self.position = last;
        self.engine.progress.send_replace(last);
        self.save_at = self.save_at.or(Some(Instant::now() + self.engine.options.checkpoint_after));
        Ok(())
    }

    /// Appends matches: each once, however often it is found.
    async fn emit<F: Future<Output = ()>>(
        &self,
        completed: &[Completed],
        stop: &mut Stop<F>,
    ) -> Result<(), Halt> {
        let mut left: Vec<&Completed> = completed.iter().collect();
        while !left.is_empty() {
            let items = stop.retrying(|| self.items(&left)).await?;
            let (kept, items): (Vec<&Completed>, Vec<Item>) =
                left.iter().zip(items).filter_map(|(c, item)| Some((*c, item?))).unzip();
            let outcomes = match items.is_empty() {
                true => Vec::new(),
                false => stop.retrying(|| self.engine.record.append(items.clone())).await?,
            };
            left.clear();
            for (completed, outcome) in kept.into_iter().zip(outcomes) {
                match outcome {
                    // A conflict: it is there already, from before a crash.
                    Outcome::Appended { .. } | Outcome::Conflict(_) => {}
                    Outcome::KeyTaken => left.push(completed),
                    Outcome::Fenced => return Err(Error::Fenced(lease(completed.partition.0)).into()),
                    other => return Err(Error::Unexpected(other).into()),
                }
            }
        }
        Ok(())
    }

    /// What is to be appended for each match; nothing for a customer who has been erased meanwhile.
    async fn items(&self, completed: &[&Completed]) -> Result<Vec<Option<Item>>, record::Error> {
        let mut items = Vec::with_capacity(completed.len());
        for completed in completed {
            let fence = self.fence(completed.partition);
            items.push(items::of_match(&*self.engine.record, &self.engine.vault, completed, fence).await?);
        }
        Ok(items)
    }

    fn fence(&self, partition: Partition) -> Option<Fence> {
        self.fences.get(usize::from(partition.0)).cloned()
    }

    /// The earliest deadline, once everything that is there has been read.
    fn due(&self) -> Option<i64> {
        let read = self.position >= self.marked.max(self.engine.record.head().borrow().position);
        let earliest = || self.matcher.deadlines().map(|(_, deadline)| deadline).min();
        if read { earliest() } else { None }
    }

    /// Appends a mark to each partition that has a deadline that the record's clock is past.
    async fn mark<F: Future<Output = ()>>(&mut self, stop: &mut Stop<F>) -> Result<(), Halt> {
        let now = self.engine.record.now().0;
        let mut left: Vec<Partition> =
            self.matcher.deadlines().filter(|(_, deadline)| *deadline < now).map(|(p, _)| p).collect();
        while !left.is_empty() {
            let record = &self.engine.record;
            let nobody = TenantId(String::new());
            let config = stop.retrying(|| record.config_position(&nobody)).await?;
            let items: Vec<Item> = left.iter().map(|p| items::mark(*p, self.fence(*p), config)).collect();
            let outcomes = stop.retrying(|| record.append(items.clone())).await?;
            let marked = std::mem::take(&mut left).into_iter().zip(outcomes);
            for (partition, outcome) in marked {
                match outcome {
                    Outcome::Appended { last, .. } => self.marked = self.marked.max(last),
                    Outcome::Stale(_) => left.push(partition),
                    Outcome::Fenced => return Err(Error::Fenced(lease(partition.0)).into()),
                    other => return Err(Error::Unexpected(other).into()),
                }
            }
        }
        Ok(())
    }

    /// Writes a checkpoint; that one fails is no reason to stop matching.
    async fn save(&mut self) -> Result<(), Halt> {
        match self.checkpoint().await {
            Err(record::Error::Unavailable(error)) => {
                tracing::warn!(error, "a checkpoint could not be written; trying again later");
                self.save_at = Some(Instant::now() + RETRY.1);
                Ok(())
            }
            other => Ok(other?),
        }
    }

    async fn checkpoint(&mut self) -> Result<(), record::Error> {
        if self.position == self.saved {
            return Ok(());
        }
        self.matcher.sweep();
        let changes = self.matcher.changed_rows();
        self.engine.checkpoints.commit(NAME, self.position, changes).await?;
        self.matcher.saved();
        self.saved = self.position;
        self.save_at = None;
        Ok(())
    }
}

fn lease(partition: u8) -> String {
    format!("engine/{partition}")
}

/// Whether the record answers.
async fn ready(record: &Arc<dyn Record>) -> Result<(), record::Error> {
    record.read_after(Select::All, Position(0), 1).await.map(drop)
}

/// Waits until the record's clock is past a deadline; for ever if there is none.
async fn passed(record: &Arc<dyn Record>, deadline: Option<i64>) {
    let Some(deadline) = deadline else { return std::future::pending().await };
    loop {
        let left = deadline.saturating_sub(record.now().0).saturating_add(1);
        let Ok(left @ 1..) = u64::try_from(left) else { return };
        sleep(Duration::from_millis(left).min(LONGEST_SLEEP)).await;
    }
}

async fn save_time(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
