//! The accept loop: connections in, bounded in number and in time, and let go in order at the end.
//!
//! `axum::serve` never ends a slow client (reliability.md §0.5), so each connection is watched here: see
//! [`activity`] for what is allowed to take how long. This module knows HTTP's framing and nothing of what is
//! asked; read [`crate::http`] next.

mod activity;
mod connection;
mod refuse;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub use tls::{Error as TlsError, Tls};

/// Where a request came from: the peer of its connection. An extension of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// A connection's place among all, for what goes on there after an upgrade: as long as one is held, the server counts
/// the connection. An extension of every request.
#[derive(Clone)]
pub struct Held {
    /// Its place.
    _place: Arc<OwnedSemaphorePermit>,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

/// How much a client may take, in number and in time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; what is over it is refused.
    pub connections: usize,
    /// From the connection's start to its first byte, and from a request's first byte to the end of its header.
    pub header: Duration,
    /// Between two requests on a connection.
    pub idle: Duration,
    /// From the end of a request's header to the end of its answer.
    pub request: Duration,
    /// How long writing may make no progress at all.
    pub write: Duration,
    /// What is in flight at a shutdown may still take this long.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_240,
            header: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            request: Duration::from_secs(120),
            write: Duration::from_secs(10),
            drain: Duration::from_secs(30),
        }
    }
}

/// A bound address, not yet served.
pub struct Server {
    listener: TcpListener,
    limits: Limits,
    tls: Option<Tls>,
}

impl Server {
    /// Binds an address; port 0 takes a free one.
    ///
    /// # Errors
    /// The system's: in use, not ours, not allowed.
    pub async fn bind(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, limits, tls: None })
    }

    /// The same, speaking TLS if there is a certificate.
    #[must_use]
    pub fn with_tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// The address that was bound, with its real port.
    ///
    /// # Errors
    /// The system's.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` is cancelled: then takes no more connections, lets what is in flight finish for at
    /// most [`Limits::drain`], and returns whether all of it did.
    pub async fn serve(self, router: Router, stop: CancellationToken) -> bool {
        let Self { listener, limits, tls } = self;
        let places = Arc::new(Semaphore::new(limits.connections));
        let refusals = Arc::new(Semaphore::new(refuse::AT_ONCE));
        let cut = CancellationToken::new();
        while let Some(stream) = accept(&listener, &stop).await {
            let Ok(place) = places.clone().try_acquire_owned() else {
                // An answer in clear is none to a client that speaks TLS.
                if tls.is_none() {
                    refuse::refuse(stream, &refusals);
                }
                continue;
            };
            let held = Held { _place: Arc::new(place), stop: stop.clone() };
            tokio::spawn(connection::accept(stream, tls.clone(), router.clone(), limits, held, cut.clone()));
        }
        drop(listener);
        // All places free again means that no connection is left.
        let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
        let drained = tokio::time::timeout(limits.drain, places.acquire_many(all)).await.is_ok();
        cut.cancel();
        drained
    }
}

/// The next connection; `None` once `stop` is cancelled.
async fn accept(listener: &TcpListener, stop: &CancellationToken) -> Option<TcpStream> {
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => return Some(stream),
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: nothing tells when there are some again, so try after a while.
                tracing::warn!(%error, "cannot accept connections");
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = tokio::time::sleep(Duration::from_millis(100)) => {}
                }
            }
        }
    }
}

/// Whether an error of `accept` is about the connection that was to be accepted, not about accepting.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests;
