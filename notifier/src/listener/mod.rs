//! The way in from third parties: each enabled listener of each tenant is one task that connects with the tenant's
//! integration, listens, and hands what it hears to the door, the same that everything else comes in by.
//!
//! A listener keeps nothing back and decides nothing about matching. It asks the door to take nothing twice, by a key
//! that it makes from the protocol's own id; its place, where the protocol has one, is written down only after the
//! door has taken what came before it. What it does at any moment is on the [`Board`], and nowhere else.
//!
//! Read next: `supervisor` (which listeners run), `ear` (one of them: connect, listen, wait, again), then the
//! protocols: `datasift`, `salesforce` over `bayeux`, `pusher`.

mod bayeux;
mod board;
mod datasift;
mod ear;
mod kept;
mod pace;
mod pusher;
mod salesforce;
mod supervisor;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{ListenerId, Position, TenantId};
use eventlog::checkpoint::Places;
use eventlog::customer_stream::Door;
use eventlog::record::{self, Record};
use tokio::sync::watch;

use self::board::Board;
pub use self::board::{State, Status};
use crate::endpoint::Outside;

/// What listeners work with.
#[derive(Clone)]
pub struct Tools {
    /// The record, which says which listeners there are.
    pub record: Arc<dyn Record>,
    /// The way in.
    pub door: Arc<Door>,
    /// Where places are kept.
    pub checkpoints: Arc<dyn Places>,
    /// The way out.
    pub outside: Outside,
    /// The longest pause before a listener tries again; `None`: what each protocol asks for.
    pub longest_pause: Option<Duration>,
}

/// Runs listeners. All clones are one.
#[derive(Clone)]
pub struct Listeners {
    tools: Tools,
    board: Arc<Board>,
    applied: watch::Sender<Position>,
    /// Whether they run here.
    running: watch::Sender<bool>,
}

/// Why listening stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record's, and not one that passes.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// Another server listens now.
    #[error("another server has taken over the listeners")]
    Fenced,
}

/// Asks running listeners how they are.
#[derive(Clone)]
pub struct Handle {
    board: Arc<Board>,
    applied: watch::Receiver<Position>,
    running: watch::Receiver<bool>,
}

/// How long a change is waited for.
const WAIT: Duration = Duration::from_secs(5);

impl Listeners {
    /// Listeners that do not run yet.
    pub fn new(tools: Tools) -> Self {
        let (applied, _) = watch::channel(Position(0));
        Self { tools, board: Arc::default(), applied, running: watch::channel(true).0 }
    }

    /// Asks how they are, now or while they run.
    pub fn handle(&self) -> Handle {
        let (applied, running) = (self.applied.subscribe(), self.running.subscribe());
        Handle { board: self.board.clone(), applied, running }
    }

    /// Another server runs the listeners: what is changed about them here is not waited for.
    pub fn elsewhere(&self) {
        self.running.send_replace(false);
    }

    /// Runs the listeners that are enabled, each once, and follows what is changed about them, until `shutdown`.
    ///
    /// # Errors
    /// The record's, or another server has taken over.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        self.running.send_replace(true);
        let ended = supervisor::run(self.tools, self.board, self.applied, shutdown).await;
        self.running.send_replace(false);
        ended
    }
}

impl Handle {
    /// How a listener is; `None` if it does not run here.
    pub fn status(&self, tenant: &TenantId, id: &ListenerId) -> Option<Status> {
        self.board.status(tenant, id)
    }

    /// Waits until a change at that position has been acted upon: a deleted listener hears nothing after this. Gives
    /// up after a while; where another server runs the listeners, nothing is waited for.
    pub async fn acted_upon(&self, position: Position) {
        if !*self.running.borrow() {
            return;
        }
        let mut applied = self.applied.clone();
        let there = applied.wait_for(|at| *at >= position);
        if tokio::time::timeout(WAIT, there).await.is_err() {
            tracing::warn!(%position, "the listeners are late");
        }
    }
}
