//! The NATS face: publishers send customer events in, and whoever may listens to what came of them.
//!
//! | subject | what for |
//! | --- | --- |
//! | `cxengage.request.<tenant>` | an event, answered once it is committed |
//! | `cxengage.ingest.<tenant>` | an event, kept by JetStream until it is committed |
//! | `cxengage.rejected.<tenant>` | an event of the one before that was refused, and why |
//! | `cxengage.matches.<tenant>`, `cxengage.reactions.<tenant>` | what happened |
//!
//! The door decides, as it does for REST. A message's `Nats-Msg-Id` is its idempotency key.

mod ingest;
mod outlet;
mod publisher;
mod request;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::Position;
use eventlog::checkpoint::Places;
use eventlog::nats::{Nats, Relay};
use eventlog::record::Record;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::http::state::State;
use crate::lease::{Ended, Worker};

/// The pause before another try.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a part of the face stopped for the moment.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Lets publishers in until it is dropped; what fails is tried again. Servers of one system share the work.
pub async fn receive(nats: &Nats, state: &State) {
    tokio::join!(
        again("requests over NATS", || request::run(nats, state)),
        again("events from JetStream", || ingest::run(nats, state)),
    );
}

/// Tells what happens until it is dropped, as the one server that does; what fails is tried again.
async fn tell(nats: &Nats, state: &State, places: &dyn Places) {
    again("matches and reactions", || outlet::run(nats, state, places)).await;
}

/// Publishing what was committed and telling what came of it: one server at a time does both.
pub(crate) struct Relaying {
    pub(crate) nats: Nats,
    pub(crate) record: Arc<dyn Record>,
    pub(crate) state: Arc<State>,
    pub(crate) places: Arc<dyn Places>,
}

impl Worker for Relaying {
    fn name(&self) -> String {
        "publishing to NATS".into()
    }

    async fn stand_by(&self, _: watch::Receiver<Position>, stop: CancellationToken) -> Result<(), Ended> {
        stop.cancelled().await;
        Ok(())
    }

    async fn work(&self, stop: CancellationToken) -> Result<(), Ended> {
        let relay = Relay::new(self.nats.clone(), self.record.clone());
        let work = async {
            tokio::join!(relay.run(), tell(&self.nats, &self.state, &*self.places));
        };
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    }
}

async fn again<W: Future<Output = Result<(), Failed>>>(what: &str, work: impl Fn() -> W) {
    loop {
        if let Err(error) = work().await {
            tracing::warn!(%error, "{what} have stopped and go on after a pause");
        }
        sleep(PAUSE).await;
    }
}
