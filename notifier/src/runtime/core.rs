//! The loop: gather what has come in, write it, carry it out, keep the place.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::time::Duration;

use domain::ids::{PARTITIONS, Position, ReactionId, TenantId};
use domain::reaction::{InputKind, StepId};
use domain::time::Stamp;
use eventlog::record::{self, Fence, Head};
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::warn;

use super::attempt::Report;
use super::draft::Batch;
use super::expects::Expects;
use super::follow::{Met, Rows, Unread};
use super::lanes::Lanes;
use super::parked::Parked;
use super::perform::{Job, Ready, Wake};
use super::slot::{Letter, Owner, Reply, Slot, What};
use super::start::Beginning;
use super::timers::Timers;
use super::{Asked, Cancelled, Error, Order, Tools};
use crate::sources::Sources;

/// A step of a reaction.
pub(super) type Who = (ReactionId, StepId);

/// The name under which the notifier keeps its place.
pub(super) const NAME: &str = "notifier";

/// For so many batches of reactions contexts may be completed at once.
const STARTING: usize = 4;

/// So much of what is due is taken in one turn of the loop.
pub(super) const AT_ONCE: usize = 256;

/// What is left is looked at again after this.
const SOON: Duration = Duration::from_millis(1);

/// All that the loop owns.
pub(super) struct Core {
    pub(super) tools: Tools,
    /// The right to write for each partition, in order.
    pub(super) fences: Vec<Fence>,
    pub(super) sources: Sources,
    /// The open reactions that are in memory.
    pub(super) open: HashMap<ReactionId, Slot>,
    /// Those that only wait, and are not.
    pub(super) parked: HashMap<ReactionId, Parked>,
    /// With so many in memory it is time to park.
    pub(super) park_at: usize,
    /// There is more to be done at once than was taken in this turn of the loop.
    pub(super) is_behind: bool,
    /// Reactions for which something has come in, each once.
    pub(super) ready: VecDeque<ReactionId>,
    pub(super) timers: Timers<(ReactionId, Wake)>,
    pub(super) deadlines: Timers<Who>,
    pub(super) expects: Expects<Who>,
    pub(super) lanes: Lanes<(TenantId, String), Job>,
    pub(super) attempts: HashMap<Who, tokio::task::AbortHandle>,
    pub(super) reports: mpsc::UnboundedSender<Report<Job>>,
    pub(super) prepared: mpsc::UnboundedSender<Ready>,
    /// The last row that was read, and all that came of it is in the log after a flush.
    pub(super) seen: Head,
    /// Of what has been read, that which is to be taken in once all who were met have been told.
    pub(super) unread: Option<Unread>,
    /// Who was met and has not been told, in order.
    pub(super) met: VecDeque<Met>,
    /// Where reading began: what came of the rows up to there is in the log.
    pub(super) began: Position,
    /// What to change in the table of open reactions.
    pub(super) changes: HashMap<ReactionId, Option<Owner>>,
    /// Reactions whose context is being completed, by the positions of their matches.
    pub(super) starting: BTreeMap<Position, ReactionId>,
    pub(super) beginnings: JoinSet<Beginning>,
    /// Cancels of reactions that have not begun yet.
    pub(super) early: HashMap<ReactionId, Vec<Order>>,
    /// No new work is begun.
    pub(super) draining: bool,
    /// The batches that are being appended, in order.
    pub(super) batches: VecDeque<Batch>,
    reports_in: mpsc::UnboundedReceiver<Report<Job>>,
    prepared_in: mpsc::UnboundedReceiver<Ready>,
    kept: Position,
}

