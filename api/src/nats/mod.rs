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

use std::sync::Arc;
use std::time::Duration;

use eventlog::checkpoint::Checkpoints;
use eventlog::nats::Nats;
use tokio::time::sleep;

use crate::http::state::State;

/// The pause before another try.
const PAUSE: Duration = Duration::from_secs(1);

/// Why a part of the face stopped for the moment.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Serves until it is dropped; what fails is tried again.
pub async fn run(nats: Nats, state: Arc<State>, checkpoints: Checkpoints) {
    let again = |what: &'static str, result: Result<(), Failed>| async move {
        if let Err(error) = result {
            tracing::warn!(%error, "{what} have stopped and go on after a pause");
        }
        sleep(PAUSE).await;
    };
    tokio::join!(
        async {
            loop {
                again("requests over NATS", request::run(&nats, &state).await).await
            }
        },
        async {
            loop {
                again("events from JetStream", ingest::run(&nats, &state).await).await
            }
        },
        async {
            loop {
                again("matches and reactions", outlet::run(&nats, &state, &checkpoints).await).await
            }
        },
    );
}
