//! A record whose newest rows are read from memory, where one reader has put them for all.
//!
//! Rows are read from the record below as they come, or brought there by another way (JetStream: `crate::nats`). All
//! that is not in memory goes to the record below, and so does what cannot be read or is not brought in time: readers
//! see the same rows in the same order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::Position;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::window::{Shared, Taken, Window};
use super::{Error, Head, Layer, Record, Recorded, Select};

/// How many rows are read at a time.
const ROWS: usize = 1_000;

/// For how long a row may be on its other way before it is read from the record instead.
const PATIENCE: Duration = Duration::from_millis(250);

/// Where rows came from, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows that were brought.
    pub brought: u64,
    /// How often the next one that was brought was not the next one of the record.
    pub gaps: u64,
    /// How often the record had rows that were not brought in time.
    pub late: u64,
    /// What was brought and was no row.
    pub unreadable: u64,
}

/// A record with its newest rows in memory.
pub struct Tail {
    record: Arc<dyn Record>,
    window: Shared,
    head: watch::Sender<Head>,
    /// Whether rows are brought just now, where they are brought at all.
    brought: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    counts: [AtomicU64; 4],
}

impl Tail {
    /// A tail of a record. Its head moves on while somebody [watches](Self::watch).
    pub fn new(record: Arc<dyn Record>) -> Arc<Self> {
        let end = *record.head().borrow();
        Arc::new(Self {
            record,
            window: Shared::after(end.position),
            head: watch::channel(end).0,
            brought: OnceLock::new(),
            counts: Default::default(),
        })
    }

    /// Where rows that were brought came from so far.
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

    /// Says that rows are brought, while that holds: then they are given time, before they are read from the record.
    pub(crate) fn is_brought(&self, holds: impl Fn() -> bool + Send + Sync + 'static) {
        drop(self.brought.set(Box::new(holds)));
    }

    /// Takes in what was brought; `None` for what is no row. Nobody is [told](Self::tell) yet.
    pub(crate) fn bring(&self, row: Option<Recorded>) {
        let [brought, gaps, _, unreadable] = &self.counts;
        let count = |count: &AtomicU64| count.fetch_add(1, Ordering::Relaxed);
        let Some(row) = row else {
            count(unreadable);
            return;
        };
        match self.window.lock().take(row) {
            Taken::Next => count(brought),
            Taken::AfterGap => {
                count(gaps);
                count(brought)
            }
            Taken::Again => 0,
        };
    }

    /// Tells the readers up to where rows are here.
    pub(crate) fn tell(&self) {
        let window = self.window.lock();
        let Some(last) = window.last() else { return };
        let head = Head { position: last.position, stamp: last.stamp };
        head.advance(&self.head);
    }

    /// Reads, for ever, what comes in the record, and tells the readers of it; where rows are brought, only what is not
    /// brought in time.
    pub async fn watch(self: Arc<Self>) {
        let mut below = self.record.head();
        let mut patience: Option<(Head, Instant)> = None;
        loop {
            let end = *below.borrow_and_update();
            let behind = self.is_behind(end);
            if behind && !self.brought.get().is_some_and(|holds| holds()) {
                self.read_up_to(end).await;
            } else if behind && patience.is_none() {
                patience = Some((end, Instant::now() + PATIENCE));
            }
            tokio::select! {
                changed = below.changed() => if changed.is_err() { return },
                () = over(patience) => {
                    if let Some((end, _)) = patience.take() && self.is_behind(end) {
                        self.counts[2].fetch_add(1, Ordering::Relaxed);
                        self.read_up_to(end).await;
                    }
                }
            }
        }
    }

    fn is_behind(&self, end: Head) -> bool {
        self.head.borrow().position < end.position
    }

    async fn read_up_to(&self, end: Head) {
        while self.is_behind(end) {
            self.read_on(end).await;
        }
    }

    /// Reads what follows, for a record that ends there. What cannot be read is left to the readers, who are told that
    /// it is there, and find out why.
    async fn read_on(&self, end: Head) {
        let known = self.window.lock().end();
        match self.record.read_after(Select::All, known, ROWS).await {
            Ok(rows) if !rows.is_empty() => {
                self.window.lock().take_all(rows);
                self.tell();
            }
            _ => {
                let mut window = self.window.lock();
                if window.end() == known {
                    *window = Window::after(end.position);
                }
                drop(window);
                end.advance(&self.head);
            }
        }
    }
}

async fn over(patience: Option<(Head, Instant)>) {
    match patience {
        Some((_, at)) => sleep_until(at).await,
        None => std::future::pending().await,
    }
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
        let end = self.head.borrow().position;
        self.window.read_after((&*self.record, end), select, after, limit).await
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    fn domain_head(&self) -> watch::Receiver<Head> {
        Layer::head(self)
    }
}
