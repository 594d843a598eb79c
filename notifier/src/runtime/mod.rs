//! The loop that runs reactions over the record.
//!
//! One task owns every open reaction, so that nothing is locked and each reaction is strictly serial. It gathers
//! what has come in (rows of the record, answers, timers, cancels), takes each input through the interpreter, and
//! appends the inputs with their effects as one batch; an effect is carried out only after its commit. While a
//! batch is sealed and appended beside the loop the next gathers: this is what makes it fast. Sends run as tasks of
//! their own and never hold the loop up.
//!
//! Why a crash loses nothing: what was decided is in the log before it is done, and the checkpoint at position p is
//! written only when all that came of the rows up to p is in the log. Whoever comes back folds each open reaction's
//! stream and takes up what is outstanding.
//!
//! Read next: `core` (the loop), then `follow` (rows), `start` (a match), `write` (the batch), `draft` (sealing and
//! appending it), `perform` (effects), `resume` (after a crash), `parked` (those that only wait).

mod attempt;
mod breaker;
mod core;
mod draft;
mod errand;
mod expects;
mod follow;
mod lanes;
mod options;
mod orders;
mod parked;
mod perform;
mod rate;
mod receipts;
mod resume;
mod slot;
mod start;
mod timers;
mod write;

use std::future::Future;
use std::sync::Arc;

use domain::ids::{ReactionId, TenantId};
use eventlog::checkpoint::Places;
use eventlog::crypto::Vault;
use eventlog::customer_stream::Door;
use eventlog::record::{self, Record};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc, oneshot};

pub use self::breaker::Rule as BreakerRule;
pub use self::errand::Elsewhere;
pub use self::options::Options;
pub use self::orders::{Decided, Redrive};
pub use self::rate::Rate;
pub use self::receipts::Taken;
use crate::endpoint::Endpoints;

/// What the notifier works with.
#[derive(Clone)]
pub struct Tools {
    /// The record.
    pub record: Arc<dyn Record>,
    /// Sealing and opening.
    pub vault: Arc<Vault>,
    /// The way in for a reaction's `event`.
    pub door: Arc<Door>,
    /// Where its place in the record is kept.
    pub checkpoints: Arc<dyn Places>,
    /// Where sends go.
    pub endpoints: Endpoints,
    /// The operator's settings.
    pub options: Options,
}

/// Runs reactions. All clones are one.
#[derive(Clone)]
pub struct Notifier {
    tools: Tools,
    orders: mpsc::Sender<Asked>,
    inbox: Arc<Mutex<mpsc::Receiver<Asked>>>,
}

/// Why the notifier stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record's, and not one that passes.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// Another notifier has taken over.
    #[error("another notifier has taken over the reactions of partition {0}")]
    Fenced(u8),
}

/// What became of a request to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cancelled {
    /// It is cancelled now.
    Cancelled,
    /// It had been cancelled before.
    Already,
    /// It is done or failed.
    Finished,
    /// The tenant has no such reaction.
    Missing,
}

/// Asks a running notifier for things.
#[derive(Clone)]
pub struct Handle {
    orders: mpsc::Sender<Asked>,
    /// The way to the server that runs the reactions, if that may be another.
    elsewhere: Option<Arc<dyn Elsewhere>>,
    /// Seals what goes there.
    vault: Arc<Vault>,
}

/// The notifier is not running (any more).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the notifier is not running")]
pub struct NotRunning;

/// What a running notifier is asked.
enum Asked {
    Cancel(Order),
    Send(orders::SendOrder),
    Receipt(receipts::ReceiptOrder),
}

struct Order {
    tenant: TenantId,
    reaction: ReactionId,
    by: String,
    reply: oneshot::Sender<Cancelled>,
}

impl Notifier {
    /// A notifier that does not run yet.
    pub fn new(
        record: Arc<dyn Record>,
        vault: Arc<Vault>,
        door: Arc<Door>,
        checkpoints: Arc<dyn Places>,
        endpoints: Endpoints,
        options: Options,
    ) -> Self {
        let (orders, inbox) = mpsc::channel(1_024);
        let tools = Tools { record, vault, door, checkpoints, endpoints, options };
        Self { tools, orders, inbox: Arc::new(Mutex::new(inbox)) }
    }

    /// Asks it for things, now or while it runs.
    pub fn handle(&self) -> Handle {
        Handle { orders: self.orders.clone(), elsewhere: None, vault: self.tools.vault.clone() }
    }

    /// Takes over all partitions' reactions and runs them until `shutdown` is there; then waits a while for sends
    /// under way, and keeps its place. To be run as a task of its own, one at a time.
    ///
    /// # Errors
    /// The record's, or another notifier has taken over. What was begun is in the log, and taken up by the next run.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Error> {
        let mut inbox = self.inbox.lock().await;
        core::Core::start(self.tools).await?.run(&mut inbox, shutdown).await
    }

    /// Answers what it is asked with [`NotRunning`], until it is dropped: another server runs the reactions.
    pub async fn decline(&self) {
        let mut inbox = self.inbox.lock().await;
        while inbox.recv().await.is_some() {}
    }
}

impl Handle {
    /// Cancels a reaction; answered after the commit.
    ///
    /// # Errors
    /// The notifier is not running.
    pub async fn cancel(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        by: &str,
    ) -> Result<Cancelled, NotRunning> {
        match self.cancel_here(tenant, reaction, by).await {
            Err(NotRunning) => self.cancel_elsewhere(tenant, reaction, by).await,
            here => here,
        }
    }

    async fn cancel_here(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        by: &str,
    ) -> Result<Cancelled, NotRunning> {
        let (reply, answer) = oneshot::channel();
        let order = Order { tenant: tenant.clone(), reaction, by: by.to_owned(), reply };
        self.orders.send(Asked::Cancel(order)).await.map_err(|_| NotRunning)?;
        answer.await.map_err(|_| NotRunning)
    }
}
