//! Many clients, and bad ones, in a process of their own: the test's own descriptors and time are not the server's.
//!
//! `swarm hold …` keeps connections open and asks over them, until its input ends; `swarm slow …` behaves as no client
//! should and tells when it was thrown out. Both end with a line of JSON. Read next: [`hold`], [`slow`], [`http2`].

pub mod hold;
pub mod http2;
pub mod slow;

use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

/// How long any of it waits for what has to come.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// What a swarm says once all its connections are there.
pub const HELD: &str = "held";

/// A swarm that runs; dropped, it is ended.
pub struct Swarm {
    process: Child,
    says: BufReader<ChildStdout>,
}

impl Swarm {
    /// Starts one; `arguments` are those of the binary.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(binary: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a swarm starts");
        let says = BufReader::new(process.stdout.take().expect("it is a pipe"));
        Self { process, says }
    }

    /// Waits until all that it was to hold is there.
    ///
    /// # Panics
    /// If it ends before.
    pub fn held(&mut self) {
        let mut line = String::new();
        self.says.read_line(&mut line).expect("a line");
        assert_eq!(line.trim_end(), HELD);
    }

    /// Lets it end, and waits for that; what it says.
    ///
    /// # Panics
    /// If it fails.
    pub fn end(mut self) -> Value {
        drop(self.process.stdin.take());
        let mut said = String::new();
        self.says.read_to_string(&mut said).expect("UTF-8");
        let status = self.process.wait().expect("a child can be waited for");
        assert!(status.success(), "a swarm failed");
        serde_json::from_str(said.lines().last().unwrap_or_default()).expect("a line of JSON")
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        // One that has ended by itself needs no ending.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection from one of several loopback addresses: each has ports of its own.
///
/// # Errors
/// The system's.
pub async fn connect(to: SocketAddr, number: usize) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let from = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(number % 8).unwrap_or_default());
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    socket.connect(to).await
}

/// The value at `share` of sorted ones (0.99: the 99th percentile); 0 of none.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}
