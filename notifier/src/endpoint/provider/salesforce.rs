//! Salesforce: records (endpoints.md §4). The token of the user-and-password flow is kept for all sends of a tenant,
//! and renewed when a call says that it is over: once, for Salesforce locks accounts that log in badly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use domain::ids::{Position, TenantId};
use domain::integration::Kind;
use domain::json::Json;
use domain::reaction::{Answer, Failure, Success};
use hyper::Method;
use zeroize::Zeroizing;

use super::call::{Call, Headers, as_text, below, form, json_of, line, object_of};
use super::scrub::Scrub;
use super::{Outside, Provider, in_force, judge};
use crate::endpoint::http::verdict::{of_status, of_trouble};
use crate::endpoint::http::{Outgoing, Reach, Received, Url};
use crate::endpoint::integration::Integration;
use crate::endpoint::{Endpoint, Request, Sent, refused};

/// The version of the API that is spoken.
const VERSION: &str = "v59.0";

/// The endpoint.
pub struct Salesforce {
    outside: Outside,
    sessions: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<Option<Session>>>>>,
}

/// What a login gave.
#[derive(Clone)]
pub(crate) struct Session {
    /// The integration that logged in.
    version: Position,
    pub(crate) token: Zeroizing<String>,
    pub(crate) instance: Url,
    pub(crate) reach: Reach,
}

impl Salesforce {
    pub(super) fn new(outside: Outside) -> Self {
        Self { outside, sessions: Mutex::default() }
    }

    async fn call(&self, request: &Request, integration: &Integration, sent: &Sent) -> Answer {
        let mut over: Option<Session> = None;
        loop {
            let session = match self.session(&request.tenant, integration, over.as_ref()).await {
                Ok(session) => session,
                Err(failure) => return Answer::Failed(failure),
            };
            let records = Records(session);
            let now = SystemTime::now();
            let call = Call {
                request,
                integration,
                customer: None,
                receipts: None,
                now,
                bases: &self.outside.bases,
            };
            let outgoing = match records.request(&call) {
                Ok(outgoing) => outgoing,
                Err(what) => return refused(what),
            };
            let scrub = Scrub::new(integration, &outgoing);
            match self.outside.http.send(outgoing, sent).await {
                Ok(received) if received.status == 401 && over.is_none() => over = Some(records.0),
                Ok(received) => {
                    return scrub.answer(judge(&records, &request.verb, &received, now));
                }
                Err(trouble) => return scrub.answer(Answer::Failed(of_trouble(&trouble))),
            }
        }
    }

    /// The session that all sends of a tenant share; another one than that which is `over`.
    async fn session(
        &self,
        tenant: &TenantId,
        integration: &Integration,
        over: Option<&Session>,
    ) -> Result<Session, Failure> {
        let place = {
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sessions.entry(tenant.clone()).or_default())
        };
        // Held while logging in: the others wait for the same token.
        let mut place = place.lock().await;
        if let Some(session) = place.as_ref()
            && session.version == integration.version
            && over.is_none_or(|over| over.token != session.token)
        {
            return Ok(session.clone());
        }
        *place = None;
        let session = log_in(&self.outside, integration).await?;
        Ok(place.insert(session).clone())
    }
}

/// Logs in. Nothing is done by a login, so nothing about it is ambiguous.
pub(crate) async fn log_in(outside: &Outside, integration: &Integration) -> Result<Session, Failure> {
    let failed = |error: String| Failure { error: format!("login: {error}"), ..Failure::default() };
    let base = &outside.bases.salesforce_login;
    let outgoing = login(base, integration).map_err(failed)?;
    let scrub = Scrub::new(integration, &outgoing);
    let failure = match outside.http.send(outgoing, &Sent::default()).await {
        Ok(received) if (200..300).contains(&received.status) => {
            return session(base, integration.version, &received).map_err(failed);
        }
        Ok(received) => of_status(&received, &complaint_at_login(&received), true, SystemTime::now()),
        Err(trouble) => of_trouble(&trouble),
    };
    let error = format!("login: {}", failure.error);
    Err(Failure { error: scrub.text(&error), ambiguous: false, ..failure })
}

