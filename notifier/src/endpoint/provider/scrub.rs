//! No secret comes back in what is recorded: a provider may repeat in an answer what it was sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::integration::MASK;
use domain::json::{Json, Object};
use domain::reaction::{Answer, Success};
use zeroize::Zeroizing;

use super::super::http::Outgoing;
use super::super::integration::Integration;

/// What is taken out of answers.
pub(crate) struct Scrub(Vec<Zeroizing<String>>);

/// Shorter ones than this are no secrets, and would make holes in plain text.
const SHORTEST: usize = 4;

fn secrets(integration: &Integration) -> Vec<Zeroizing<String>> {
    let encoded = integration.secrets().map(|secret| Zeroizing::new(STANDARD.encode(secret)));
    integration.secrets().map(|secret| Zeroizing::new(secret.to_owned())).chain(encoded).collect()
}

impl Scrub {
    /// The secrets of an integration, and what a request carried of them.
    pub(super) fn new(integration: &Integration, outgoing: &Outgoing) -> Self {
        let mut secrets = secrets(integration);
        for value in outgoing.headers.values().filter(|value| value.is_sensitive()) {
            let value = value.to_str().unwrap_or_default();
            // Without its scheme: `Bearer`, `Basic`.
            let value = value.split_once(' ').map_or(value, |(_, value)| value);
            secrets.push(Zeroizing::new(value.to_owned()));
        }
        Self::sorted(secrets)
    }

    /// The secrets of an integration.
    pub(crate) fn of(integration: &Integration) -> Self {
        Self::sorted(secrets(integration))
    }

    /// The same with the secret part of an address for receipts.
    pub(super) fn and_address(mut self, address: Option<&str>) -> Self {
        let secret = address.and_then(|url| url.split('?').next()?.rsplit('/').next());
        self.0.extend(secret.map(|secret| Zeroizing::new(secret.to_owned())));
        Self::sorted(self.0)
    }

    fn sorted(mut secrets: Vec<Zeroizing<String>>) -> Self {
        secrets.retain(|secret| secret.len() >= SHORTEST);
        // Longer ones first: one may be part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self(secrets)
    }

    /// An answer without them.
    pub(super) fn answer(&self, answer: Answer) -> Answer {
        match answer {
            Answer::Succeeded(success) => Answer::Succeeded(Success {
                response: self.object(success.response),
                message_id: success.message_id.map(|id| self.text(&id)),
                ..success
            }),
            Answer::Failed(mut failure) => {
                failure.error = self.text(&failure.error);
                Answer::Failed(failure)
            }
        }
    }

    /// A text without them.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), MASK);
            }
        }
        text
    }

    fn object(&self, object: Object) -> Object {
        let mut clean = Object::new();
        for (name, value) in object.iter() {
            clean.set(self.text(name), self.json(value));
        }
        clean
    }

    fn json(&self, value: &Json) -> Json {
        match value {
            Json::Text(text) => Json::Text(self.text(text)),
            Json::Array(elements) => Json::Array(elements.iter().map(|element| self.json(element)).collect()),
            Json::Object(object) => Json::Object(self.object(object.clone())),
            other => other.clone(),
        }
    }
}
