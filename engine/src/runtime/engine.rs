//! The loop of the live engine.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ids::{Partition, Position, TenantId};
use eventlog::checkpoint::Checkpoints;
use eventlog::crypto::Vault;
use eventlog::record::{self, Feed, Item, Outcome, Record, Recorded, Select, Share};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::emit::{Emitter, Halt, stopped};
use super::items;
use super::matcher::Matcher;
use super::recovery::recover;
use super::rows::{self, Step};
use super::saving::Saving;
use super::store::Lost;

/// How many rows are read at a time.
pub(super) const ROWS: usize = 1_000;

/// How many batches of matches may be on their way into the record before reading waits for them.
const ON_THEIR_WAY: usize = 32;

/// The name of its checkpoint, and of its leases.
const NAME: &str = "engine";

/// The clock is looked at again after this at the latest: it may be set, or run at another pace than this machine's.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// How the engine is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who it is, for the leases.
    pub owner: String,
    /// Which partitions it matches.
    pub share: Share,
    /// A checkpoint is written this long after the first row since the last one …
    pub checkpoint_after: Duration,
    /// … or after so many rows.
    pub checkpoint_rows: u64,
    /// About how many bytes customers' states may take in memory; the coldest of what is over it is spilled to the
    /// checkpoint.
    pub memory: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            owner: format!("engine of process {}", std::process::id()),
            share: Share::ALL,
            checkpoint_after: Duration::from_secs(10),
            checkpoint_rows: 50_000,
            memory: usize::MAX,
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
    /// What was spilled is gone; [`Engine::run`] begins anew from the record by itself.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// The live engine. All clones are one.
#[derive(Clone)]
pub struct Engine {
    pub(super) record: Arc<dyn Record>,
    pub(super) vault: Arc<Vault>,
    pub(super) checkpoints: Checkpoints,
    pub(super) options: Options,
    pub(super) progress: watch::Sender<Position>,
    /// What it knew when it [stood by](Self::stand_by) last.
    pub(super) warm: Arc<Mutex<Option<Warm>>>,
}

/// All that is matched up to a position.
pub(super) struct Warm {
    pub(super) matcher: Matcher,
    pub(super) saving: Saving,
    pub(super) position: Position,
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
        Self { record, vault, checkpoints, options, progress, warm: Arc::default() }
    }

    /// Which partitions it matches.
    pub fn share(&self) -> Share {
        self.options.share
    }

    /// Lets go of what it knew when it [stood by](Self::stand_by) last: another takes over from it.
    pub fn forget(&self) {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The name of its checkpoint.
    pub(super) fn name(&self) -> String {
        self.share().name(NAME)
    }

    /// Up to where every match has been committed.
    pub fn progress(&self) -> watch::Receiver<Position> {
        self.progress.subscribe()
    }

    /// Runs until `shutdown`; what has been read is finished and a checkpoint is written.
    ///
    /// # Errors
    /// What another try will not mend: a damaged record, a lease lost to another engine. While the record is merely
    /// not available it is tried again; where spilled states cannot be read back it begins anew.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        until_stopped(shutdown, async |stopping| {
            loop {
                match self.work(&stopping).await {
                    Ok(()) | Err(Halt::Stopped) => return Ok(()),
                    Err(Halt::Failed(Error::Lost(error))) => {
                        tracing::warn!(%error, "matching is made anew from the whole record");
                        self.checkpoints.forget(&self.name()).await?;
                    }
                    Err(Halt::Failed(error)) => return Err(error),
                }
            }
        })
        .await
    }

    async fn work(&self, stopping: &watch::Receiver<bool>) -> Result<(), Halt> {
        let mut running = Running::start(self, stopping).await?;
        let worked = match running.follow().await {
            Ok(()) => running.end().await,
            halted => halted,
        };
        running.saving.abandon().await;
        worked
    }
}

/// Works until it is done, or until what it does when `shutdown` is there.
pub(super) async fn until_stopped<T>(
    shutdown: impl Future<Output = ()>,
    work: impl AsyncFnOnce(watch::Receiver<bool>) -> T,
) -> T {
    let (stop, stopping) = watch::channel(false);
    let mut working = pin!(work(stopping));
    tokio::select! {
        done = &mut working => return done,
        () = shutdown => stop.send_replace(true),
    };
    working.await
}