impl Core {
    /// Takes the partitions over and reads back what is open.
    pub(super) async fn start(tools: Tools) -> Result<Self, Error> {
        let leases: Vec<String> = (0..PARTITIONS).map(|n| format!("{NAME}/{n}")).collect();
        let fences = tools.record.take_leases(&leases, NAME).await?;
        let (reports, reports_in) = mpsc::unbounded_channel();
        let (prepared, prepared_in) = mpsc::unbounded_channel();
        let options = tools.options;
        let mut core = Self {
            sources: Sources::new(tools.record.clone(), options.limits),
            tools,
            fences,
            open: HashMap::new(),
            parked: HashMap::new(),
            park_at: options.awake,
            is_behind: false,
            ready: VecDeque::new(),
            timers: Timers::new(),
            deadlines: Timers::new(),
            expects: Expects::new(options.unindexed_expects),
            lanes: Lanes::new(options.sends, options.breaker),
            attempts: HashMap::new(),
            reports,
            prepared,
            seen: Head::default(),
            unread: None,
            met: VecDeque::new(),
            began: Position(0),
            changes: HashMap::new(),
            starting: BTreeMap::new(),
            beginnings: JoinSet::new(),
            early: HashMap::new(),
            draining: false,
            batches: VecDeque::new(),
            reports_in,
            prepared_in,
            kept: Position(0),
        };
        core.recover().await?;
        Ok(core)
    }

