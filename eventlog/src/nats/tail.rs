//! The record's newest rows, brought by JetStream into a [`Tail`]: the stream can be slow, emptied, deleted or away.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use async_nats::jetstream::consumer::{Consumer, DeliverPolicy};
use futures_util::{FutureExt, StreamExt};
use tokio::time::{sleep, timeout};

use super::connect::{Error, Nats};
use super::message;
use super::streams::{LOG, ensure_log};
use crate::record::Tail;

/// The pause before another try at the stream.
const PAUSE: Duration = Duration::from_millis(500);

/// After so long without a message, while the record has grown, the stream is asked anew.
const STALLED: Duration = Duration::from_secs(2);

/// Follows the stream for ever. While it is not there, rows come from the record.
pub async fn follow(tail: Arc<Tail>, nats: Nats) {
    let connection = nats.clone();
    tail.is_brought(move || connection.is_connected());
    loop {
        if let Err(error) = bring(&tail, &nats).await {
            tracing::warn!(%error, "rows come from the record until the stream is there again");
        }
        sleep(PAUSE).await;
    }
}

/// Takes what the stream brings.
async fn bring(tail: &Tail, nats: &Nats) -> Result<(), Error> {
    ensure_log(nats).await?;
    let stream = nats.jetstream.get_stream_no_info(LOG).await.map_err(failed)?;
    let config = OrderedConfig { deliver_policy: DeliverPolicy::New, ..OrderedConfig::default() };
    let consumer: Consumer<OrderedConfig> = stream.create_consumer(config).await.map_err(failed)?;
    let mut messages: Ordered = consumer.messages().await.map_err(failed)?;
    loop {
        let late = tail.counts().late;
        let message = match timeout(STALLED, messages.next()).await {
            Ok(Some(message)) => message.map_err(failed)?,
            Ok(None) => return Err(Error::JetStream("the stream has ended".into())),
            // Of a consumer that has gone with its stream the client hears much later, if at all.
            Err(_) if tail.counts().late > late => {
                return Err(Error::JetStream("the stream does not bring what is in the record".into()));
            }
            Err(_) => continue,
        };
        tail.bring(message::decode(&message.payload));
        // What is there already goes in before anyone is told.
        while let Some(Some(message)) = messages.next().now_or_never() {
            tail.bring(message::decode(&message.map_err(failed)?.payload));
        }
        tail.tell();
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::JetStream(error.to_string())
}
