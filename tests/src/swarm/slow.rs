//! Clients that take up room and give nothing: what each does, and when the server has had enough of it.

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::{PATIENCE, connect, http2};

/// A way to be a nuisance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Connects and says nothing.
    Silent,
    /// Half a header, then nothing.
    HalfHeader,
    /// A header, a byte a second.
    DripHeader,
    /// A body, a byte a second.
    DripBody,
    /// A good request, then nothing, on a connection that is kept.
    Idle,
    /// Asks for much and reads nothing of it.
    SlowReader,
    /// HTTP/2: begins and says nothing.
    Http2Silent,
    /// HTTP/2: a body of empty pieces without end.
    Http2EmptyData,
    /// HTTP/2: requests that are taken back at once, without end.
    Http2Reset,
    /// HTTP/2: a header without end.
    Http2Continuation,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Silent,
        Self::HalfHeader,
        Self::DripHeader,
        Self::DripBody,
        Self::Idle,
        Self::SlowReader,
        Self::Http2Silent,
        Self::Http2EmptyData,
        Self::Http2Reset,
        Self::Http2Continuation,
    ];
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| format!("{kind:?}") == text);
        found.ok_or_else(|| format!("{text:?} is none of {:?}", Self::ALL))
    }
}

/// What they need to know of the server.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it is.
    pub to: SocketAddr,
    /// A token that may send events and read.
    pub token: String,
    /// A path whose answer is longer than any buffer on the way.
    pub long: String,
    /// A path that takes a JSON body by POST.
    pub takes: String,
}

/// So many of a kind at once; when the first and the last of them were closed, in milliseconds.
pub async fn slow(kind: Kind, count: usize, target: Target) -> Value {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        let target = target.clone();
        // One after the other: what the system has no place for in its queue, the server never hears of.
        let connected = connect(target.to, number).await;
        tasks.spawn(async move {
            let stream = connected.map_err(|error| format!("connect: {error}"))?;
            let begun = Instant::now();
            timeout(PATIENCE, until_closed(kind, stream, &target))
                .await
                .map_err(|_| "never closed".to_owned())?;
            Ok::<_, String>(begun.elapsed().as_millis())
        });
    }
    let (mut closed, mut errors) = (Vec::new(), Vec::new());
    while let Some(ended) = tasks.join_next().await {
        match ended.map_err(|error| error.to_string()).and_then(|ended| ended) {
            Ok(millis) => closed.push(u64::try_from(millis).unwrap_or(u64::MAX)),
            Err(error) => errors.push(error),
        }
    }
    closed.sort_unstable();
    json!({
        "kind": format!("{kind:?}"),
        "closed": closed.len(),
        "first": closed.first(),
        "last": closed.last(),
        "errors": errors.len(),
        "first-error": errors.first(),
    })
}

async fn until_closed(kind: Kind, mut stream: TcpStream, target: &Target) {
    let Target { token, long, takes, .. } = target;
    let head = |line: &str, rest: &str| {
        format!("{line} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{rest}").into_bytes()
    };
    match kind {
        Kind::Silent => {}
        Kind::HalfHeader => say(&mut stream, &head(&format!("GET {long}"), "")).await,
        Kind::DripHeader => return drip(stream, &head(&format!("GET {long}"), "x-drip: ")).await,
        Kind::DripBody => {
            let typed = "content-type: application/json\r\ncontent-length: 100000\r\n\r\n";
            return drip(stream, &head(&format!("POST {takes}"), typed)).await;
        }
        Kind::Idle => say(&mut stream, &head("GET /healthz", "\r\n")).await,
        Kind::SlowReader => {
            say(&mut stream, &head(&format!("GET {long}"), "\r\n")).await;
            return unread(&stream).await;
        }
        Kind::Http2Silent => say(&mut stream, &http2::beginning()).await,
        Kind::Http2EmptyData | Kind::Http2Reset | Kind::Http2Continuation => {
            return http2::flood(kind, stream, target).await;
        }
    }
    read_to_end(&mut stream).await;
}

/// Says it, or finds out that nobody listens any more: then reading tells so too.
async fn say(stream: &mut TcpStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
}

async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) {
    let mut buffer = [0; 4096];
    // A reset is an end as well.
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// The beginning at once, then a byte a second until it is closed.
async fn drip(mut stream: TcpStream, beginning: &[u8]) {
    say(&mut stream, beginning).await;
    let (mut input, mut output) = stream.into_split();
    let dripping = async move {
        while output.write_all(b" ").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = dripping => {}
        () = read_to_end(&mut input) => {}
    }
}

/// Reads nothing, and finds out by the system that the other side has gone.
async fn unread(stream: &TcpStream) {
    loop {
        // A close after unread data arrives as a reset, which the socket tells without being read.
        if stream.take_error().is_ok_and(|error| error.is_some()) || !still_there(stream).await {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the system still takes a byte for the other side.
async fn still_there(stream: &TcpStream) -> bool {
    match stream.try_write(b"\r") {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}
