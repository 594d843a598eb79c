//! DataSift: interactions of a compiled stream, a line each over HTTP or a frame each over a web socket.
//!
//! Nothing is buffered for us: what is sent while we are not connected is lost. An interaction's own id keeps it from
//! coming in twice, whatever the service repeats.

use std::time::Duration;

use domain::json::{Json, parse};
use futures_util::StreamExt;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderName};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::ear::{Ear, Heard, LIMITS};
use super::pace::{End, Pace};
use crate::endpoint::http::{Outgoing, Reach, Unopened, Url};
use crate::endpoint::integration::Integration;
use crate::endpoint::provider::call::{Headers, as_text, below, line, query};

/// Where the streams are: over HTTP, and over a web socket.
const HTTP: &str = "https://stream.datasift.com";
const SOCKET: &str = "https://websocket.datasift.com";

/// The older of two headers that say who asks.
const AUTH: HeaderName = HeaderName::from_static("auth");

/// A link on which nothing has come for so long is dead: a keep-alive comes every 30 s.
const SILENCE: Duration = Duration::from_secs(65);

/// The longest line.
const LONGEST: usize = 1 << 20;

/// So many frames are taken in together at most.
const TOGETHER: usize = 500;

/// No connection, or no answer.
const UNREACHED: Pace = Pace::growing(1, 16);
/// It answers that it cannot, or the connection broke.
const BROKEN: Pace = Pace::doubling(10, 320);
/// Over a web socket.
const SOCKET_BROKEN: Pace = Pace::doubling(1, 320);

pub(super) struct Datasift;

/// What a message is.
#[derive(Debug, PartialEq)]
enum Said {
    /// An interaction, and its id.
    Interaction(Json, Option<String>),
    /// Come again, now.
    Reconnect,
    /// It is over.
    Failure(String),
    /// Nothing for us: a keep-alive, a note, a delete.
    Nothing,
}

fn read(message: &Json) -> Said {
    let text = |name: &str| message.get(name).and_then(Json::as_text).unwrap_or_default();
    if message.get("reconnect").is_some() {
        return Said::Reconnect;
    }
    match text("status") {
        "failure" | "error" => return Said::Failure(line(text("message"))),
        "warning" => {
            tracing::warn!(message = line(text("message")), "DataSift warns");
            return Said::Nothing;
        }
        "success" => return Said::Nothing,
        _ => {}
    }
    let interaction = message.get("data").filter(|_| message.get("hash").is_some()).unwrap_or(message);
    let is_deleted = |json: &Json| json.get("deleted").and_then(Json::as_bool) == Some(true);
    if is_deleted(message) || is_deleted(interaction) || message.get("tick").is_some() {
        return Said::Nothing;
    }
    let id = interaction.get("interaction").and_then(|i| i.get("id")).map(as_text);
    Said::Interaction(interaction.clone(), id.filter(|id| !id.is_empty()))
}

impl Datasift {
    pub(super) async fn session(&mut self, ear: &mut Ear, integration: &Integration) -> End {
        let ended = match ear.known.definition.option("transport") {
            Some("websocket") => over_socket(ear, integration).await,
            _ => over_http(ear, integration).await,
        };
        ended.unwrap_or_else(|end| end)
    }
}

fn base(ear: &Ear, known: &str) -> Result<Url, End> {
    match &ear.tools.outside.bases.datasift {
        Some(base) => Ok(base.clone()),
        None => Url::parse(known).map_err(|error| End::never(error.to_string())),
    }
}

async fn over_http(ear: &mut Ear, integration: &Integration) -> Result<End, End> {
    let hash = ear.option("hash")?;
    let outgoing = request(&base(ear, HTTP)?, &hash, integration).map_err(End::never)?;
    let opening = ear.tools.outside.http.open(outgoing);
    let opened = timeout(SILENCE, opening).await.map_err(|_| End::later(UNREACHED, "no answer came"))?;
    let mut opened = opened.map_err(|trouble| End::later(UNREACHED, trouble.to_string()))?;
    if opened.status != 200 {
        let status = opened.status;
        let body = timeout(SILENCE, opened.all(LONGEST)).await.unwrap_or_else(|_| Ok(Bytes::new()));
        return Ok(turned_away(status, &body.unwrap_or_default()));
    }
    ear.started(format!("Connected to stream: {hash}"));
    let mut lines = Lines::default();
    loop {
        let chunk = match timeout(SILENCE, opened.chunk()).await {
            Err(_) => return Ok(End::at_once("nothing came for 65 s")),
            Ok(Err(why)) => return Ok(End::later(BROKEN, format!("the connection broke: {why}"))),
            Ok(Ok(None)) => return Ok(End::later(BROKEN, "the stream ended")),
            Ok(Ok(Some(chunk))) => chunk,
        };
        let complete = lines.take(&chunk).map_err(|why| End::later(BROKEN, why))?;
        all(ear, &complete).await?;
    }
}

fn request(base: &Url, hash: &str, integration: &Integration) -> Result<Outgoing, String> {
    let url = below(base, &format!("/{hash}"))?.with_query("statuses=true").map_err(|e| e.to_string())?;
    let who = format!("{}:{}", integration.need("username")?, integration.need("api-key")?);
    Outgoing::new(Method::GET, url, Reach::Operator).with_secret(AUTH, &who)?.with_secret(AUTHORIZATION, &who)
}

/// An answer other than a stream.
fn turned_away(status: u16, body: &[u8]) -> End {
    let body = parse(body, LIMITS).unwrap_or_default();
    let said = ["message", "error"].iter().find_map(|name| body.get(name).map(as_text)).unwrap_or_default();
    let why = line(&format!("answered {status} {said}"));
    match status {
        400..=499 if status != 420 => End::never(why),
        _ => End::later(BROKEN, why),
    }
}