pub(super) struct Running<'e> {
    engine: &'e Engine,
    pub(super) emitter: Arc<Emitter>,
    pub(super) matcher: Matcher,
    pub(super) saving: Saving,
    /// Up to here all is matched.
    pub(super) position: Position,
    /// Whether another engine appends the matches.
    stands_by: bool,
    /// The ends of batches, each once its matches are committed, in order.
    emitting: FuturesOrdered<BoxFuture<'static, Result<Position, Halt>>>,
    /// The last mark appended: none is due before it has been read.
    marked: Position,
    erased: u64,
}

impl<'e> Running<'e> {
    async fn start(engine: &'e Engine, stopping: &watch::Receiver<bool>) -> Result<Self, Halt> {
        let mut emitter = Emitter::new(engine, stopping);
        let name = engine.name();
        let leases: Vec<String> = engine.share().partitions().map(|p| format!("{name}/{}", p.0)).collect();
        let owner = &engine.options.owner;
        emitter.fences = emitter.retrying(|| engine.record.take_leases(&leases, owner)).await?;
        Self::begin(engine, emitter).await
    }

    /// Goes on from what is known, or from the checkpoint. Without fences nothing is appended.
    pub(super) async fn begin(engine: &'e Engine, emitter: Emitter) -> Result<Self, Halt> {
        let warm = engine.warm.lock().unwrap_or_else(PoisonError::into_inner).take();
        let warm = match warm {
            Some(warm) => warm,
            None => {
                let name = engine.name();
                let recover = || recover(&*engine.record, &engine.checkpoints, &name, engine.options.memory);
                let (matcher, position) = emitter.retrying(recover).await?;
                tracing::info!(%position, "{name} goes on from its checkpoint");
                let progress = engine.progress.subscribe();
                let saving = Saving::new(engine.checkpoints.clone(), name, progress, position);
                Warm { matcher, saving, position }
            }
        };
        let Warm { matcher, saving, position } = warm;
        engine.progress.send_replace(position);
        Ok(Self {
            engine,
            stands_by: emitter.fences.is_empty(),
            emitter: Arc::new(emitter),
            matcher,
            saving,
            position,
            emitting: FuturesOrdered::new(),
            marked: Position(0),
            erased: 0,
        })
    }

    async fn follow(&mut self) -> Result<(), Halt> {
        let record = self.engine.record.clone();
        let select = Select::Matching(self.engine.share());
        let mut feed = Feed::new(record.clone(), select, self.position);
        let mut stopping = self.emitter.stopping.clone();
        loop {
            let (due, save_due) = (self.due(), self.saving.due());
            let room = self.emitting.len() < ON_THEIR_WAY;
            tokio::select! {
                biased;
                () = stopped(&mut stopping) => return Ok(()),
                Some(done) = self.emitting.next() => self.done(done?),
                saved = self.saving.ended() => self.saving.take(saved, &mut self.matcher)?,
                rows = feed.advance(ROWS), if room => match rows {
                    Ok(rows) => self.take(rows, feed.position()).await?,
                    Err(record::Error::Unavailable(_)) => self.emitter.retrying(|| ready(&record)).await?,
                    Err(error) => return Err(error.into()),
                },
                () = passed(&record, due) => self.mark().await?,
                () = until(save_due) => {}
            }
            self.keep().await?;
        }
    }

    /// Writes a checkpoint if one is due, and sees to it that memory stays bounded.
    pub(super) async fn keep(&mut self) -> Result<(), Halt> {
        let Options { checkpoint_rows, memory, .. } = self.engine.options;
        let over = self.matcher.used() > memory;
        if self.saving.is_due(self.position, checkpoint_rows) || over {
            self.saving.begin(&mut self.matcher, self.position)?;
        }
        if over {
            self.matcher.spill(memory);
        }
        // What cannot go before it is saved is waited for, but not for a little.
        while self.matcher.used() > memory.saturating_add(memory / 4) && self.saving.is_under_way() {
            tokio::select! {
                Some(done) = self.emitting.next() => self.done(done?),
                saved = self.saving.ended() => self.saving.take(saved, &mut self.matcher)?,
            }
            while self.matcher.spill(memory) {}
        }
        Ok(())
    }

