//! Pusher Channels: a channel over its web-socket protocol 7.
//!
//! There is no history and events have no id: what is sent while we are not connected is lost, and nothing that
//! came is sent again.

use std::time::Duration;

use domain::json::{Json, Object, parse};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Message;

use super::ear::{Ear, Heard, LIMITS};
use super::pace::{End, Pace};
use crate::endpoint::http::{Reach, Socket, Url};
use crate::endpoint::integration::Integration;
use crate::endpoint::provider::call::{as_text, below, label, line, query, segment};
use crate::endpoint::provider::pusher::hmac;

/// How long the server may take to greet, to accept a subscription, and to answer a ping.
const PATIENCE: Duration = Duration::from_secs(30);

/// After so much silence it is asked whether it is still there, if it does not say less.
const SILENCE: u64 = 120;

const TOGETHER: usize = 500;

const BACK_OFF: Pace = Pace::doubling(1, 120);

pub(super) struct Pusher;

/// A frame.
struct Frame {
    event: String,
    channel: String,
    data: Json,
    whole: Json,
}

impl Frame {
    fn read(text: &str) -> Option<Self> {
        let whole = parse(text.as_bytes(), LIMITS).ok()?;
        let word = |name: &str| whole.get(name).and_then(Json::as_text).unwrap_or_default().to_owned();
        let (event, channel) = (word("event"), word("channel"));
        // JSON in JSON; a text that is none stays a text.
        let data = match whole.get("data") {
            Some(Json::Text(text)) => parse(text.as_bytes(), LIMITS).unwrap_or_else(|_| text.as_str().into()),
            Some(data) => data.clone(),
            None => Json::Null,
        };
        (!event.is_empty()).then_some(Self { event, channel, data, whole })
    }
}

/// A frame to send.
fn frame(event: &str, data: Object) -> Message {
    let mut frame = Object::new();
    frame.set("event", event);
    frame.set("data", data);
    Message::text(Json::from(frame).to_string())
}

/// What a close code means.
fn closed(code: Option<u16>, reason: &str) -> End {
    let code_text = code.map(|code| format!(" with {code}")).unwrap_or_default();
    let why = line(&format!("the connection was closed{code_text} {reason}"));
    match code {
        Some(4000..=4099 | 4300..=4399) => End::never(why),
        Some(4200..=4299) => End::at_once(why),
        _ => End::later(BACK_OFF, why),
    }
}

impl Pusher {
    pub(super) async fn session(&mut self, ear: &mut Ear, integration: &Integration) -> End {
        listen(ear, integration).await.unwrap_or_else(|end| end)
    }
}

fn address(ear: &Ear, integration: &Integration) -> Result<Url, String> {
    let key = integration.need("key")?;
    let base = match (&ear.tools.outside.bases.pusher, integration.get("cluster")) {
        (Some(base), _) => base.clone(),
        (None, Some(cluster)) => known(&format!("ws-{}.pusher.com", label("cluster", cluster)?))?,
        (None, None) => known("ws.pusherapp.com")?,
    };
    let asked = format!("protocol=7&client=cxengage&version={}", query(env!("CARGO_PKG_VERSION")));
    below(&base, &format!("/app/{}", segment("key", key)?))?.with_query(&asked).map_err(|e| e.to_string())
}

fn known(host: &str) -> Result<Url, String> {
    Url::parse(&format!("https://{host}")).map_err(|error| error.to_string())
}

async fn listen(ear: &mut Ear, integration: &Integration) -> Result<End, End> {
    let url = address(ear, integration).map_err(End::never)?;
    let channel = ear.option("channel")?;
    let wanted = ear.known.definition.option("event").map(str::to_owned);
    let socket = ear.tools.outside.http.web_socket(&url, Reach::Operator).await;
    let socket = socket.map_err(|unopened| End::later(BACK_OFF, unopened.to_string()))?;
    let mut line = Line::new(socket, channel, wanted);
    loop {
        let frames = line.next().await?;
        let mut heard = Vec::new();
        let mut ended = None;
        for text in frames {
            match line.hear(ear, integration, &text).await {
                Ok(event) => heard.extend(event),
                Err(end) => {
                    ended = Some(end);
                    break;
                }
            }
        }
        ear.take(heard).await?;
        if let Some(end) = ended.or_else(|| line.ended.take()) {
            return Ok(end);
        }
    }
}

