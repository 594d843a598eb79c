//! The loop of the live engine.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{PARTITIONS, Partition, Position, TenantId};
use domain::reaction::Match;
use eventlog::checkpoint::Checkpoints;
use eventlog::crypto::Vault;
use eventlog::record::{
    self, Expect, Feed, Fence, Item, Metadata, NewEvent, Outcome, Record, Recorded, Select, StreamId,
    StreamKind, Write,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::checkpoint;
use super::matcher::{Completed, Matcher};
use super::rows::{self, Step};

/// The checkpoint's name.
const NAME: &str = "engine";

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
        let (matcher, position) = stop.retrying(|| recover(&engine)).await?;
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
            items.push(self.item(completed).await?);
        }
        Ok(items)
    }

    async fn item(&self, completed: &Completed) -> Result<Option<Item>, record::Error> {
        let Completed { tenant, customer, partition, cause, found } = completed;
        let malformed = |e: serde_json::Error| record::Error::Malformed(e.to_string());
        let clear = serde_json::to_vec(found).map_err(malformed)?;
        let (payload, key) = self.engine.vault.seal(tenant, *customer, Match::TYPE, &clear).await?;
        if key.is_some() && self.engine.record.key(tenant, Some(*customer)).await?.is_none() {
            // Their events were sealed under a key that is gone, and no new one is made for what came of them.
            return Ok(None);
        }
        let event = NewEvent {
            event_type: Match::TYPE,
            event_version: 1,
            payload,
            event_id: None,
            configures: false,
        };
        let write = Write {
            stream: StreamId::new(tenant, StreamKind::Reaction, completed.id().to_string()),
            expect: Expect::Version(0),
            customer: Some(*customer),
            partition: Some(*partition),
            events: vec![event],
        };
        Ok(Some(Item {
            writes: vec![write],
            fence: self.fence(*partition),
            keys: key.into_iter().collect(),
            metadata: Metadata { cause: Some(*cause), ..Metadata::default() },
            ..Item::default()
        }))
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
            let items: Vec<Item> = left.iter().map(|p| mark(*p, self.fence(*p), config)).collect();
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

fn mark(partition: Partition, fence: Option<Fence>, config: Position) -> Item {
    let event = NewEvent {
        event_type: MARK,
        event_version: 1,
        payload: b"{}".to_vec(),
        event_id: None,
        configures: false,
    };
    let write = Write {
        stream: StreamId::new(&TenantId(String::new()), StreamKind::Mark, partition.0.to_string()),
        expect: Expect::Any,
        customer: None,
        partition: Some(partition),
        events: vec![event],
    };
    Item { writes: vec![write], fence, config: Some(config), ..Item::default() }
}

/// The stored name of a mark.
const MARK: &str = "mark";

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

/// The states of the last checkpoint, or none at the record's beginning if there is none that can be used.
async fn recover(engine: &Engine) -> Result<(Matcher, Position), record::Error> {
    let loaded = match engine.checkpoints.load(NAME).await {
        Err(record::Error::Damaged(error)) => {
            tracing::warn!(error, "the checkpoint is damaged");
            None
        }
        other => other?,
    };
    let end = engine.record.head().borrow().position;
    if let Some((position, rows)) = loaded
        && position <= end
    {
        let mut matcher = configured(engine, position).await?;
        match matcher.restore(&rows) {
            Ok(()) => return Ok((matcher, position)),
            Err(error) => tracing::warn!(%error, %position, "matching is made anew from the whole record"),
        }
    }
    engine.checkpoints.forget(NAME).await?;
    Ok((Matcher::new(), Position(0)))
}

/// A matcher with the configuration of a position.
async fn configured(engine: &Engine, position: Position) -> Result<Matcher, record::Error> {
    let mut matcher = Matcher::new();
    let mut after = Position(0);
    loop {
        let rows = engine.record.read_after(Select::Configuration(None), after, ROWS).await?;
        let Some(last) = rows.last().map(|row| row.position) else { return Ok(matcher) };
        for row in rows.iter().filter(|row| row.position <= position) {
            matcher.step(rows::configure(row)?, &mut Vec::new());
        }
        if last >= position {
            return Ok(matcher);
        }
        after = last;
    }
}

impl Matcher {
    /// The checkpoint's rows that have changed.
    fn changed_rows(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut rows = Vec::new();
        for (id, partition) in self.partitions() {
            if partition.dirty {
                let empty = partition.states().len() == 0;
                let row = (!empty).then(|| checkpoint::encode(partition, self.slots()));
                rows.push((vec![id.0], row));
            }
        }
        rows
    }

    fn saved(&mut self) {
        self.partitions_mut().for_each(|(_, partition)| partition.dirty = false);
    }

    fn restore(&mut self, rows: &[eventlog::checkpoint::Row]) -> Result<(), checkpoint::Unusable> {
        for (key, value) in rows {
            let [partition] = key.as_slice() else { return Err(checkpoint::Unusable) };
            checkpoint::decode(value, self, *partition)?;
        }
        Ok(())
    }
}