#[async_trait]
impl Endpoint for Salesforce {
    fn name(&self) -> &str {
        Kind::Salesforce.name()
    }

    async fn send(&self, request: &Request, sent: &Sent) -> Answer {
        match in_force(&self.outside.integrations, Kind::Salesforce, request, sent).await {
            Ok(integration) => self.call(request, &integration, sent).await,
            Err(answer) => answer,
        }
    }
}

/// The request for a token.
pub(super) fn login(base: &Url, integration: &Integration) -> Result<Outgoing, String> {
    let field = |name: &str| integration.need(name).map(str::to_owned);
    let fields = [
        ("grant_type", "password".to_owned()),
        ("client_id", field("consumer-key")?),
        ("client_secret", field("consumer-secret")?),
        ("username", field("username")?),
        // The security token follows the password without a break.
        ("password", field("password")? + &field("secret-token")?),
    ];
    Ok(Outgoing::new(Method::POST, below(base, "/services/oauth2/token")?, Reach::Operator)
        .form()?
        .body(form(fields)))
}

/// What a login answered. The instance's URL is a third party's word: it is held to public addresses, unless it is
/// the login host itself.
pub(super) fn session(base: &Url, version: Position, received: &Received) -> Result<Session, String> {
    let body = object_of(received)?;
    let text =
        |name: &str| body.get(name).and_then(Json::as_text).ok_or_else(|| format!("no {name} was given"));
    let instance = Url::parse(text("instance_url")?).map_err(|error| format!("instance_url: {error}"))?;
    let own = instance.uri().authority() == base.uri().authority();
    let reach = if own { Reach::Operator } else { Reach::Tenant };
    Ok(Session { version, token: text("access_token")?.to_owned().into(), instance, reach })
}

fn complaint_at_login(received: &Received) -> String {
    let body = json_of(received).unwrap_or_default();
    let parts = ["error", "error_description"].map(|name| body.get(name).map(as_text));
    line(&parts.into_iter().flatten().collect::<Vec<_>>().join(": "))
}

/// The wire of records, in a session.
pub(super) struct Records(pub(super) Session);

impl Provider for Records {
    fn kind(&self) -> Kind {
        Kind::Salesforce
    }

    fn request(&self, call: &Call<'_>) -> Result<Outgoing, String> {
        let object = match call.request.verb.as_str() {
            "task" => "Task",
            "opportunity" => "Opportunity",
            "lead" => "Lead",
            "case" => "Case",
            _ => return Err(call.no_verb()),
        };
        let Session { token, instance, reach, .. } = &self.0;
        let url = below(instance, &format!("/services/data/{VERSION}/sobjects/{object}"))?;
        let outgoing = Outgoing::new(Method::POST, url, *reach).bearer(token)?;
        Ok(outgoing.json()?.body(call.request.params.to_string()))
    }

    fn success(&self, _: &str, received: &Received) -> Result<Success, String> {
        let body = object_of(received)?;
        if body.get("success").and_then(Json::as_bool) == Some(false) {
            return Err(format!("it says that it failed: {}", self.complaint(received)));
        }
        let id = body.get("id").and_then(Json::as_text).ok_or("it names no record")?;
        let response = [("id".to_owned(), id.into())].into_iter().collect();
        Ok(Success { response, message_id: Some(id.to_owned()), ..Success::default() })
    }

    fn complaint(&self, received: &Received) -> String {
        let body = json_of(received).unwrap_or_default();
        let errors = body.as_array().or_else(|| body.get("errors")?.as_array()).unwrap_or_default();
        let text = |error: &Json, name: &str| error.get(name).map(as_text).unwrap_or_default();
        let texts =
            errors.iter().map(|error| format!("{} {}", text(error, "errorCode"), text(error, "message")));
        line(&texts.collect::<Vec<_>>().join("; "))
    }

    fn correct(&self, failure: &mut Failure, _: &Received, _: SystemTime) {
        // Somebody else is writing just now.
        if failure.error.contains("UNABLE_TO_LOCK_ROW") {
            failure.retryable = true;
        }
    }
}
