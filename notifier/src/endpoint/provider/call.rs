//! One call of a verb: its parameters and defaults, and the encodings that requests are made of.
//!
//! Nothing from a program gets into a URL, a form or a header but through these functions.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::json::{Duplicates, Json, Limits, Object, parse};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Bases;
use crate::endpoint::Request;
use crate::endpoint::http::{Outgoing, Received, Url};
use crate::endpoint::integration::Integration;

/// A call.
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) integration: &'a Integration,
    /// The customer's key, where the provider wants it and it is known.
    pub(super) customer: Option<&'a str>,
    /// Where the provider is to say later what became of it, if it is to.
    pub(super) receipts: Option<&'a str>,
    pub(super) now: SystemTime,
    pub(super) bases: &'a Bases,
}

impl Call<'_> {
    /// A parameter, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.request.params.get(name)
    }

    /// A parameter as text, if it is there.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(as_text)
    }

    /// A parameter that has to be there and not empty, or the integration's default for it.
    pub(super) fn need(&self, name: &str) -> Result<String, String> {
        let given = self.text(name).filter(|text| !text.is_empty());
        given
            .or_else(|| self.integration.get(name).map(str::to_owned))
            .ok_or_else(|| format!("the parameter :{name} is missing"))
    }

    /// Seconds since 1970.
    pub(super) fn unix(&self) -> u64 {
        self.now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
    }

    /// The idempotency key.
    pub(super) fn key(&self) -> &str {
        &self.request.idempotency_key
    }

    /// That the verb is none of the endpoint's.
    pub(super) fn no_verb(&self) -> String {
        format!("{} has no verb {:?}", self.request.endpoint, self.request.verb)
    }
}

/// A value as text: a string as it is, everything else as JSON.
pub(crate) fn as_text(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A list: of an array, or of a text with commas. Empty elements are left out.
pub(super) fn as_list(value: &Json) -> Vec<String> {
    let elements = match value {
        Json::Array(elements) => elements.iter().map(as_text).collect(),
        other => as_text(other).split(',').map(str::to_owned).collect::<Vec<_>>(),
    };
    elements.iter().map(|element| element.trim().to_owned()).filter(|element| !element.is_empty()).collect()
}

/// An object of those members that have a value.
pub(super) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Option<Json>)>) -> Json {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Json::Object(there.collect())
}

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

/// A text as one segment of a path.
pub(crate) fn segment(name: &str, text: &str) -> Result<String, String> {
    // Dots alone would walk to another path.
    if text.bytes().all(|byte| byte == b'.') {
        return Err(format!("the {name} {text:?} cannot be part of a path"));
    }
    Ok(utf8_percent_encode(text, SEGMENT).to_string())
}

/// A text as a value of a query.
pub(crate) fn query(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// `application/x-www-form-urlencoded`
pub(super) fn form<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let encode = |text: &str| utf8_percent_encode(text, FORM).to_string().replace(' ', "+");
    let pairs = pairs.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(&value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// A label of a host name, from an integration.
pub(crate) fn label(name: &str, text: &str) -> Result<String, String> {
    let good = (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-');
    if good { Ok(text.to_ascii_lowercase()) } else { Err(format!("the integration's {name} is not valid")) }
}

/// `url` with `path` below it.
pub(crate) fn below(base: &Url, path: &str) -> Result<Url, String> {
    base.join(path).map_err(|error| format!("{path}: {error}"))
}

/// Headers, with what goes wrong put into words.
pub(crate) trait Headers: Sized {
    /// A header.
    fn with(self, name: HeaderName, value: &str) -> Result<Self, String>;

    /// A header that holds a secret.
    fn with_secret(self, name: HeaderName, value: &str) -> Result<Self, String>;

    /// `Authorization: Basic`
    fn basic(self, user: &str, password: &str) -> Result<Self, String> {
        self.with_secret(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }

    /// `Authorization: Bearer`
    fn bearer(self, token: &str) -> Result<Self, String> {
        self.with_secret(AUTHORIZATION, &format!("Bearer {token}"))
    }

    /// JSON in, JSON out.
    fn json(self) -> Result<Self, String> {
        self.with(CONTENT_TYPE, "application/json")?.with(ACCEPT, "application/json")
    }

    /// A form in, JSON out.
    fn form(self) -> Result<Self, String> {
        self.with(CONTENT_TYPE, "application/x-www-form-urlencoded")?.with(ACCEPT, "application/json")
    }
}

impl Headers for Outgoing {
    fn with(self, name: HeaderName, value: &str) -> Result<Self, String> {
        let problem = format!("the header {name} cannot hold this value: it has a line end or the like");
        self.header(name, value).map_err(|_| problem)
    }

    fn with_secret(self, name: HeaderName, value: &str) -> Result<Self, String> {
        let problem = format!("the header {name} cannot hold the integration's value");
        self.secret_header(name, value).map_err(|_| problem)
    }
}

/// The JSON of an answer, if it is such.
pub(super) fn json_of(received: &Received) -> Option<Json> {
    parse(&received.body, Limits { depth: 64, duplicates: Duplicates::LastCounts }).ok()
}

/// The object of an answer.
pub(super) fn object_of(received: &Received) -> Result<Object, String> {
    match json_of(received) {
        Some(Json::Object(object)) => Ok(object),
        _ => Err("the answer is no JSON object".to_owned()),
    }
}

/// The longest complaint that is passed on, in characters.
const LONGEST: usize = 500;

/// What somebody else says, as one line of bounded length.
pub(crate) fn line(text: &str) -> String {
    let line: String = text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().to_owned()
}
