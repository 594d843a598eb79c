//! Customer events over REST: one, a batch, and the history. The door decides; this is only its face.

pub mod batch;
pub mod history;

use axum::http::{HeaderMap, StatusCode};
use domain::customer_event::{CustomerEvent, Origin};
use domain::json::{Json, Limits, Object};
use eventlog::customer_stream::{Accepted, Incoming, Refused};

use super::answer::Answer;
use super::call::Call;
use super::problem::Problem;
use super::rate::Over;

/// The longest event, in bytes.
pub const EVENT_BYTES: usize = 256 * 1024;
/// The longest idempotency key, in characters.
const KEY_CHARACTERS: usize = 256;

/// POST /tenants/{tid}/event
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let idempotency_key = idempotency_key(&call.headers)?;
    let event = match call.json(Limits::EVENT).await {
        Ok(event) => event,
        Err(problem) => return repeated(&call, idempotency_key).await.ok_or(problem),
    };
    take_rate(&call, 1)?;
    let incoming = incoming(&call, event, idempotency_key);
    let accepted = call.state.door.accept(vec![incoming]).await.pop();
    match accepted {
        Some(Ok(accepted)) => Ok(Answer::created(Json::Object(answer_of(accepted)))),
        Some(Err(refused)) => Err(refused.into()),
        None => Err(Problem::internal("the door answered nothing")),
    }
}

/// The first answer of an idempotency key, if it has been used: given whatever the body is now, no JSON too.
async fn repeated(call: &Call, idempotency_key: Option<String>) -> Option<Answer> {
    let incoming = incoming(call, Json::Null, Some(idempotency_key?));
    let accepted = call.state.door.accept(vec![incoming]).await.pop()?.ok()?;
    Some(Answer::created(Json::Object(answer_of(accepted))))
}

/// The event as it asks to come in.
fn incoming(call: &Call, event: Json, idempotency_key: Option<String>) -> Incoming {
    Incoming {
        tenant: call.tenant.clone(),
        event,
        idempotency_key,
        origin: Origin::Rest,
        metadata: call.metadata(),
    }
}

fn take_rate(call: &Call, events: usize) -> Result<(), Problem> {
    call.state.rates.take(&call.tenant, events).map_err(|over| match over {
        Over::Wait(wait) => Problem::too_many(wait.as_secs_f64().ceil() as u64),
        // To try again would not help, so no time to wait is told.
        Over::Never(most) => Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "Exceeded rate limit: {events} events at once are never let in; send at most {most} at a time"
            ),
        ),
    })
}

/// The answer about an accepted event: as it came, without what augments add.
pub fn answer_of(accepted: Accepted) -> Object {
    shown(accepted.event)
}

fn shown(event: CustomerEvent) -> Object {
    let mut answer = Object::new();
    answer.set("event", event.event);
    answer.set("key-attr", event.key);
    answer.set("id", event.id.to_string());
    answer.set("contributing?", event.contributing);
    answer
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = std::str::from_utf8(value.as_bytes()).ok().filter(|key| is_idempotency_key(key));
    key.map(|key| Some(key.to_owned()))
        .ok_or_else(|| Problem::bad(format!("Idempotency-Key has to have 1 to {KEY_CHARACTERS} characters")))
}

/// Whether it can be one.
pub fn is_idempotency_key(key: &str) -> bool {
    (1..=KEY_CHARACTERS).contains(&key.chars().take(KEY_CHARACTERS + 1).count())
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Event(refusal) => Self::bad(refusal.to_string()),
            Refused::Erased => Self::conflict(refused.to_string()),
            Refused::Fenced => Self::unavailable(refused.to_string()),
            Refused::Record(error) => error.into(),
        }
    }
}
