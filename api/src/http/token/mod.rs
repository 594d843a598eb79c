//! POST /token: a client proves who it is and gets a token for an hour (rest-api.md §3).

use axum::http::{HeaderValue, header};
use domain::client::{Scope, TokenIssued};
use domain::ids::ClientId;
use domain::json::{Json, Object};

use super::answer::Answer;
use super::call::Call;
use super::change;
use super::problem::Problem;
use crate::oauth::request::{Code, TokenRequest, in_rfc_form, refusal};
use crate::oauth::secret::{draw, token_hash};

/// How long a token is good for, in seconds.
const LIFETIME: i64 = 3_600;

/// POST /token
pub async fn issue(call: Call) -> Result<Answer, Problem> {
    let request = TokenRequest::read(&call.headers, &call.body.bytes)?;
    let client = ClientId::from(request.credentials.id.as_str());
    let has = authenticate(&call, &client, request.credentials.secrets).await?;
    let scopes = match request.scopes {
        None => has,
        Some(asked) if asked.iter().all(|scope| has.contains(scope)) => asked,
        Some(_) => return Err(refusal(Code::InvalidScope, "the client has not all of these scopes")),
    };
    let token = draw().map_err(|error| Problem::internal(error.to_string()))?;
    store(&call, &token, client, scopes.clone()).await?;
    let mut answer = Object::new();
    answer.set("access_token", token);
    answer.set("token_type", "bearer");
    answer.set("expires_in", LIFETIME);
    answer.set("scope", scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" "));
    Ok(Answer::ok(Json::from(answer))
        .header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .header(header::PRAGMA, HeaderValue::from_static("no-cache")))
}

/// Whether the client is who it says: the scopes that it has.
async fn authenticate(call: &Call, client: &ClientId, secrets: Vec<String>) -> Result<Vec<Scope>, Problem> {
    let (state, id) = (&call.state, client.as_str());
    let busy = |problem| in_rfc_form(problem, Code::TemporarilyUnavailable);
    let allowed = || {
        let wait = state.throttle.check(id, call.address);
        wait.map_err(|wait| busy(Problem::too_many(wait.as_secs_f64().ceil() as u64)))
    };
    allowed()?;
    let turn = state.secrets.turn().await.map_err(busy)?;
    // Those that were ahead in the queue may have used up what was left.
    allowed()?;
    let mut view = state.views.client(client).await?;
    if view.is_none() && state.shared.is_some() {
        // Another server may have made it a moment ago.
        state.catch_up().await.map_err(busy)?;
        view = state.views.client(client).await?;
    }
    let hash = view.as_ref().map(|view| view.secret_hash.clone());
    let good = turn.verify(secrets, hash).await?;
    match view {
        Some(view) if good => {
            state.throttle.succeeded(id, call.address);
            Ok(view.scopes)
        }
        _ => {
            state.throttle.failed(id, call.address);
            Err(refusal(Code::InvalidClient, "there is no such client, or its secret is another one"))
        }
    }
}

/// Stores a token: by its hash, so that nobody who reads the record can use it.
async fn store(call: &Call, token: &str, client: ClientId, scopes: Vec<Scope>) -> Result<(), Problem> {
    let expires = call.state.record.now().after(LIFETIME * 1_000);
    let mut metadata = call.metadata();
    metadata.by = Some(client.to_string());
    let token_issued = TokenIssued { client, scopes, expires };
    let hash = hex::encode(token_hash(token));
    let committed = call.state.commands.issue_token(&hash, &token_issued, metadata).await?;
    change::settle(&call.state, committed.position).await;
    Ok(())
}