/// A connection, and how far it has come.
struct Line {
    sink: futures_util::stream::SplitSink<Socket, Message>,
    frames: futures_util::stream::ReadyChunks<futures_util::stream::SplitStream<Socket>>,
    channel: String,
    wanted: Option<String>,
    silence: Duration,
    subscribed: bool,
    /// What has to be there by then: the greeting, the subscription, or any frame.
    deadline: Instant,
    pinged: bool,
    ended: Option<End>,
}

impl Line {
    fn new(socket: Socket, channel: String, wanted: Option<String>) -> Self {
        let (sink, frames) = socket.split();
        Self {
            sink,
            frames: frames.ready_chunks(TOGETHER),
            channel,
            wanted,
            silence: Duration::from_secs(SILENCE),
            subscribed: false,
            deadline: Instant::now() + PATIENCE,
            pinged: false,
            ended: None,
        }
    }

    /// The next texts; if the connection ends with them, `ended` says how.
    async fn next(&mut self) -> Result<Vec<String>, End> {
        loop {
            let Ok(next) = timeout_at(self.deadline, self.frames.next()).await else {
                self.silent().await?;
                continue;
            };
            let Some(next) = next else { return Err(closed(None, "")) };
            if self.subscribed {
                self.deadline = Instant::now() + self.silence;
                self.pinged = false;
            }
            let mut texts = Vec::with_capacity(next.len());
            for message in next {
                match message {
                    Ok(Message::Text(text)) => texts.push(text.to_string()),
                    Ok(Message::Close(frame)) => {
                        let (code, reason) = frame.map(|f| (f.code.into(), f.reason.to_string())).unzip();
                        self.ended.get_or_insert(closed(code, &reason.unwrap_or_default()));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        let end = End::later(BACK_OFF, format!("the connection broke: {error}"));
                        self.ended.get_or_insert(end);
                    }
                }
            }
            return Ok(texts);
        }
    }

