//! Asking tenants' servers on behalf of `api` augments, through the one guarded HTTP client.
//!
//! One question has [`LIMIT`], waiting for a turn included, so that a server that hangs holds nobody up for longer.
//! Up to [`REDIRECTS`] redirects are followed, each dialled under the same guard as the first address. An answer may
//! be kept for a while, by key. What is wrong with an answer is said in words, never in its own: it is shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use domain::augment::Options;
use domain::ids::{AugmentId, Position, TenantId};
use domain::json::{Json, Limits, Object, parse};
use eventlog::augment::{Api, Question};
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use hyper::{HeaderMap, Method};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::endpoint::Sent;
use crate::endpoint::http::guard::Malformed;
use crate::endpoint::http::{Http, Outgoing, Reach, Received, Url};

/// How long a question may take, from asking to the end of the answer.
pub const LIMIT: Duration = Duration::from_secs(2);

/// How many redirects are followed.
const REDIRECTS: usize = 3;

/// How many questions of one augment are under way at once.
const AT_ONCE: usize = 32;

/// The longest that an answer is kept, whatever its server says.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How many bytes of answers are kept at most.
const KEPT: usize = 64 << 20;

/// The URL of an augment: as it is given, or of a bare host.
///
/// # Errors
/// What is wrong with it.
pub fn url_of(options: &Options) -> Result<Url, Malformed> {
    match options.url.contains("://") {
        true => Url::parse(&options.url),
        false => Url::parse(&format!("https://{}", options.url)),
    }
}

/// Asks tenants' servers.
pub struct Apis {
    http: Http,
    /// How long an answer is kept that does not say.
    keep: Duration,
    turns: Mutex<HashMap<(TenantId, AugmentId), Arc<Semaphore>>>,
    kept: Mutex<Kept>,
}

impl Apis {
    /// Asks through this client, and keeps answers for so long if they do not say.
    pub fn new(http: Http, keep: Duration) -> Self {
        Self { http, keep, turns: Mutex::default(), kept: Mutex::default() }
    }

    async fn answer(&self, question: Question<'_>) -> Result<(Object, Duration), String> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            let of = (question.tenant.clone(), question.augment.clone());
            turns.entry(of).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
        };
        let _turn = turn.acquire().await.map_err(|error| error.to_string())?;
        let mut url = url_of(question.options).map_err(|error| error.to_string())?;
        let mut body = Some(body(&question).to_string());
        for _ in 0..=REDIRECTS {
            let received = self.send(&url, body.clone()).await?;
            let Some(next) = redirect(&url, &received)? else {
                let keep = lifetime(&received.headers).unwrap_or(self.keep);
                return Ok((attributes(&question, &received)?, keep));
            };
            // "See other" is the one that asks for a GET.
            body = body.filter(|_| received.status != 303);
            url = next;
        }
        Err(format!("it redirected more than {REDIRECTS} times"))
    }

    async fn send(&self, url: &Url, body: Option<String>) -> Result<Received, String> {
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut outgoing = Outgoing::new(method, url.clone(), Reach::Tenant);
        let json = "application/json";
        outgoing = outgoing.header(ACCEPT, json).map_err(|error| error.to_string())?;
        if let Some(body) = body {
            outgoing = outgoing.header(CONTENT_TYPE, json).map_err(|error| error.to_string())?.body(body);
        }
        self.http.send(outgoing, &Sent::default()).await.map_err(|trouble| trouble.to_string())
    }
}

#[async_trait]
impl Api for Apis {
    async fn ask(&self, question: Question<'_>) -> Result<Object, String> {
        let place = question.key.map(|key| Place {
            tenant: question.tenant.clone(),
            augment: question.augment.clone(),
            defined: question.defined,
            key: key.to_owned(),
        });
        if let Some(place) = &place
            && let Some(answer) = self.kept().get(place, Instant::now())
        {
            return Ok(answer);
        }
        let (answer, keep) = timeout(LIMIT, self.answer(question))
            .await
            .map_err(|_| format!("no answer within {} s", LIMIT.as_secs()))??;
        if let Some(place) = place
            && !keep.is_zero()
        {
            self.kept().put(place, answer.clone(), Instant::now() + keep);
        }
        Ok(answer)
    }
}

