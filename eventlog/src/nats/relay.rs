//! Publishes what was committed, in order and as often as it takes.
//!
//! Where the stream ends is read from the stream itself and held against the record, so a relay that starts anew, or
//! two at once, publish nothing wrong: at worst something twice, which every reader of the stream passes over.

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::Position;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use super::connect::{Error, Nats};
use super::message::{self, HEADS};
use super::streams::{LOG, ensure_log};
use crate::record::{self, Feed, Record, Recorded, Select};

/// How many rows are on their way at once.
const IN_FLIGHT: usize = 500;

/// How often the end of the log is announced.
const ANNOUNCE: Duration = Duration::from_secs(5);

/// The pause before another try.
const PAUSE: Duration = Duration::from_millis(500);

/// Publishes the record's rows.
pub struct Relay {
    nats: Nats,
    record: Arc<dyn Record>,
}

/// Why publishing stopped for the moment.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error(transparent)]
    Record(#[from] record::Error),
    #[error(transparent)]
    Nats(#[from] Error),
}

impl Relay {
    /// A relay from a record; it does nothing until it [`run`](Self::run)s.
    pub fn new(nats: Nats, record: Arc<dyn Record>) -> Self {
        Self { nats, record }
    }

    /// Runs until it is dropped. What fails is tried again: nothing is lost while it is not published, since readers
    /// take what is missing from the record.
    pub async fn run(self) {
        loop {
            if let Err(error) = self.publish().await {
                tracing::warn!(%error, "rows are not published just now; trying again");
            }
            sleep(PAUSE).await;
        }
    }

    async fn publish(&self) -> Result<(), Halt> {
        let mut feed = Feed::new(self.record.clone(), Select::All, self.end_of_stream().await?);
        let mut announce = Instant::now();
        loop {
            tokio::select! {
                rows = feed.next(IN_FLIGHT) => self.send(&rows?).await?,
                () = sleep_until(announce) => {
                    self.announce().await?;
                    announce = Instant::now() + ANNOUNCE;
                }
            }
        }
    }

    /// The position of the last row in the stream. A stream that is empty is gone on with from the record's end; one
    /// that holds what the record does not (an older backup was restored) is emptied.
    async fn end_of_stream(&self) -> Result<Position, Halt> {
        ensure_log(&self.nats).await?;
        let stream = self.nats.jetstream.get_stream(LOG).await.map_err(failed)?;
        let state = &stream.cached_info().state;
        if state.messages == 0 {
            return Ok(self.record.head().borrow().position);
        }
        let last = stream.get_raw_message(state.last_sequence).await.map_err(failed)?;
        if let Some(published) = message::decode(&last.payload)
            && self.record.read_at(&[published.position]).await?.first() == Some(&published)
        {
            return Ok(published.position);
        }
        tracing::warn!("the stream {LOG} ends with what is not in the record: it is emptied");
        stream.purge().await.map_err(failed)?;
        Ok(self.record.head().borrow().position)
    }

    /// Publishes rows and waits until all are stored.
    async fn send(&self, rows: &[Recorded]) -> Result<(), Error> {
        let mut under_way = Vec::with_capacity(rows.len());
        for row in rows {
            let (subject, headers) = (message::subject(row), message::headers(row));
            let sent =
                self.nats.jetstream.publish_with_headers(subject, headers, message::encode(row).into());
            under_way.push(sent.await.map_err(failed)?.into_future());
        }
        for stored in join_all(under_way).await {
            stored.map_err(failed)?;
        }
        Ok(())
    }

    async fn announce(&self) -> Result<(), Error> {
        let head = *self.record.head().borrow();
        let body = serde_json::json!({ "position": head.position, "stamp": head.stamp });
        self.nats.client.publish(HEADS, body.to_string().into()).await.map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::JetStream(error.to_string())
}
