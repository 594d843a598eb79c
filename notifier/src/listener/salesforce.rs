//! Salesforce Streaming: a topic over Bayeux long polling.
//!
//! The replay id of the last event is written down after the door has taken it, and each subscription begins after
//! it. An exchange that broke is not repeated: what was in the answer would be lost, since the server holds it for
//! delivered. A new handshake and a replay bring it again, and the door takes nothing twice.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use domain::json::{Json, Object, parse};
use domain::time::Stamp;
use hyper::header::{COOKIE, DATE, SET_COOKIE};
use hyper::{HeaderMap, Method};
use tokio::time::timeout;

use super::bayeux::{
    self, Advice, LIMITS, Reconnect, Refusal, Replay, SHORT, channel, complaint, is_successful, refusal,
};
use super::ear::{Ear, Heard, unreadable};
use super::kept::{self, Place};
use super::pace::{End, Pace};
use crate::endpoint::http::{Http, Outgoing};
use crate::endpoint::integration::Integration;
use crate::endpoint::provider::call::{Headers, as_text, below};
use crate::endpoint::provider::salesforce::{Session, log_in};

/// The largest answer: a day's events may come at once.
const LARGEST: usize = 64 << 20;

/// How long an answer may take, but for that to a connect, and how much longer that may take than the server says.
const PATIENCE: Duration = Duration::from_secs(30);

/// A listener that was enabled so lately has missed nothing.
const FRESH: i64 = 40_000;

/// After a token that was refused as soon as it was given.
const REFUSED: Pace = Pace::doubling(30, 900);

#[derive(Default)]
pub(super) struct Salesforce {
    login: Option<Session>,
    /// The session, which the server may still hold when it is over for us.
    client: Option<String>,
    version: String,
    cookies: Cookies,
    sequence: u64,
}

/// What an exchange gave.
struct Answer {
    messages: Vec<Json>,
    /// What time it is for the server.
    date: Option<Stamp>,
}

impl Salesforce {
    pub(super) async fn session(&mut self, ear: &mut Ear, integration: &Integration) -> End {
        self.listen(ear, integration).await.unwrap_or_else(|end| end)
    }

    /// Tells the server that nobody listens any more.
    pub(super) async fn leave(&mut self, http: &Http) {
        if let Some(client) = self.client.take() {
            // It is a courtesy: the server finds out by itself.
            let left = self.exchange(http, bayeux::disconnect(&client), PATIENCE).await;
            tracing::debug!(left = left.is_ok(), "a Salesforce session was left");
        }
    }

    async fn listen(&mut self, ear: &mut Ear, integration: &Integration) -> Result<End, End> {
        let (topic, version) = (ear.option("topic")?, ear.option("version")?);
        self.version = version;
        let http = ear.tools.outside.http.clone();
        let fresh_login = self.login.is_none();
        if fresh_login {
            let login = log_in(&ear.tools.outside, integration).await.map_err(|failure| {
                if failure.retryable { End::later(SHORT, failure.error) } else { End::never(failure.error) }
            })?;
            self.login = Some(login);
        }
        self.leave(&http).await;
        self.cookies = Cookies::default();
        let mut advice = Advice::default();
        let (client, replays) = self
            .handshake(&http, &mut advice)
            .await
            .map_err(|refused| self.refused("handshake", refused, fresh_login))?;
        self.client = Some(client.clone());
        let topic = Topic::of(&topic, self.login.as_ref());
        let place = self.subscribe(ear, &client, &topic, replays, fresh_login).await?;
        self.connect(ear, &client, topic, place, advice).await
    }

    /// What a refusal means for the session.
    fn refused(&mut self, step: &str, refused: Refused, fresh_login: bool) -> End {
        let message = match refused {
            Refused::End(end) => return end,
            Refused::Message(message) => message,
        };
        let why = format!("{step}: {}", complaint(&message));
        match refusal(step, &message) {
            Refusal::Token => {
                self.login = None;
                // A token that has just been given is not mended by another one.
                if fresh_login { End::later(REFUSED, why) } else { End::at_once(why) }
            }
            Refusal::Session => {
                self.client = None;
                End::later(Pace::doubling(0, 30), why)
            }
            Refusal::Place => End::later(SHORT, why),
            Refusal::Other(end) => end,
        }
    }

