//! A third party on a loopback socket: it keeps what it was asked, and answers as it is told.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::json;

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers with this status and this JSON body.
    Json(u16, String),
    /// Answers with this status, and says in all places where a provider complains what it was sent, credentials
    /// included.
    Echo(u16),
    /// Answers with this status and no body, after a while.
    Late(u16, Duration),
    /// Says nothing and holds the connection, until the other side lets go.
    Nothing,
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path: `POST /v3/mail/send`.
    pub line: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A header's value, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A field of the form that the body is, decoded.
    pub fn field(&self, name: &str) -> Option<String> {
        fields(&self.body).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// The names and values of a form or a query, decoded, in order.
pub fn fields(text: &str) -> Vec<(String, String)> {
    let decoded = |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// The stand-in; it serves until the test ends.
pub struct StandIn {
    url: String,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    replies: VecDeque<Reply>,
    otherwise: Reply,
    asked: Vec<Asked>,
}

impl StandIn {
    /// One that gives these replies in turn, and from then on `otherwise`.
    ///
    /// # Panics
    /// If no port is free.
    pub fn new(replies: impl IntoIterator<Item = Reply>, otherwise: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let replies = replies.into_iter().collect();
        let shared = Arc::new(Mutex::new(Shared { replies, otherwise, asked: Vec::new() }));
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = serving.clone();
                // A client that breaks off is no failure of the stand-in.
                std::thread::spawn(move || drop(serve(&stream, &shared)));
            }
        });
        Self { url, shared }
    }

    /// `http://127.0.0.1:…`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Has it give these replies next, in turn.
    pub fn next(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.shared).replies.extend(replies);
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.shared).asked.clone()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(stream: &TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader)? {
        let reply = {
            let mut shared = lock(shared);
            shared.asked.push(asked.clone());
            let otherwise = shared.otherwise.clone();
            shared.replies.pop_front().unwrap_or(otherwise)
        };
        match reply {
            Reply::Json(status, body) => answer(stream, status, &body)?,
            Reply::Echo(status) => answer(stream, status, &echo(&asked))?,
            Reply::Late(status, pause) => {
                std::thread::sleep(pause);
                answer(stream, status, "")?;
            }
            Reply::Nothing => {
                reader.read_to_end(&mut Vec::new())?;
            }
        }
    }
    Ok(())
}

fn answer(mut stream: &TcpStream, status: u16, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn echo(asked: &Asked) -> String {
    let headers: Vec<String> = asked.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let said = format!("{} {} {}", asked.line, headers.join(" "), asked.body);
    let places = ["message", "error", "error_description", "description", "detail", "title", "echo"];
    let mut body: serde_json::Map<_, _> =
        places.iter().map(|place| (place.to_string(), json!(said))).collect();
    body.insert("errors".to_owned(), json!([{"message": said}]));
    json!(body).to_string()
}

fn read(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Option<Asked>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let body = match (value("transfer-encoding"), value("content-length")) {
        (Some("chunked"), _) => chunked(reader)?,
        (_, length) => {
            let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
            reader.read_exact(&mut body)?;
            body
        }
    };
    Ok(Some(Asked { line, headers, body: String::from_utf8_lossy(&body).into_owned() }))
}

/// A body that comes in pieces, each after its length (RFC 9112, 7.1).
fn chunked(reader: &mut BufReader<&TcpStream>) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut length = String::new();
        reader.read_line(&mut length)?;
        let length = usize::from_str_radix(length.trim_end(), 16).map_err(std::io::Error::other)?;
        let start = body.len();
        body.resize(start + length, 0);
        reader.read_exact(&mut body[start..])?;
        reader.read_line(&mut String::new())?;
        if length == 0 {
            return Ok(body);
        }
    }
}
