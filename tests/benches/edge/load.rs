//! The load generator: connections that are kept, each with one request under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::measure::{Run, tokio_runtime};

/// Of so many customers.
const CUSTOMERS: u64 = 1_000;

/// An event of about 200 bytes.
pub fn event(n: u64, kind: &str) -> String {
    format!(
        r#"{{"id":"{}","type":"{kind}","state":"abandoned","queue":"support","wait":{},"agent":"a{}","note":"the customer hung up before anyone answered the call","segment":"platinum","n":{n}}}"#,
        n % CUSTOMERS,
        n % 300,
        n % 40,
    )
}

/// Sends for so many seconds; how many events were accepted.
pub fn run(address: &str, token: &str, connections: usize, batch: u64, seconds: &str) -> Run {
    let until = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
    let (begun, accepted, next) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    let shared = Arc::new((accepted, next));
    tokio_runtime().block_on(async {
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                let (address, token, shared) = (address.to_owned(), token.to_owned(), Arc::clone(&shared));
                tokio::spawn(async move {
                    let mut connection = Connection::open(&address, &token).await;
                    while Instant::now() < until {
                        let first = shared.1.fetch_add(batch, Ordering::Relaxed);
                        let events: Vec<String> = (first..first + batch).map(|n| event(n, "call")).collect();
                        connection.send(&events).await;
                        shared.0.fetch_add(batch, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
    });
    Run { count: shared.0.load(Ordering::Relaxed), wall: begun.elapsed().as_secs_f64(), cpu: 0.0 }
}

/// One connection.
pub struct Connection {
    stream: TcpStream,
    token: String,
    read: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: &str, token: &str) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, token: token.to_owned(), read: Vec::new() }
    }

    /// Sends events, one alone or several as a batch, and waits for the answer.
    pub async fn send(&mut self, events: &[String]) {
        let (place, content, body) = match events {
            [event] => ("event", "application/json", event.clone()),
            events => ("events", "application/x-ndjson", events.join("\n")),
        };
        let request = format!(
            "POST /1.0/tenants/acme/{place} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\
             content-type: {content}\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len(),
        );
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let (head, _) = message(&mut self.stream, &mut self.read).await.expect("an answer");
        assert!(head.starts_with("HTTP/1.1 20"), "{head}");
    }
}

/// The next message of a connection: its head, and its body of as many bytes as the head says. None at its end.
pub async fn message(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_lowercase().replacen("http", "HTTP", 1);
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            let whole = end + 4 + length;
            if read.len() >= whole {
                let body = read[end + 4..whole].to_vec();
                read.drain(..whole);
                return Some((head, body));
            }
        }
        if stream.read_buf(read).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}
