//! Webhooks: a POST to a tenant's own URL, signed as Standard Webhooks 1.0 says (endpoints.md §10).
//!
//! The URL is the tenant's, so it reaches public addresses only. The id is the same for all attempts, so that the
//! receiver can tell a repeat; the timestamp is each attempt's own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::integration::Kind;
use domain::json::{Duplicates, Json, Limits, Object, parse};
use domain::reaction::Success;
use hyper::Method;
use hyper::header::{self, CONTENT_TYPE, HeaderName};

use super::Provider;
use super::call::{Call, Headers, as_text, json_of, line};
use super::pusher::hmac;
use crate::endpoint::http::{Outgoing, Reach, Received, Url};

pub(super) struct Webhook;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Fields of a longer answer than this are not taken for response values: they would all go into the log.
const FIELDS: usize = 64 * 1_024;

impl Provider for Webhook {
    fn kind(&self) -> Kind {
        Kind::Webhook
    }

    fn request(&self, call: &Call<'_>) -> Result<Outgoing, String> {
        if call.request.verb != "post" {
            return Err(call.no_verb());
        }
        let url = Url::parse(&call.need("url")?).map_err(|error| format!("the parameter :url: {error}"))?;
        let body = call.text("body").ok_or("the parameter :body is missing")?;
        let is_json =
            parse(body.as_bytes(), Limits { depth: 64, duplicates: Duplicates::LastCounts }).is_ok();
        let content = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
        let mut outgoing = Outgoing::new(Method::POST, url, Reach::Tenant).with(CONTENT_TYPE, content)?;
        for (name, value) in &call.integration.headers {
            outgoing = outgoing.with_secret(own(name)?, value)?;
        }
        if let Some(headers) = call.get("headers") {
            let headers = headers.as_object().ok_or("the parameter :headers has to be a map")?;
            for (name, value) in headers.iter() {
                outgoing = outgoing.with(own(name)?, &as_text(value))?;
            }
        }
        signed(outgoing, call, &body).map(|outgoing| outgoing.body(body))
    }

    fn success(&self, _: &str, received: &Received) -> Result<Success, String> {
        let whole = received.cut.is_none() && received.body.len() <= FIELDS;
        let mut response = match json_of(received).filter(|_| whole) {
            Some(Json::Object(fields)) => fields,
            _ => Object::new(),
        };
        response.set("status", u64::from(received.status));
        Ok(Success { response, ..Success::default() })
    }

    fn complaint(&self, received: &Received) -> String {
        line(&String::from_utf8_lossy(&received.body))
    }

    fn is_repeatable(&self, _: &str) -> bool {
        true
    }
}

/// A header that may be set: not those that say how the request itself is to be read, nor the signature's own.
fn own(name: &str) -> Result<HeaderName, String> {
    let header =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is no header's name"))?;
    let taken = [
        header::HOST,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
        header::TE,
        header::TRAILER,
        header::EXPECT,
        header::PROXY_AUTHORIZATION,
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("keep-alive"),
        ID,
        TIMESTAMP,
        SIGNATURE,
    ];
    if taken.contains(&header) { Err(format!("the header {header} cannot be set")) } else { Ok(header) }
}

fn signed(outgoing: Outgoing, call: &Call<'_>, body: &str) -> Result<Outgoing, String> {
    // A dot would end the id in what is signed.
    let id = call.key().replace('.', "-");
    let timestamp = call.unix();
    let outgoing = outgoing.with(ID, &id)?.with(TIMESTAMP, &timestamp.to_string())?;
    let Some(secret) = call.integration.get("secret") else { return Ok(outgoing) };
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| "the integration's secret is not base64")?,
        None => secret.as_bytes().to_vec(),
    };
    let signature = STANDARD.encode(hmac(&key, format!("{id}.{timestamp}.{body}").as_bytes()));
    outgoing.with(SIGNATURE, &format!("v1,{signature}"))
}