    /// Nothing has come in time.
    async fn silent(&mut self) -> Result<(), End> {
        if !self.subscribed {
            return Err(End::later(BACK_OFF, "the server did not greet or let us subscribe in time"));
        }
        if self.pinged {
            return Err(End::at_once("the server did not answer a ping"));
        }
        self.pinged = true;
        self.deadline = Instant::now() + PATIENCE;
        self.send(frame("pusher:ping", Object::new())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        let sent = self.sink.send(message).await;
        sent.map_err(|error| End::later(BACK_OFF, format!("the connection broke: {error}")))
    }

    /// Takes a frame in; the event in it, if it is one that is wanted.
    async fn hear(
        &mut self,
        ear: &mut Ear,
        integration: &Integration,
        text: &str,
    ) -> Result<Option<Heard>, End> {
        let Some(read) = Frame::read(text) else {
            ear.not_understood();
            return Ok(None);
        };
        match read.event.as_str() {
            "pusher:connection_established" => {
                let seconds = match read.data.get("activity_timeout") {
                    Some(Json::Number(number)) => number.as_str().parse().unwrap_or(SILENCE),
                    _ => SILENCE,
                };
                self.silence = Duration::from_secs(seconds.clamp(1, SILENCE));
                let socket = read.data.get("socket_id").map(as_text).unwrap_or_default();
                self.deadline = Instant::now() + PATIENCE;
                let subscription = subscription(&self.channel, &socket, integration).map_err(End::never)?;
                self.send(frame("pusher:subscribe", subscription)).await?;
            }
            "pusher_internal:subscription_succeeded" if read.channel == self.channel => {
                self.subscribed = true;
                self.deadline = Instant::now() + self.silence;
                ear.heard();
                ear.started(format!("Connected to channel: {}", self.channel));
            }
            "pusher:ping" => self.send(frame("pusher:pong", Object::new())).await?,
            "pusher:error" | "pusher:subscription_error" | "pusher_internal:subscription_error" => {
                return self.complained(&read);
            }
            event if event.starts_with("pusher:") || event.starts_with("pusher_internal:") => {}
            event if read.channel == self.channel && self.wanted.as_deref().is_none_or(|w| w == event) => {
                return Ok(Some(Heard { event: read.data, around: read.whole, id: None }));
            }
            _ => {}
        }
        Ok(None)
    }

    /// A complaint: one that comes before the subscription is about that, and ends it.
    fn complained(&self, read: &Frame) -> Result<Option<Heard>, End> {
        let code = match read.data.get("code") {
            Some(Json::Number(number)) => number.as_str().parse().ok(),
            _ => None,
        };
        let said = ["message", "error"].iter().find_map(|name| read.data.get(name).map(as_text));
        let said = line(&said.unwrap_or_default());
        if self.subscribed {
            tracing::warn!(?code, said, "Pusher complains");
            return Ok(None);
        }
        match code {
            Some(4100..=4299) => Err(closed(code, &said)),
            _ => Err(End::never(format!("the subscription was refused: {said}"))),
        }
    }
}

/// What is sent to subscribe; to a private channel, with a proof that the secret is known.
fn subscription(channel: &str, socket: &str, integration: &Integration) -> Result<Object, String> {
    let mut data = Object::new();
    data.set("channel", channel);
    if channel.starts_with("private-") {
        let signature = hex::encode(hmac(
            integration.need("secret")?.as_bytes(),
            format!("{socket}:{channel}").as_bytes(),
        ));
        data.set("auth", format!("{}:{signature}", integration.need("key")?));
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use domain::integration::Kind;

    use super::super::pace::Then;
    use super::*;

    #[test]
    fn a_private_channel_is_subscribed_to_with_a_proof_and_a_public_one_without() {
        let integration = Integration::of(Kind::Pusher, &[("key", "pk-demo"), ("secret", "sk-demo")]);
        let shown =
            |channel| Json::from(subscription(channel, "8123.4567", &integration).unwrap()).to_string();
        assert_eq!(shown("orders"), r#"{"channel":"orders"}"#);
        assert_eq!(
            shown("private-orders"),
            r#"{"channel":"private-orders","auth":"pk-demo:fbe136658885d82787afce86bb11b0d30f742eff678c8c068270ac345e2fc2c9"}"#
        );
    }

    #[test]
    fn data_is_read_through_its_second_coding_if_it_has_one() {
        let data = |text: &str| Frame::read(text).unwrap().data.to_string();
        assert_eq!(data(r#"{"event":"a","channel":"c","data":"{\"id\":42}"}"#), r#"{"id":42}"#);
        assert_eq!(data(r#"{"event":"a","channel":"c","data":{"id":42}}"#), r#"{"id":42}"#);
        assert_eq!(data(r#"{"event":"a","channel":"c","data":"plain"}"#), r#""plain""#);
        assert!(Frame::read("{}").is_none() && Frame::read("x").is_none());
    }

    #[test]
    fn a_close_code_says_whether_to_come_back() {
        let then = |code| closed(code, "").then;
        for code in [4000, 4001, 4009, 4099, 4301] {
            assert_eq!(then(Some(code)), Then::Never, "{code}");
        }
        assert_eq!(then(Some(4100)), Then::Later(BACK_OFF));
        for code in [4200, 4201, 4202] {
            assert_eq!(then(Some(code)), Then::AtOnce, "{code}");
        }
        for code in [None, Some(1000), Some(1006), Some(1002)] {
            assert_eq!(then(code), Then::Later(BACK_OFF), "{code:?}");
        }
    }
}
