//! SendGrid: e-mail by its v3 API (endpoints.md §3). An account's password is taken for an API key: SendGrid takes
//! no other password any more.

use std::collections::HashSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::integration::Kind;
use domain::json::{Json, Object};
use domain::reaction::{Failure, Success};
use hyper::Method;

use super::Provider;
use super::call::{Call, Headers, as_list, as_text, below, json_of, line, object};
use crate::endpoint::http::{Outgoing, Reach, Received};

pub(super) struct Sendgrid;

impl Provider for Sendgrid {
    fn kind(&self) -> Kind {
        Kind::Sendgrid
    }

    fn request(&self, call: &Call<'_>) -> Result<Outgoing, String> {
        if call.request.verb != "email" {
            return Err(call.no_verb());
        }
        let key = call.integration.get("api-key").map_or_else(|| call.integration.need("password"), Ok)?;
        let url = below(&call.bases.sendgrid, "/v3/mail/send")?;
        Ok(Outgoing::new(Method::POST, url, Reach::Operator)
            .bearer(key)?
            .json()?
            .body(mail(call)?.to_string()))
    }

    fn success(&self, _: &str, received: &Received) -> Result<Success, String> {
        let id = received.headers.get("x-message-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let response = id.iter().map(|id| ("message-id".to_owned(), id.as_str().into())).collect();
        Ok(Success { response, message_id: id, ..Success::default() })
    }

    fn complaint(&self, received: &Received) -> String {
        let body = json_of(received).unwrap_or_default();
        let errors = body.get("errors").and_then(Json::as_array).unwrap_or_default();
        let texts = errors.iter().map(|error| match error.get("field").and_then(Json::as_text) {
            Some(field) => format!("{field}: {}", error.get("message").map(as_text).unwrap_or_default()),
            None => as_text(error.get("message").unwrap_or(error)),
        });
        line(&texts.collect::<Vec<_>>().join("; "))
    }

    fn correct(&self, failure: &mut Failure, received: &Received, now: SystemTime) {
        if received.status != 429 || failure.retry_after_ms.is_some() {
            return;
        }
        let reset = received.headers.get("x-ratelimit-reset").and_then(|at| at.to_str().ok()?.parse().ok());
        let wait =
            reset.map(|at| (UNIX_EPOCH + Duration::from_secs(at)).duration_since(now).unwrap_or_default());
        failure.retry_after_ms = wait.and_then(|wait| wait.as_millis().try_into().ok());
    }
}

fn mail(call: &Call<'_>) -> Result<Json, String> {
    let mut seen = HashSet::new();
    // SendGrid refuses an address that comes twice.
    let mut all = |name: &str| -> Result<Option<Json>, String> {
        let Some(list) = call.get(name).map(as_list) else { return Ok(None) };
        let mut addresses = Vec::new();
        for text in list {
            let address = Address::parse(name, &text)?;
            if seen.insert(address.email.to_lowercase()) {
                addresses.push(address.json());
            }
        }
        Ok((!addresses.is_empty()).then_some(Json::Array(addresses)))
    };
    let to = all("to")?.ok_or("the parameter :to is missing")?;
    let (cc, bcc) = (all("cc")?, all("bcc")?);
    let recipients = object([
        ("to", Some(to)),
        ("cc", cc),
        ("bcc", bcc),
        ("custom_args", Some(Json::object([("notification_id", call.key())]))),
    ]);
    let part = |kind: &str, value: String| Json::object([("type", kind), ("value", &value)]);
    let html = call.text("html").filter(|html| !html.is_empty());
    let content = [Some(part("text/plain", call.need("message")?)), html.map(|html| part("text/html", html))];
    let reply_to = match call.text("reply-to") {
        Some(text) => Some(Address::parse("reply-to", &text)?.json()),
        None => None,
    };
    Ok(object([
        ("personalizations", Some(vec![recipients].into())),
        ("from", Some(Address::parse("from", &call.need("from")?)?.json())),
        ("reply_to", reply_to),
        ("subject", Some(call.need("subject")?.into())),
        ("content", Some(content.into_iter().flatten().collect::<Vec<_>>().into())),
    ]))
}

/// A mail address, with or without a name: `ops@example.com`, `Ops <ops@example.com>`.
pub(super) struct Address {
    pub(super) email: String,
    pub(super) name: Option<String>,
}

impl Address {
    pub(super) fn parse(param: &str, text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, email) = match text.strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, email)) => (Some(name.trim().trim_matches('"').to_owned()), email.trim()),
            None => (None, text),
        };
        let good = email
            .split_once('@')
            .is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'))
            && !email.contains(|c: char| c.is_whitespace() || c.is_control() || ",;<>\"".contains(c))
            && !text.contains(char::is_control);
        if !good {
            return Err(format!("the parameter :{param} is no mail address"));
        }
        Ok(Self { email: email.to_owned(), name: name.filter(|name| !name.is_empty()) })
    }

    fn json(&self) -> Json {
        let mut object = Object::new();
        object.set("email", self.email.as_str());
        if let Some(name) = &self.name {
            object.set("name", name.as_str());
        }
        object.into()
    }
}