/// Takes messages in, in order, up to one that ends the session.
async fn all(ear: &mut Ear, messages: &[Bytes]) -> Result<(), End> {
    let mut heard = Vec::new();
    let mut ended = None;
    for message in messages {
        let Ok(message) = parse(message, LIMITS) else {
            ear.not_understood();
            continue;
        };
        ear.heard();
        match read(&message) {
            Said::Interaction(event, id) => heard.push(Heard { event, around: Json::Null, id }),
            Said::Nothing => {}
            Said::Reconnect => ended = Some(End::at_once("the service asked to connect again")),
            Said::Failure(why) => ended = Some(End::never(format!("the service says: {why}"))),
        }
        if ended.is_some() {
            break;
        }
    }
    ear.take(heard).await?;
    ended.map_or(Ok(()), Err)
}

async fn over_socket(ear: &mut Ear, integration: &Integration) -> Result<End, End> {
    let hash = ear.option("hash")?;
    let field = |name: &str| integration.need(name).map(query).map_err(End::never);
    let asked = format!("username={}&api_key={}&statuses=true", field("username")?, field("api-key")?);
    let url = below(&base(ear, SOCKET)?, &format!("/{hash}")).map_err(End::never)?;
    let url = url.with_query(&asked).map_err(|error| End::never(error.to_string()))?;
    let socket = match ear.tools.outside.http.web_socket(&url, Reach::Operator).await {
        Ok(socket) => socket,
        Err(Unopened::Answered(status, body)) if (400..500).contains(&status) => {
            return Ok(turned_away(status, &body));
        }
        Err(unopened) => return Ok(End::later(SOCKET_BROKEN, unopened.to_string())),
    };
    ear.started(format!("Connected to stream: {hash}"));
    let mut frames = socket.ready_chunks(TOGETHER);
    loop {
        let Ok(next) = timeout(SILENCE, frames.next()).await else {
            return Ok(End::at_once("nothing came for 65 s"));
        };
        let Some(next) = next else { return Ok(End::later(SOCKET_BROKEN, "the stream ended")) };
        let mut messages = Vec::new();
        let mut broken = None;
        for frame in next {
            match frame {
                Ok(Message::Text(text)) => messages.push(Bytes::from(text)),
                Ok(Message::Binary(bytes)) => messages.push(bytes),
                Ok(Message::Close(_)) => broken = Some("the stream was closed".to_owned()),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Err(error) => broken = Some(format!("the connection broke: {error}")),
            }
        }
        all(ear, &messages).await?;
        if let Some(why) = broken {
            return Ok(End::later(SOCKET_BROKEN, why));
        }
    }
}

/// Lines out of chunks, whose bounds need not meet theirs.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// The lines that are complete with this chunk; blank ones are left out.
    fn take(&mut self, chunk: &[u8]) -> Result<Vec<Bytes>, String> {
        self.0.extend_from_slice(chunk);
        let end = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let complete: Vec<u8> = self.0.drain(..end).collect();
        if self.0.len() > LONGEST {
            return Err(format!("a line is longer than {LONGEST} bytes"));
        }
        let lines = complete.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        Ok(lines.filter(|line| !line.is_empty()).map(Bytes::copy_from_slice).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pace::Then;
    use super::*;

    fn kind(text: &str) -> Said {
        read(&parse(text.as_bytes(), LIMITS).unwrap())
    }

    #[test]
    fn messages_are_told_apart_in_the_order_that_the_service_says() {
        assert_eq!(kind(r#"{"reconnect":true,"status":"failure"}"#), Said::Reconnect);
        assert_eq!(kind(r#"{"status":"failure","message":"gone"}"#), Said::Failure("gone".into()));
        assert_eq!(kind(r#"{"status":"warning","message":"slow"}"#), Said::Nothing);
        assert_eq!(
            kind(r#"{"status":"success","message":"Successfully subscribed to hash a"}"#),
            Said::Nothing
        );
        assert_eq!(kind(r#"{"deleted":true,"interaction":{"id":"1"}}"#), Said::Nothing);
        assert_eq!(kind(r#"{"hash":"a","data":{"deleted":true,"interaction":{"id":"1"}}}"#), Said::Nothing);
        assert_eq!(kind(r#"{"tick":1,"status":"connected","message":"Waiting for data"}"#), Said::Nothing);
        let Said::Interaction(event, id) = kind(r#"{"hash":"a","data":{"interaction":{"id":"7"}}}"#) else {
            panic!("no interaction")
        };
        assert_eq!((event.to_string().as_str(), id.as_deref()), (r#"{"interaction":{"id":"7"}}"#, Some("7")));
        assert!(matches!(kind(r#"{"twitter":{"id":"1"}}"#), Said::Interaction(_, None)));
    }

    #[test]
    fn lines_are_found_whatever_the_chunks_and_none_grows_without_end() {
        let mut lines = Lines::default();
        let text = "{\"a\":1}\r\n\r\n{\"b\":2}\n";
        let mut found = Vec::new();
        for byte in text.bytes() {
            found.extend(lines.take(&[byte]).unwrap());
        }
        assert_eq!(found, ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(lines.take(text.as_bytes()).unwrap().len(), 2);
        assert!(Lines::default().take(&vec![b'x'; LONGEST + 1]).is_err());
    }

    #[test]
    fn what_is_wrong_with_the_request_is_not_tried_again() {
        assert_eq!(turned_away(401, br#"{"message":"bad key"}"#), End::never("answered 401 bad key"));
        assert_eq!(turned_away(404, b"").then, Then::Never);
        assert_eq!(turned_away(420, b"").then, Then::Later(BROKEN));
        assert_eq!(turned_away(503, b"<html>").then, Then::Later(BROKEN));
    }
}
