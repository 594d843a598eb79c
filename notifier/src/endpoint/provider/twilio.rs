//! Twilio: text messages, calls, and how they went (endpoints.md §2).

use std::time::SystemTime;

use domain::integration::Kind;
use domain::json::Json;
use domain::reaction::{Failure, Success};
use hyper::Method;

use super::call::{Call, Headers, as_text, below, form, json_of, line, object_of, segment};
use super::{Provider, Request};
use crate::endpoint::http::{Outgoing, Reach, Received};

pub(super) struct Twilio;

impl Provider for Twilio {
    fn kind(&self) -> Kind {
        Kind::Twilio
    }

    fn request(&self, call: &Call<'_>) -> Result<Outgoing, String> {
        let account = call.integration.need("account")?;
        let root = format!("/2010-04-01/Accounts/{}", segment("account", account)?);
        let ask = |what: &str| -> Result<_, String> {
            let sid = call.need("sid")?;
            Ok((Method::GET, format!("{root}/{what}/{}.json", segment("sid", &sid)?), None))
        };
        let (method, path, fields) = match call.request.verb.as_str() {
            "sms" => (Method::POST, format!("{root}/Messages.json"), Some(sms(call)?)),
            "call" => (Method::POST, format!("{root}/Calls.json"), Some(spoken(call)?)),
            "call-status" => ask("Calls")?,
            "sms-status" => ask("Messages")?,
            _ => return Err(call.no_verb()),
        };
        let outgoing = Outgoing::new(method, below(&call.bases.twilio, &path)?, Reach::Operator)
            .basic(account, call.integration.need("password")?)?;
        match fields {
            Some(fields) => Ok(outgoing.form()?.body(form(fields))),
            None => outgoing.with(hyper::header::ACCEPT, "application/json"),
        }
    }

    fn success(&self, verb: &str, received: &Received) -> Result<Success, String> {
        let body = object_of(received)?;
        let value = |name: &str| body.get(name).cloned().unwrap_or_default();
        let (values, message_id) = match verb {
            "call-status" => {
                // The language says `answered` for what Twilio calls in-progress.
                let status = match value("status") {
                    Json::Text(status) if status == "in-progress" => "answered".into(),
                    status => status,
                };
                (vec![("call-status", status), ("duration", value("duration"))], None)
            }
            "sms-status" => {
                (vec![("sms-status", value("status")), ("error-code", value("error_code"))], None)
            }
            _ => {
                let sid = value("sid");
                let text = sid.as_text().ok_or("it names no sid")?.to_owned();
                (vec![("sid", sid.clone()), ("call-id", sid), ("status", value("status"))], Some(text))
            }
        };
        let response = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Success { response, message_id, ..Success::default() })
    }

    fn complaint(&self, received: &Received) -> String {
        let body = json_of(received).unwrap_or_default();
        let part = |name| body.get(name).map(as_text);
        let message =
            part("message").or_else(|| part("detail")).or_else(|| part("title")).unwrap_or_default();
        match part("code") {
            Some(code) => line(&format!("{code} {message}")),
            None => line(&message),
        }
    }

    fn is_repeatable(&self, verb: &str) -> bool {
        verb.ends_with("-status")
    }

    fn says_where(&self, request: &Request) -> bool {
        !request.verb.ends_with("-status")
    }

    fn correct(&self, failure: &mut Failure, received: &Received, _: SystemTime) {
        // A queue that is full for now.
        let body = json_of(received).unwrap_or_default();
        if matches!(body.get("code").map(as_text).as_deref(), Some("21611" | "22005" | "20429")) {
            (failure.retryable, failure.ambiguous) = (true, false);
        }
    }
}

type Fields = Vec<(&'static str, String)>;

fn ends(call: &Call<'_>) -> Result<Fields, String> {
    Ok(vec![("To", call.need("to-phone-number")?), ("From", call.need("from-phone-number")?)])
}

fn sms(call: &Call<'_>) -> Result<Fields, String> {
    let mut fields = ends(call)?;
    fields.push(("Body", call.need("message")?));
    let callback = call.text("status-callback").or_else(|| call.receipts.map(str::to_owned));
    fields.extend(callback.map(|url| ("StatusCallback", url)));
    Ok(fields)
}

fn spoken(call: &Call<'_>) -> Result<Fields, String> {
    let mut fields = ends(call)?;
    let twiml = match call.text("twil-ml") {
        Some(twiml) => twiml,
        None => format!("<Response><Say>{}</Say></Response>", xml(&call.need("message")?)),
    };
    fields.push(("Twiml", twiml));
    if let Some(url) = call.receipts {
        fields.push(("StatusCallback", url.to_owned()));
        fields.extend(["answered", "completed"].map(|event| ("StatusCallbackEvent", event.to_owned())));
    }
    Ok(fields)
}

/// As text of an XML document; characters that XML cannot have are left out.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}
