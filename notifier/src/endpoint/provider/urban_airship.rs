//! Airship, once Urban Airship: push notifications (endpoints.md §6).

use domain::integration::Kind;
use domain::json::Json;
use domain::reaction::Success;
use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE};

use super::Provider;
use super::call::{Call, Headers, as_list, as_text, below, json_of, line, object_of};
use crate::endpoint::Request;
use crate::endpoint::http::{Outgoing, Reach, Received};

pub(super) struct UrbanAirship;

/// The parameters that say who is to get it.
const AUDIENCES: [&str; 4] = ["audience", "named-user", "channel", "tag"];

impl Provider for UrbanAirship {
    fn kind(&self) -> Kind {
        Kind::UrbanAirship
    }

    fn request(&self, call: &Call<'_>) -> Result<Outgoing, String> {
        if call.request.verb != "push" {
            return Err(call.no_verb());
        }
        let integration = call.integration;
        let user = integration.get("username").map_or_else(|| integration.need("account"), Ok)?;
        let body = Json::object([
            ("audience", audience(call)?),
            ("device_types", device_types(call.get("device-types"))),
            ("notification", Json::object([("alert", call.need("message")?)])),
        ]);
        Ok(Outgoing::new(Method::POST, below(&call.bases.airship, "/api/push")?, Reach::Operator)
            .basic(user, integration.need("password")?)?
            .with(CONTENT_TYPE, "application/json")?
            .with(ACCEPT, "application/vnd.urbanairship+json; version=3")?
            .body(body.to_string()))
    }

    fn success(&self, _: &str, received: &Received) -> Result<Success, String> {
        let body = object_of(received)?;
        let first = body.get("push_ids").and_then(Json::as_array).and_then(<[Json]>::first);
        let id = first.or_else(|| body.get("operation_id")).ok_or("it names no push")?;
        let response = [("push-id".to_owned(), id.clone())].into_iter().collect();
        Ok(Success { response, message_id: Some(as_text(id)), ..Success::default() })
    }

    fn complaint(&self, received: &Received) -> String {
        let body = json_of(received).unwrap_or_default();
        let code = body.get("error_code").map(as_text);
        let error = body.get("error").map(as_text);
        let detail = body.get("details").and_then(|details| details.get("error")).map(as_text);
        line(&[code, error, detail].into_iter().flatten().collect::<Vec<_>>().join(" "))
    }

    fn wants_customer(&self, request: &Request) -> bool {
        AUDIENCES.iter().all(|name| request.params.get(name).is_none())
    }
}

/// Who is to get it: who is named, else the named user of the customer's key.
fn audience(call: &Call<'_>) -> Result<Json, String> {
    if let Some(audience) = call.get("audience") {
        return Ok(audience.clone());
    }
    for (param, selector) in [("named-user", "named_user"), ("channel", "channel"), ("tag", "tag")] {
        if let Some(value) = call.text(param) {
            return Ok(Json::object([(selector, value)]));
        }
    }
    let customer = call.customer.ok_or("the customer is not known, so :named-user has to be there")?;
    Ok(Json::object([("named_user", customer)]))
}

fn device_types(given: Option<&Json>) -> Json {
    match given.map(as_list) {
        Some(types) if types != ["all"] => types.into_iter().map(Json::from).collect::<Vec<_>>().into(),
        _ => "all".into(),
    }
}
