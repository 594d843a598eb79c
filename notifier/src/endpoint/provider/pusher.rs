//! Pusher Channels: trigger an event (endpoints.md §7.1). The request is signed in its query.

use domain::integration::Kind;
use domain::json::{Json, Object};
use domain::reaction::Success;
use hmac::{Hmac, Mac};
use hyper::Method;
use hyper::header::CONTENT_TYPE;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::Provider;
use super::call::{Call, Headers, as_text, below, label, line, query, segment};
use crate::endpoint::http::{Outgoing, Reach, Received, Url};

pub(super) struct Pusher;

impl Provider for Pusher {
    fn kind(&self) -> Kind {
        Kind::Pusher
    }

    fn request(&self, call: &Call<'_>) -> Result<Outgoing, String> {
        if call.request.verb != "trigger" {
            return Err(call.no_verb());
        }
        let integration = call.integration;
        let app = segment("app-id", integration.need("app-id")?)?;
        let url = below(&base(call)?, &format!("/apps/{app}/events"))?;
        let body = body(call)?.to_string();
        let signed = [
            ("auth_key", integration.need("key")?.to_owned()),
            ("auth_timestamp", call.unix().to_string()),
            ("auth_version", "1.0".to_owned()),
            ("body_md5", hex::encode(Md5::digest(&body))),
        ];
        let plain: Vec<_> = signed.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let text = format!("POST\n{}\n{}", url.uri().path(), plain.join("&"));
        let signature = hex::encode(hmac(integration.need("secret")?.as_bytes(), text.as_bytes()));
        let encoded: Vec<_> = signed.iter().map(|(name, value)| format!("{name}={}", query(value))).collect();
        let url = url
            .with_query(&format!("{}&auth_signature={signature}", encoded.join("&")))
            .map_err(|error| error.to_string())?;
        Outgoing::new(Method::POST, url, Reach::Operator)
            .with(CONTENT_TYPE, "application/json")
            .map(|outgoing| outgoing.body(body))
    }

    fn success(&self, _: &str, _: &Received) -> Result<Success, String> {
        Ok(Success::default())
    }

    fn complaint(&self, received: &Received) -> String {
        line(&String::from_utf8_lossy(&received.body))
    }
}

fn base(call: &Call<'_>) -> Result<Url, String> {
    if let Some(base) = &call.bases.pusher {
        return Ok(base.clone());
    }
    let host = match call.integration.get("cluster") {
        Some(cluster) => format!("api-{}.pusher.com", label("cluster", cluster)?),
        None => "api.pusherapp.com".to_owned(),
    };
    Url::parse(&format!("https://{host}")).map_err(|error| error.to_string())
}

fn body(call: &Call<'_>) -> Result<Json, String> {
    let channel = call.need("channel")?;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=@,.;".contains(&byte);
    if channel.len() > 200 || !channel.bytes().all(good) {
        return Err("the parameter :channel is no channel's name".to_owned());
    }
    let mut body = Object::new();
    body.set("name", call.need("event")?);
    body.set("channels", vec![channel.into()]);
    // A text, whatever is in it: JSON in JSON.
    body.set("data", call.get("data").map(as_text).unwrap_or_default());
    if let Some(socket) = call.text("socket-id") {
        body.set("socket_id", socket);
    }
    Ok(body.into())
}

pub(crate) fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
