//! `cxengage.request.<tenant>`: an event, and its answer after the commit.

use async_nats::Message;
use eventlog::nats::Nats;
use futures_util::StreamExt;

use super::Failed;
use super::publisher::{Answered, Asking, accept, message_id};
use crate::http::state::State;

/// How many requests are taken in at once.
const AT_ONCE: usize = 1_000;

/// Answers requests; servers of one system share them.
pub async fn run(nats: &Nats, state: &State) -> Result<(), Failed> {
    let requests = nats.client.queue_subscribe("cxengage.request.*", "cxengage".into()).await?;
    let mut requests = requests.ready_chunks(AT_ONCE);
    while let Some(messages) = requests.next().await {
        answer(nats, state, &messages).await?;
    }
    Err("the subscription has ended".into())
}

async fn answer(nats: &Nats, state: &State, messages: &[Message]) -> Result<(), Failed> {
    let asking: Vec<_> =
        messages.iter().map(|message| Asking { message, key: message_id(message) }).collect();
    let answers = accept(state, &asking).await.map_err(|problem| format!("{problem:?}"))?;
    for (message, answered) in messages.iter().zip(answers) {
        let (Answered::Accepted(body) | Answered::Refused(body) | Answered::Later(_, body)) = answered;
        if let Some(reply) = &message.reply {
            nats.client.publish(reply.clone(), body.to_string().into()).await?;
        }
    }
    Ok(())
}
