//! A record whose newest rows are read from memory, where JetStream has brought them.
//!
//! All else goes to the record below, and so does what JetStream does not bring in time: the stream can be slow,
//! emptied, deleted or away, and readers see the same rows in the same order.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::consumer::{Consumer, DeliverPolicy};
use async_trait::async_trait;
use domain::ids::Position;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::connect::{Error as NatsError, Nats};
use super::message;
use super::streams::{LOG, ensure_log};
use crate::record::{Error, Head, Layer, Record, Recorded, Select};

/// How much is kept in memory, by the rows' payloads and what surrounds them.
const BYTES: usize = 64 * 1024 * 1024;

/// What surrounds a payload, about.
const AROUND: usize = 320;

/// For how long a row may be on its way before it is read from the record instead.
const PATIENCE: Duration = Duration::from_millis(250);

/// The pause before another try at the stream.
const PAUSE: Duration = Duration::from_millis(500);

/// Where rows came from, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that the stream brought.
    pub brought: u64,
    /// How often the next one in the stream was not the next one of the record.
    pub gaps: u64,
    /// How often the record had rows that the stream did not bring in time.
    pub late: u64,
    /// Messages that were no rows.
    pub unreadable: u64,
}

/// A record with its newest rows in memory.
pub struct Tail {
    record: Arc<dyn Record>,
    window: Mutex<Window>,
    head: watch::Sender<Head>,
    nats: OnceLock<Nats>,
    counts: [AtomicU64; 4],
}

/// The last rows, without a gap.
#[derive(Default)]
struct Window {
    rows: VecDeque<Recorded>,
    bytes: usize,
}

/// What a row was to the window.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Next,
    Again,
    AfterGap,
}

impl Window {
    fn last(&self) -> Option<Position> {
        self.rows.back().map(|row| row.position)
    }

    fn take(&mut self, row: Recorded, bytes: usize) -> Taken {
        let taken = match self.last() {
            Some(last) if row.position <= last => return Taken::Again,
            Some(last) if row.position.0 > last.0 + 1 && !crate::broken!("no-gap-check") => {
                self.rows.clear();
                self.bytes = 0;
                Taken::AfterGap
            }
            _ => Taken::Next,
        };
        self.bytes += row.payload.len() + AROUND;
        self.rows.push_back(row);
        while self.bytes > bytes && self.rows.len() > 1 {
            let dropped = self.rows.pop_front().map_or(0, |row| row.payload.len() + AROUND);
            self.bytes = self.bytes.saturating_sub(dropped);
        }
        taken
    }

    /// Rows after a position up to the end, if all of them are here and nothing beyond them is known.
    fn read(&self, select: &Select, after: Position, head: Position, limit: usize) -> Option<Vec<Recorded>> {
        let (first, last) = (self.rows.front()?.position, self.last()?);
        if after.0 + 1 < first.0 || after >= last || head > last {
            return None;
        }
        // Without a gap between them: the place of a row is known from its position.
        let rows = self.rows.iter().skip(usize::try_from(after.0 + 1 - first.0).ok()?);
        match select {
            Select::All => Some(rows.take(limit).cloned().collect()),
            Select::Domain => Some(rows.filter(|row| row.previous.is_none()).take(limit).cloned().collect()),
            _ => None,
        }
    }
}

impl Tail {
    /// A tail of a record. It reads from the record alone until it [follows](Self::follow) the stream; its head moves
    /// on while somebody [watches](Self::watch).
    pub fn new(record: Arc<dyn Record>) -> Arc<Self> {
        let (head, _) = watch::channel(*record.head().borrow());
        Arc::new(Self {
            record,
            window: Mutex::default(),
            head,
            nats: OnceLock::new(),
            counts: Default::default(),
        })
    }

    /// Where rows came from so far.
    pub fn counts(&self) -> Counts {
        let [brought, gaps, late, unreadable] = &self.counts;
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            brought: count(brought),
            gaps: count(gaps),
            late: count(late),
            unreadable: count(unreadable),
        }
    }

    /// Follows the stream for ever.
    pub async fn follow(self: Arc<Self>, nats: Nats) {
        let nats = self.nats.get_or_init(|| nats);
        loop {
            if let Err(error) = self.bring(nats).await {
                tracing::warn!(%error, "rows come from the record until the stream is there again");
            }
            sleep(PAUSE).await;
        }
    }

    /// Takes what the stream brings.
    async fn bring(&self, nats: &Nats) -> Result<(), NatsError> {
        ensure_log(nats).await?;
        let stream = nats.jetstream.get_stream_no_info(LOG).await.map_err(failed)?;
        let config = OrderedConfig { deliver_policy: DeliverPolicy::New, ..OrderedConfig::default() };
        let consumer: Consumer<OrderedConfig> = stream.create_consumer(config).await.map_err(failed)?;
        let mut messages: Ordered = consumer.messages().await.map_err(failed)?;
        while let Some(message) = messages.next().await {
            self.take(&message.map_err(failed)?.payload);
            // What is there already goes in before anyone is told.
            while let Some(Some(message)) = messages.next().now_or_never() {
                self.take(&message.map_err(failed)?.payload);
            }
            self.tell();
        }
        Err(NatsError::JetStream("the stream has ended".into()))
    }

    fn take(&self, payload: &[u8]) {
        let [brought, gaps, _, unreadable] = &self.counts;
        let Some(row) = message::decode(payload) else {
            unreadable.fetch_add(1, Ordering::Relaxed);
            return;
        };
        match self.window().take(row, BYTES) {
            Taken::Next => brought.fetch_add(1, Ordering::Relaxed),
            Taken::AfterGap => {
                brought.fetch_add(1, Ordering::Relaxed);
                gaps.fetch_add(1, Ordering::Relaxed)
            }
            Taken::Again => 0,
        };
    }

    /// Tells the readers up to where rows are here.
    fn tell(&self) {
        let window = self.window();
        let Some(last) = window.rows.back() else { return };
        let head = Head { position: last.position, stamp: last.stamp };
        head.advance(&self.head);
    }

    /// Tells the readers, for ever, of rows that the stream does not bring in time; of every row while there is none.
    pub async fn watch(self: Arc<Self>) {
        let mut below = self.record.head();
        let mut patience: Option<(Head, Instant)> = None;
        loop {
            let end = *below.borrow_and_update();
            let behind = end.position > self.head.borrow().position;
            if behind && !self.nats.get().is_some_and(Nats::is_connected) {
                end.advance(&self.head);
            } else if behind && patience.is_none() {
                patience = Some((end, Instant::now() + PATIENCE));
            }
            tokio::select! {
                changed = below.changed() => if changed.is_err() { return },
                () = over(patience) => {
                    if let Some((end, _)) = patience.take() && end.advance(&self.head) {
                        self.counts[2].fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        // Whole at every moment, so a panic elsewhere does not spoil it.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn over(patience: Option<(Head, Instant)>) {
    match patience {
        Some((_, at)) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn failed(error: impl std::fmt::Display) -> NatsError {
    NatsError::JetStream(error.to_string())
}

#[async_trait]
impl Layer for Tail {
    fn inner(&self) -> &dyn Record {
        &*self.record
    }

    async fn read_after(
        &self,
        select: Select,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        let here = {
            let window = self.window();
            window.read(&select, after, self.head.borrow().position, limit)
        };
        match here {
            Some(rows) => Ok(rows),
            None => self.record.read_after(select, after, limit).await,
        }
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }
}
