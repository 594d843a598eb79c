//! What other servers on the same database did that this one must not go on as if it did not know: clients that were
//! deleted, customers who were erased.

use std::sync::Arc;
use std::time::Duration;

use domain::client::Event as ClientEvent;
use domain::ids::Position;
use eventlog::record::{Error, Feed, Recorded, Select, StreamKind};

use crate::http::state::State;

/// How many rows are read at a time.
const ROWS: usize = 1_000;

/// The pause after a failure that may pass.
const PAUSE: Duration = Duration::from_secs(1);

/// Follows the record from a position, for ever.
pub(crate) async fn follow(state: Arc<State>, from: Position) {
    let mut feed = Feed::new(state.record.clone(), Select::Domain, from);
    loop {
        match feed.next(ROWS).await {
            Ok(rows) => {
                for row in &rows {
                    heed(&state, row).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "what other servers did cannot be read just now");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Acts upon a row; what may pass is tried until it does.
async fn heed(state: &State, row: &Recorded) {
    match row.stream.kind {
        StreamKind::Client
            if row.event_type == ClientEvent::Deleted.name() && !eventlog::broken!("no-revocation") =>
        {
            state.grants.revoke(&row.stream.id.as_str().into());
        }
        StreamKind::Erasure => {
            while let Err(error) = state.vault.heed(row).await {
                tracing::warn!(%error, position = row.position.0, "an erasure cannot be heeded");
                if !matches!(error, Error::Unavailable(_)) {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        _ => {}
    }
}
