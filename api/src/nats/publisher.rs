//! A message as an event that asks to come in, and the answer to it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_nats::Message;
use domain::customer_event::Origin;
use domain::ids::TenantId;
use domain::json::{self, Json, Limits};
use eventlog::customer_stream::{Accepted, Incoming, Refused};
use eventlog::record::Metadata;

use crate::http::events::{EVENT_BYTES, answer_of, is_idempotency_key};
use crate::http::problem::Problem;
use crate::http::state::State;

/// What became of a message.
pub enum Answered {
    /// It was accepted.
    Accepted(Json),
    /// It was refused for good; what is wrong with it, as JSON.
    Refused(Json),
    /// Not now: again after this.
    Later(Duration, Json),
}

/// A message, and the key under which it counts once if it names none itself.
pub struct Asking<'a> {
    /// The message.
    pub message: &'a Message,
    /// The key to use.
    pub key: Option<String>,
}

/// The tenant whose subject it is.
pub fn tenant(message: &Message) -> TenantId {
    TenantId(message.subject.rsplit('.').next().unwrap_or_default().to_owned())
}

/// Lets messages in; each one's answer, in order.
///
/// # Errors
/// The read models cannot be asked.
pub async fn accept(state: &State, asking: &[Asking<'_>]) -> Result<Vec<Answered>, Problem> {
    let known = known(state, asking).await?;
    let mut answers: HashMap<usize, Answered> = HashMap::new();
    let (mut numbers, mut events) = (Vec::new(), Vec::new());
    for (n, asking) in asking.iter().enumerate() {
        match incoming(state, &known, asking) {
            Ok(incoming) => {
                numbers.push(n);
                events.push(incoming);
            }
            Err(answered) => drop(answers.insert(n, answered)),
        }
    }
    for (n, accepted) in numbers.into_iter().zip(state.door.accept(events).await) {
        answers.insert(n, answered(accepted));
    }
    Ok((0..asking.len()).filter_map(|n| answers.remove(&n)).collect())
}

/// Those of the messages' tenants that there are.
async fn known(state: &State, asking: &[Asking<'_>]) -> Result<HashSet<TenantId>, Problem> {
    let asked: HashSet<TenantId> = asking.iter().map(|asking| tenant(asking.message)).collect();
    let mut known = HashSet::new();
    for tenant in asked {
        if state.views.tenant(&tenant).await?.is_some() {
            known.insert(tenant);
        }
    }
    Ok(known)
}

fn incoming(state: &State, known: &HashSet<TenantId>, asking: &Asking<'_>) -> Result<Incoming, Answered> {
    let tenant = tenant(asking.message);
    if !known.contains(&tenant) {
        return Err(refused(Problem::missing(format!("there is no tenant {tenant}"))));
    }
    let bytes = &asking.message.payload;
    if bytes.len() > EVENT_BYTES {
        return Err(refused(Problem::too_large(format!("an event has at most {} KiB", EVENT_BYTES / 1024))));
    }
    let event = json::parse(bytes, Limits::EVENT).map_err(|error| refused(error.into()))?;
    if let Some(key) = &asking.key
        && !is_idempotency_key(key)
    {
        return Err(refused(Problem::bad("Nats-Msg-Id has to have 1 to 256 characters")));
    }
    if state.rates.take(&tenant, 1).is_err() {
        let body = body(Problem::too_many(1));
        return Err(Answered::Later(Duration::from_secs(1), body));
    }
    let metadata = Metadata::default();
    Ok(Incoming { tenant, event, idempotency_key: asking.key.clone(), origin: Origin::Nats, metadata })
}

/// The idempotency key that a message names.
pub fn message_id(message: &Message) -> Option<String> {
    Some(message.headers.as_ref()?.get("Nats-Msg-Id")?.as_str().to_owned())
}

fn answered(accepted: Result<Accepted, Refused>) -> Answered {
    match accepted {
        Ok(accepted) => Answered::Accepted(Json::Object(answer_of(accepted))),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.status.is_server_error() {
                tracing::warn!(error = problem.internal.as_deref(), "an event from NATS has to wait");
                Answered::Later(Duration::from_secs(1), body(problem))
            } else {
                refused(problem)
            }
        }
    }
}

fn refused(problem: Problem) -> Answered {
    Answered::Refused(body(problem))
}

/// A problem as REST shows it, with its status.
fn body(problem: Problem) -> Json {
    let status = u64::from(problem.status.as_u16());
    match problem.body {
        Json::Object(mut body) => {
            body.set("status", status);
            body.into()
        }
        other => other,
    }
}