    /// Matches rows, all that there are up to a position, and sends what completed on its way; standing by, that is
    /// another's to do, and done.
    pub(super) async fn take(&mut self, rows: Vec<Recorded>, upto: Position) -> Result<(), Halt> {
        let vault = &self.engine.vault;
        // Events of tenants without patterns stay sealed.
        let configured: BTreeSet<&TenantId> =
            rows.iter().filter(|row| row.configures).map(|row| &row.stream.tenant).collect();
        let matched = |tenant: &TenantId| self.matcher.has_patterns(tenant) || configured.contains(tenant);
        let steps = self.emitter.retrying(|| rows::steps(vault, &rows, matched)).await?;
        let mut completed = Vec::new();
        for step in steps {
            if matches!(step, Step::Event(.., None)) {
                self.erased += 1;
                tracing::debug!(erased = self.erased, "an event of an erased customer is passed over");
            }
            self.matcher.step(step, &mut completed)?;
        }
        if eventlog::broken!("checkpoint-before-match") {
            self.saving.begin(&mut self.matcher, upto)?;
            if self.saving.is_under_way() {
                let saved = self.saving.ended().await;
                self.saving.take(saved, &mut self.matcher)?;
            }
        }
        self.position = upto;
        self.saving.touched(Instant::now() + self.engine.options.checkpoint_after);
        if self.stands_by || (completed.is_empty() && self.emitting.is_empty()) {
            self.done(upto);
        } else {
            self.emitting.push_back(Box::pin(self.emitter.clone().emit(completed, upto)));
        }
        Ok(())
    }

    /// Every match up to a position is committed.
    fn done(&self, position: Position) {
        self.engine.progress.send_replace(position);
    }

    /// A time before which no deadline is, once everything that is there has been read.
    fn due(&self) -> Option<i64> {
        let read = self.position >= self.marked.max(self.engine.record.head().borrow().position);
        let earliest = || self.matcher.deadlines().map(|(_, deadline)| deadline).min();
        if read { earliest() } else { None }
    }

    /// Appends a mark to each partition that has a deadline that the record's clock is past.
    async fn mark(&mut self) -> Result<(), Halt> {
        let now = self.engine.record.now().0;
        let past: Vec<Partition> =
            self.matcher.deadlines().filter(|(_, deadline)| *deadline < now).map(|(p, _)| p).collect();
        let (record, emitter) = (&self.engine.record, &self.emitter);
        let nobody = TenantId(String::new());
        let config = emitter.retrying(|| record.config_position(&nobody)).await?;
        let items: Vec<Item> = past.iter().map(|p| items::mark(*p, emitter.fence(*p), config)).collect();
        let outcomes = emitter.retrying(|| record.append(items.clone())).await?;
        for (partition, outcome) in past.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Appended { last, .. } => self.marked = self.marked.max(last),
                // The configuration has moved in between: its deadline is still past when that has been read.
                Outcome::Stale(_) => {}
                Outcome::Fenced => return Err(emitter.fenced(partition)),
                other => return Err(Error::Unexpected(other).into()),
            }
        }
        Ok(())
    }

    /// What is on its way is finished, and a last checkpoint written.
    async fn end(&mut self) -> Result<(), Halt> {
        while let Some(done) = self.emitting.next().await {
            self.done(done?);
        }
        if self.saving.is_under_way() {
            let saved = self.saving.ended().await;
            self.saving.take(saved, &mut self.matcher)?;
        }
        self.saving.begin(&mut self.matcher, self.position)?;
        if self.saving.is_under_way() {
            return self.saving.ended().await.map(drop).map_err(|error| Error::Record(error).into());
        }
        Ok(())
    }
}

/// Whether the record answers.
pub(super) async fn ready(record: &Arc<dyn Record>) -> Result<(), record::Error> {
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

pub(super) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