    async fn handshake(&mut self, http: &Http, advice: &mut Advice) -> Result<(String, bool), Refused> {
        let answer = self.exchange(http, bayeux::handshake(), PATIENCE).await.map_err(Refused::End)?;
        let message = answer.of("/meta/handshake").map_err(Refused::End)?;
        advice.heed(message);
        let client = message.get("clientId").and_then(Json::as_text);
        match client.filter(|_| is_successful(message)) {
            Some(client) => {
                let replays = message.get("ext").and_then(|ext| ext.get("replay")?.as_bool()) == Some(true);
                Ok((client.to_owned(), replays))
            }
            None => Err(Refused::Message(message.clone())),
        }
    }

    /// Subscribes from where the listener was, and takes in what comes with the answer.
    async fn subscribe(
        &mut self,
        ear: &mut Ear,
        client: &str,
        topic: &Topic,
        replays: bool,
        fresh_login: bool,
    ) -> Result<Place, End> {
        let http = ear.tools.outside.http.clone();
        let kept = topic.place(ear).await?;
        let mut from = topic.from(kept.as_ref(), ear);
        loop {
            let asked = bayeux::subscribe(client, &topic.channel, replays.then_some(from));
            let answer = self.exchange(&http, asked, PATIENCE).await?;
            let message = answer.of("/meta/subscribe")?;
            if !is_successful(message) {
                if refusal("subscribe", message) == Refusal::Place && from != Replay::All {
                    // The door takes nothing twice, so all of it is better than a gap.
                    from = Replay::All;
                    continue;
                }
                return Err(self.refused("subscribe", Refused::Message(message.clone()), fresh_login));
            }
            let since = match from {
                Replay::New => answer.date.unwrap_or_else(|| ear.tools.record.now()),
                Replay::All | Replay::After(_) => ear.known.since,
            };
            let new = Place { within: topic.within.clone(), since, last: None };
            let mut place = kept.unwrap_or(new);
            topic.keep(ear, &place).await?;
            let without =
                if replays { "" } else { " (without replay: what comes while it is not connected is lost)" };
            ear.started(format!("Connected to topic: {}{without}", topic.name));
            topic.take(ear, &answer.messages, &mut place).await?;
            return Ok(place);
        }
    }

    /// Asks for events again and again.
    async fn connect(
        &mut self,
        ear: &mut Ear,
        client: &str,
        topic: Topic,
        mut place: Place,
        mut advice: Advice,
    ) -> Result<End, End> {
        let http = ear.tools.outside.http.clone();
        loop {
            let limit = Duration::from_millis(advice.timeout) + PATIENCE;
            let answer = self.exchange(&http, bayeux::connect(client), limit).await?;
            // Events first: whatever else the answer says, they have come.
            topic.take(ear, &answer.messages, &mut place).await?;
            let message = answer.of("/meta/connect")?;
            advice.heed(message);
            if !is_successful(message) {
                return Err(self.refused("connect", Refused::Message(message.clone()), false));
            }
            ear.heard();
            match advice.reconnect {
                Reconnect::Retry => tokio::time::sleep(Duration::from_millis(advice.interval)).await,
                Reconnect::Handshake => {
                    self.client = None;
                    return Ok(End::at_once("the server asked for a new handshake"));
                }
                Reconnect::None => {
                    (self.client, self.login) = (None, None);
                    return Ok(End::later(SHORT, "the server asked to stop"));
                }
            }
        }
    }

    /// One message out, all messages in.
    async fn exchange(&mut self, http: &Http, message: Object, limit: Duration) -> Result<Answer, End> {
        let broken = |why: String| End::later(SHORT, why);
        let outgoing = self.outgoing(message).map_err(End::never)?;
        let exchange = async {
            let mut opened = http.open(outgoing).await.map_err(|trouble| broken(trouble.to_string()))?;
            let body =
                opened.all(LARGEST).await.map_err(|why| broken(format!("the connection broke: {why}")))?;
            Ok((opened.status, opened.headers, body))
        };
        let (status, headers, body) = timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(broken(format!("no answer came within {} s", limit.as_secs()))))?;
        self.cookies.keep(&headers);
        if status == 401 {
            self.login = None;
            return Err(End::later(SHORT, "the session with Salesforce is over"));
        }
        // Some early refusals are 4xx with the same array in them.
        let Ok(Json::Array(messages)) = parse(&body, LIMITS) else {
            return Err(broken(format!("answered {status}, and no Bayeux messages")));
        };
        Ok(Answer { messages, date: date(&headers) })
    }

    fn outgoing(&mut self, mut message: Object) -> Result<Outgoing, String> {
        let login = self.login.as_ref().ok_or("not logged in")?;
        self.sequence += 1;
        message.set("id", self.sequence.to_string());
        let url = below(&login.instance, &format!("/cometd/{}", self.version))?;
        let mut outgoing = Outgoing::new(Method::POST, url, login.reach).bearer(&login.token)?.json()?;
        if let Some(cookies) = self.cookies.header() {
            outgoing = outgoing.with_secret(COOKIE, &cookies)?;
        }
        Ok(outgoing.body(Json::Array(vec![message.into()]).to_string()))
    }
}