    /// Runs until `shutdown`.
    pub(super) async fn run(
        mut self,
        orders: &mut mpsc::Receiver<Asked>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Error> {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut rows = Rows::after(&self.tools, self.began);
        let mut keep_at = Instant::now() + self.tools.options.checkpoint;
        loop {
            self.launch().await?;
            self.fetch_senders().await?;
            // That may have taken long: who is to stop begins nothing more.
            if shutdown.as_mut().now_or_never().is_some() {
                break;
            }
            self.dispatch();
            self.park();
            if Instant::now() >= keep_at {
                self.keep().await?;
                keep_at = Instant::now() + self.tools.options.checkpoint;
            }
            let nap = if std::mem::take(&mut self.is_behind) { SOON } else { self.nap(keep_at) };
            let reads = self.has_room() && self.unread.is_none();
            tokio::select! {
                () = &mut shutdown => break,
                landed = Self::next_landed(&mut self.batches) => self.landed(landed?).await?,
                Some(rows) = rows.next(), if reads => self.rows(rows?).await?,
                Some(report) = self.reports_in.recv() => self.report(report),
                Some(ready) = self.prepared_in.recv() => self.event_ready(ready),
                Some(begun) = self.beginnings.join_next() => self.begun(begun)?,
                Some(asked) = orders.recv() => self.asked(asked).await?,
                () = tokio::time::sleep(nap) => {}
            }
            self.gather().await?;
        }
        self.drain().await
    }

    /// Whether what has come in may bring more to be done.
    fn has_room(&self) -> bool {
        let most = self.tools.options.batch;
        self.ready.len() < most && self.starting.len() < STARTING * most
    }

    /// Takes what else has come in by now, so that it is written in one batch.
    async fn gather(&mut self) -> Result<(), Error> {
        for _ in 0..self.tools.options.batch {
            let Ok(report) = self.reports_in.try_recv() else { break };
            self.report(report);
        }
        for _ in 0..self.tools.options.batch {
            let Ok(ready) = self.prepared_in.try_recv() else { break };
            self.event_ready(ready);
        }
        if self.draining {
            return Ok(());
        }
        for _ in 0..self.tools.options.batch {
            let Some(begun) = self.beginnings.try_join_next() else { break };
            self.begun(begun)?;
        }
        self.wake().await?;
        if self.unread.is_some() && self.has_room() {
            self.read_on().await?;
        }
        self.is_behind |= !self.pass(self.seen.stamp).await? || self.unread.is_some();
        self.mark_if_due().await
    }

    /// How long there is nothing to do but to wait.
    fn nap(&self, keep_at: Instant) -> Duration {
        let now = self.tools.record.now();
        // What is due already is on its way: a deadline that has passed is let go by the row that says so.
        let wait = |due: Stamp| u64::try_from(due.0 - now.0).ok().map(Duration::from_millis);
        let timer = self.timers.next_due().into_iter().chain(self.lanes.next_release()).min();
        let deadline = self.deadlines.next_due().and_then(|due| wait(due.after(1)));
        let keep = keep_at.saturating_duration_since(Instant::now());
        let due = timer.and_then(wait).into_iter().chain(deadline).chain([keep]).min().unwrap_or(keep);
        // The clock is looked at now and then: it may run otherwise than the timer wheel.
        let idle = timer.is_none() && self.deadlines.next_due().is_none();
        if idle { due } else { due.min(self.tools.options.tick) }.max(SOON)
    }

    /// Puts something into a reaction's inbox.
    pub(super) fn post(&mut self, reaction: ReactionId, letter: Letter) {
        debug_assert!(!self.parked.contains_key(&reaction), "it is to be read back first");
        let Some(slot) = self.open.get_mut(&reaction) else { return };
        if slot.inbox.is_empty() && !slot.in_air {
            self.ready.push_back(reaction);
        }
        slot.inbox.push_back(letter);
    }

    async fn asked(&mut self, asked: Asked) -> Result<(), Error> {
        match asked {
            Asked::Cancel(order) => self.cancel(order).await,
            Asked::Send(order) => self.send_order(order).await,
            Asked::Receipt(order) => self.receipt_order(order).await,
        }
    }

    /// Cancels a reaction, also one that has not begun yet.
    async fn cancel(&mut self, order: Order) -> Result<(), Error> {
        self.awaken([order.reaction]).await?;
        let is_starting = self.starting.values().any(|reaction| *reaction == order.reaction);
        if !is_starting && self.open.get(&order.reaction).is_some_and(|slot| !slot.is_over()) {
            self.post_cancel(order);
            return Ok(());
        }
        // What has been decided about it by now is to be in the log.
        self.flush().await?;
        match self.outcome_in_log(&order.tenant, order.reaction).await? {
            Some(outcome) => drop(order.reply.send(outcome)),
            None => self.early.entry(order.reaction).or_default().push(order),
        }
        Ok(())
    }

    /// Cancels a reaction that is open.
    pub(super) fn post_cancel(&mut self, order: Order) {
        if self.open.get(&order.reaction).is_none_or(|slot| slot.owner.tenant != order.tenant) {
            let _ = order.reply.send(Cancelled::Missing);
            return;
        }
        let what = What::Input(InputKind::Cancelled { by: order.by });
        self.post(order.reaction, Letter { what, cause: None, reply: Some(Reply::Cancel(order.reply)) });
    }

    /// Keeps the place, and the table of open reactions with it.
    async fn keep(&mut self) -> Result<(), Error> {
        self.flush().await?;
        self.park_at = self.tools.options.awake;
        // What has not begun yet, or not been told that it was met, is read again by who comes after.
        let unbegun = self.starting.keys().next().copied();
        let untold = self.met.iter().map(|met| met.position);
        let first = untold.chain(unbegun).min().map(|position| Position(position.0 - 1));
        let place = first.unwrap_or(self.seen.position).min(self.seen.position);
        if place == self.kept && self.changes.is_empty() {
            return Ok(());
        }
        let row = |(id, owner): (&ReactionId, &Option<Owner>)| {
            (id.0.to_vec(), owner.as_ref().and_then(|owner| serde_json::to_vec(owner).ok()))
        };
        let changes: Vec<_> = self.changes.iter().map(row).collect();
        match self.tools.checkpoints.commit(NAME, place, changes).await {
            // The one before stands, and what has changed since is kept with the next.
            Err(record::Error::Unavailable(error)) => warn!(error, "the notifier's place could not be kept"),
            kept => {
                kept?;
                self.changes.clear();
                self.kept = place;
            }
        }
        Ok(())
    }

    /// Waits a while for the sends under way, records how they ended, and keeps the place.
    async fn drain(mut self) -> Result<(), Error> {
        self.draining = true;
        self.flush().await?;
        let until = Instant::now() + self.tools.options.drain;
        while self.lanes.running() > 0 {
            tokio::select! {
                Some(report) = self.reports_in.recv() => self.report(report),
                () = tokio::time::sleep_until(until) => break,
            }
            self.gather().await?;
            self.flush().await?;
        }
        self.keep().await
    }

    /// What is still to be heard of a reaction that is over.
    pub(super) fn let_go_if_over(&mut self, reaction: ReactionId) {
        let Some(slot) = self.open.get(&reaction) else { return };
        let idle = slot.inbox.is_empty() && !slot.in_air;
        let preparing = !slot.preparing.is_empty() || slot.receipts > 0;
        if slot.is_over() && idle && slot.flights.is_empty() && !preparing {
            self.open.remove(&reaction);
        }
    }
}

/// What is under way ends with the loop: it is in the log, and taken up from there.
impl Drop for Core {
    fn drop(&mut self) {
        self.attempts.values().for_each(tokio::task::AbortHandle::abort);
    }
}
