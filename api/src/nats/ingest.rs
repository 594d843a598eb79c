//! `cxengage.ingest.<tenant>`: events that JetStream keeps until they are committed here.
//!
//! A message is acknowledged after the commit, so it may come again: it counts once, under its `Nats-Msg-Id` or else
//! under its place in the stream.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer};
use async_nats::jetstream::{AckKind, Message};
use domain::json::{Json, Object};
use eventlog::nats::{INGEST, Nats};
use futures_util::StreamExt;

use super::Failed;
use super::publisher::{Answered, Asking, accept, message_id, tenant};
use crate::http::state::State;

/// How many messages are taken in at once.
const AT_ONCE: usize = 1_000;

/// The consumer's name: servers of one system share it.
const NAME: &str = "receiver";

/// Takes events in.
pub async fn run(nats: &Nats, state: &State) -> Result<(), Failed> {
    let stream = nats.jetstream.get_stream(INGEST).await?;
    let made = stream.cached_info().created.unix_timestamp_nanos();
    let config = Config {
        durable_name: Some(NAME.into()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(60),
        max_ack_pending: 20_000,
        ..Config::default()
    };
    let consumer: PullConsumer = stream.get_or_create_consumer(NAME, config).await?;
    let messages = consumer.stream().max_messages_per_batch(AT_ONCE).messages().await?;
    let mut messages = messages.ready_chunks(AT_ONCE);
    while let Some(batch) = messages.next().await {
        let batch = batch.into_iter().collect::<Result<Vec<_>, _>>()?;
        take(nats, state, &batch, made).await?;
    }
    Err("the consumer has ended".into())
}

async fn take(nats: &Nats, state: &State, messages: &[Message], made: i128) -> Result<(), Failed> {
    let mut asking = Vec::with_capacity(messages.len());
    for message in messages {
        let place = message.info()?.stream_sequence;
        let key = message_id(message).unwrap_or_else(|| format!("{INGEST}/{made}/{place}"));
        asking.push(Asking { message, key: Some(key) });
    }
    let answers = accept(state, &asking).await.map_err(|problem| format!("{problem:?}"))?;
    for (message, answered) in messages.iter().zip(answers) {
        match answered {
            Answered::Accepted(_) => message.ack().await?,
            Answered::Refused(why) => {
                reject(nats, message, why).await?;
                message.ack().await?;
            }
            Answered::Later(wait, _) => message.ack_with(AckKind::Nak(Some(wait))).await?,
        }
    }
    Ok(())
}

/// Tells the tenant's subject what was refused and why.
async fn reject(nats: &Nats, message: &Message, why: Json) -> Result<(), Failed> {
    let mut body = match why {
        Json::Object(body) => body,
        other => [("error".to_owned(), other)].into_iter().collect::<Object>(),
    };
    body.set("event", String::from_utf8_lossy(&message.payload).into_owned());
    if let Some(key) = message_id(message) {
        body.set("idempotency-key", key);
    }
    let subject = format!("cxengage.rejected.{}", tenant(message));
    Ok(nats.client.publish(subject, Json::from(body).to_string().into()).await?)
}
