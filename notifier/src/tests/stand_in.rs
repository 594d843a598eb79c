//! A third party on a loopback socket, speaking HTTP byte by byte: it can break off, hang, drip and never stop.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that does the same with every connection.
pub(crate) async fn server<F, R>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> R + Send + Sync + 'static,
    R: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Reads one request, head and body.
pub(crate) async fn request(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Ok(text);
            }
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What to do with a request.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// Answer with this status, these headers (each with its line end) and this body.
    Answer(u16, &'static str, String),
    /// Close the connection without a word.
    Break,
    /// Say nothing, and hold the connection.
    Hang,
    /// Answer a byte at a time.
    Drip,
    /// Answer 200 with a body that has no end.
    Flood,
}

impl Do {
    pub(crate) fn answer(status: u16, body: &str) -> Self {
        Self::Answer(status, "", body.to_owned())
    }
}

/// A stand-in that does what it is told, request by request; without orders it does `otherwise`.
pub(crate) struct StandIn {
    pub(crate) address: SocketAddr,
    script: Arc<Mutex<VecDeque<Do>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    pub(crate) async fn new(script: impl IntoIterator<Item = Do>, otherwise: Do) -> Self {
        let script: Arc<Mutex<VecDeque<Do>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (orders, keep) = (script.clone(), seen.clone());
        let address = server(move |mut stream| {
            let (orders, keep, otherwise) = (orders.clone(), keep.clone(), otherwise.clone());
            async move {
                let request = request(&mut stream).await?;
                let order = orders.lock().unwrap().pop_front().unwrap_or(otherwise);
                keep.lock().unwrap().push(request);
                act(stream, order).await
            }
        })
        .await;
        Self { address, script, seen }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Their first lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|request| request.lines().next().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn then(&self, order: Do) {
        self.script.lock().unwrap().push_back(order);
    }
}

async fn act(mut stream: TcpStream, order: Do) -> io::Result<()> {
    match order {
        Do::Answer(status, headers, body) => {
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\n{headers}Connection: close\r\nContent-Length: {length}");
            stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await
        }
        Do::Break => Ok(()),
        Do::Hang => stream.read_to_end(&mut Vec::new()).await.map(drop),
        Do::Drip => {
            stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n").await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Do::Flood => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            loop {
                stream.write_all(&[b'x'; 65_536]).await?;
            }
        }
    }
}
