//! Zendesk: tickets (endpoints.md §9). It knows idempotency keys.

use std::time::SystemTime;

use domain::integration::Kind;
use domain::json::Json;
use domain::reaction::{Failure, Success};
use hyper::Method;
use hyper::header::HeaderName;

use super::Provider;
use super::call::{Call, Headers, as_list, as_text, below, json_of, label, line, object, object_of};
use super::sendgrid::Address;
use crate::endpoint::http::{Outgoing, Reach, Received, Url};

pub(super) struct Zendesk;

/// So long the official client waits when maintenance does not say for how long.
const MAINTENANCE_MS: u64 = 10_000;

impl Provider for Zendesk {
    fn kind(&self) -> Kind {
        Kind::Zendesk
    }

    fn request(&self, call: &Call<'_>) -> Result<Outgoing, String> {
        if call.request.verb != "ticket" {
            return Err(call.no_verb());
        }
        let base = match &call.bases.zendesk {
            Some(base) => base.clone(),
            None => {
                let subdomain = label("subdomain", call.integration.need("subdomain")?)?;
                Url::parse(&format!("https://{subdomain}.zendesk.com")).map_err(|error| error.to_string())?
            }
        };
        let user = format!("{}/token", call.integration.need("email")?);
        let outgoing = Outgoing::new(Method::POST, below(&base, "/api/v2/tickets.json")?, Reach::Operator)
            .basic(&user, call.integration.need("token")?)?
            .json()?
            .with(HeaderName::from_static("idempotency-key"), call.key())?;
        Ok(outgoing.body(Json::object([("ticket", ticket(call)?)]).to_string()))
    }

    fn success(&self, _: &str, received: &Received) -> Result<Success, String> {
        let body = object_of(received)?;
        let id = body.get("ticket").and_then(|ticket| ticket.get("id")).ok_or("it names no ticket")?;
        let response = [("id".to_owned(), id.clone())].into_iter().collect();
        Ok(Success { response, message_id: Some(as_text(id)), ..Success::default() })
    }

    fn complaint(&self, received: &Received) -> String {
        let body = json_of(received).unwrap_or_default();
        let error = body.get("error").map(|error| as_text(error.get("title").unwrap_or(error)));
        let description = body.get("description").map(as_text);
        let details = body.get("details").map(as_text);
        line(&[error, description, details].into_iter().flatten().collect::<Vec<_>>().join(": "))
    }

    fn is_repeatable(&self, _: &str) -> bool {
        true
    }

    fn correct(&self, failure: &mut Failure, received: &Received, _: SystemTime) {
        match received.status {
            // The same key is still being worked on.
            409 => failure.retryable = true,
            503 => failure.retry_after_ms = failure.retry_after_ms.or(Some(MAINTENANCE_MS)),
            _ => {}
        }
    }
}

fn ticket(call: &Call<'_>) -> Result<Json, String> {
    let requester = match call.get("requester") {
        Some(Json::Object(requester)) => Some(requester.clone().into()),
        Some(other) => {
            let Address { email, name } = Address::parse("requester", &as_text(other))?;
            let name = name.unwrap_or_else(|| email.clone());
            Some(Json::object([("name", name), ("email", email)]))
        }
        None => None,
    };
    let tags =
        call.get("tags").map(|tags| as_list(tags).into_iter().map(Json::from).collect::<Vec<_>>().into());
    Ok(object([
        ("subject", Some(call.need("subject")?.into())),
        ("comment", Some(Json::object([("body", call.need("message")?)]))),
        ("priority", call.text("priority").map(Json::from)),
        ("tags", tags),
        ("requester", requester),
        ("external_id", Some(call.key().into())),
    ]))
}