impl Apis {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is asked: the whole event.
fn body(question: &Question<'_>) -> Json {
    let mut body = Object::new();
    if let Some(key) = question.key {
        body.set("key-attr", key);
    }
    body.set("attributes", question.attributes.clone());
    body.into()
}

/// The attributes that the augment names, out of an answer that is one.
fn attributes(question: &Question<'_>, received: &Received) -> Result<Object, String> {
    if received.status != 200 {
        return Err(format!("answered {}; 200 is expected", received.status));
    }
    let said = received.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = said.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err("the answer is not application/json".into());
    }
    if let Some(cut) = &received.cut {
        return Err(cut.clone());
    }
    let answer = parse(&received.body, Limits::EVENT).map_err(|error| {
        format!("the answer is not acceptable JSON (line {}, column {})", error.line, error.column)
    })?;
    let about = match answer.get("key-attr") {
        Some(Json::Text(text)) => Some(text.as_str()),
        Some(Json::Number(number)) => Some(number.as_str()),
        _ => None,
    };
    if about.is_some() && question.key.is_some() && about != question.key {
        return Err("the answer is about another key-attr".into());
    }
    let all = answer.get("attributes").and_then(Json::as_object);
    let all = all.ok_or("the answer has no object \"attributes\"")?;
    let named = question.options.attributes.iter();
    Ok(named.filter_map(|name| Some((name.clone(), all.get(name)?.clone()))).collect())
}

/// Where an answer sends on to, if it does.
fn redirect(from: &Url, received: &Received) -> Result<Option<Url>, String> {
    if !matches!(received.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = received.headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or("it redirected without saying where")?;
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, authority) = (from.uri().scheme_str().unwrap_or("https"), from.uri().authority());
    let authority = authority.map_or("", |authority| authority.as_str());
    let absolute = if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = from.uri().path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let next = Url::parse(&absolute).map_err(|error| format!("it redirected to what is no URL: {error}"))?;
    if scheme == "https" && next.uri().scheme_str() == Some("http") {
        return Err("it redirected from https to http".into());
    }
    Ok(Some(next))
}

/// How long an answer says that it may be kept; `None` if it says nothing about it.
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let mut lifetime = None;
    for value in headers.get_all(CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            if directive == "no-store" || directive == "no-cache" {
                return Some(Duration::ZERO);
            }
            if let Some(seconds) = directive.strip_prefix("max-age=") {
                // What cannot be read is not kept.
                let seconds = seconds.trim_matches('"').parse().unwrap_or(0);
                lifetime = Some(Duration::from_secs(seconds).min(LONGEST));
            }
        }
    }
    lifetime
}

/// Under what an answer is kept. Another definition of the augment is another place.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    tenant: TenantId,
    augment: AugmentId,
    defined: Position,
    key: String,
}

/// Answers in two generations: what is put goes to the young one; when that is half of [`KEPT`] it becomes the old
/// one, and the old one is let go.
#[derive(Default)]
struct Kept {
    young: HashMap<Place, (Object, Instant)>,
    old: HashMap<Place, (Object, Instant)>,
    bytes: usize,
}

impl Kept {
    fn get(&self, place: &Place, now: Instant) -> Option<Object> {
        let (answer, until) = self.young.get(place).or_else(|| self.old.get(place))?;
        (*until > now).then(|| answer.clone())
    }

    fn put(&mut self, place: Place, answer: Object, until: Instant) {
        self.bytes += 256 + 2 * (place.key.len() + answer.to_string().len());
        if self.bytes > KEPT / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        self.young.insert(place, (answer, until));
    }
}

#[cfg(test)]
mod tests;