/// Why a step did not succeed: no sound answer, or a message that says so.
enum Refused {
    End(End),
    Message(Json),
}

impl Answer {
    fn of(&self, wanted: &str) -> Result<&Json, End> {
        let found = self.messages.iter().find(|message| channel(message) == wanted);
        found.ok_or_else(|| End::later(SHORT, format!("the answer has no {wanted}")))
    }
}

fn date(headers: &HeaderMap) -> Option<Stamp> {
    let time: SystemTime = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    Some(Stamp(i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?))
}

/// What is listened to.
struct Topic {
    name: String,
    channel: String,
    /// In which places are places: the topic of one instance.
    within: String,
}

impl Topic {
    fn of(name: &str, login: Option<&Session>) -> Self {
        let instance = login.and_then(|login| login.instance.uri().authority()).map(ToString::to_string);
        let within = format!("{}/{name}", instance.unwrap_or_default());
        Self { name: name.to_owned(), channel: format!("/topic/{name}"), within }
    }

    async fn place(&self, ear: &Ear) -> Result<Option<Place>, End> {
        let place = kept::place(&*ear.tools.checkpoints, &ear.key, &self.within).await;
        place.map_err(|error| unreadable(&error))
    }

    async fn keep(&self, ear: &Ear, place: &Place) -> Result<(), End> {
        let kept = kept::keep_place(&*ear.tools.checkpoints, &ear.key, Some(place)).await;
        kept.map_err(|error| unreadable(&error))
    }

    /// Where a subscription begins.
    fn from(&self, place: Option<&Place>, ear: &Ear) -> Replay {
        match place {
            Some(Place { last: Some(last), .. }) => Replay::After(*last),
            Some(_) => Replay::All,
            None if ear.tools.record.now().0 - ear.known.since.0 <= FRESH => Replay::New,
            None => Replay::All,
        }
    }

    /// Takes the events among messages in, then writes the place down.
    async fn take(&self, ear: &mut Ear, messages: &[Json], place: &mut Place) -> Result<(), End> {
        let mut heard = Vec::new();
        let mut last = place.last;
        for message in messages.iter().filter(|message| channel(message) == self.channel) {
            let Some(data) = message.get("data") else { continue };
            let event = data.get("event");
            let id = event.and_then(|event| match event.get("replayId")? {
                Json::Number(number) => number.as_str().parse::<i64>().ok(),
                _ => None,
            });
            last = last.max(id);
            let created = event.and_then(|event| event.get("createdDate")).map(as_text);
            let created = created.and_then(|created| Stamp::from_rfc3339(&created));
            // Of all that is kept, only what came since it began to listen.
            if place.last.is_none() && created.is_some_and(|created| created < place.since) {
                continue;
            }
            heard.push(Heard {
                event: data.get("sobject").unwrap_or(data).clone(),
                around: data.clone(),
                id: id.map(|id| format!("{} {id}", self.within)),
            });
        }
        ear.take(heard).await?;
        if last != place.last {
            place.last = last;
            self.keep(ear, place).await?;
        }
        Ok(())
    }
}

/// The cookies of a session.
#[derive(Default)]
struct Cookies(BTreeMap<String, String>);

impl Cookies {
    fn keep(&mut self, headers: &HeaderMap) {
        for value in headers.get_all(SET_COOKIE) {
            let pair = value.to_str().ok().and_then(|text| text.split(';').next()?.split_once('='));
            if let Some((name, value)) = pair {
                self.0.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }

    fn header(&self) -> Option<String> {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}
