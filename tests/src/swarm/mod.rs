//! Many clients, and bad ones, in a process of their own: the test's own descriptors and time are not the server's.
//!
//! `swarm hold …` keeps connections open and asks over them; `swarm slow …` behaves as no client should and tells
//! when it was thrown out. Both print one line of JSON. Read next: [`hold`], [`slow`], [`http2`].

pub mod hold;
pub mod http2;
pub mod slow;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};

/// How long any of it waits for what has to come.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// A swarm that runs; dropped, it is ended.
pub struct Swarm(Option<Child>);

impl Swarm {
    /// Starts one; `arguments` are those of the binary.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(binary: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        Self(Some(command.spawn().expect("a swarm starts")))
    }

    /// Waits for its end; what it says.
    ///
    /// # Panics
    /// If it fails.
    pub fn end(mut self) -> Value {
        let child = self.0.take().expect("it has not ended before");
        let output = child.wait_with_output().expect("a child can be waited for");
        assert!(output.status.success(), "a swarm failed");
        serde_json::from_slice(&output.stdout).expect("a line of JSON")
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // One that has ended by itself needs no ending.
            let _ = child.kill();
            let _ = child.wait();
        }
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
