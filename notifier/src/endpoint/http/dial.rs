//! From a host to a connection: resolve once, check every address, dial the one that was checked.
//!
//! The check is made on the very addresses that are dialled, so a name that points elsewhere a moment later gains
//! nothing. No proxy is used, whatever the environment says: it would dial for us.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use hyper::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::guard;

/// Turns names into addresses.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// The addresses of a host.
    ///
    /// # Errors
    /// There are none, or nobody can be asked.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
pub struct System;

#[async_trait]
impl Resolver for System {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It is not to be had from here. Which address was in the way is not said: it is nobody's business.
    #[error("{0} is not a public address, and may not be reached from here")]
    NotPublic(String),
    /// The name has no address.
    #[error("{0} cannot be resolved")]
    Unresolved(String),
    /// Nobody answers.
    #[error("no connection: {0}")]
    Unreached(#[source] io::Error),
    /// The time is over.
    #[error("no connection within {} s", MOST.as_secs())]
    Slow,
}

/// So long a connection may take, resolving and TLS included.
const MOST: Duration = Duration::from_secs(10);

/// So long one address may take, if there are others.
const EACH: Duration = Duration::from_secs(3);

/// Dials.
#[derive(Clone)]
pub(super) struct Dial {
    pub(super) resolver: Arc<dyn Resolver>,
    /// Whether only public addresses may be dialled.
    pub(super) guarded: bool,
    /// Those that may be dialled although they are not.
    pub(super) exempt: Arc<[SocketAddr]>,
}

impl Dial {
    async fn connect(&self, uri: &Uri) -> Result<TcpStream, Error> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let addresses = match guard::literal(host) {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => self.resolver.resolve(host, port).await.unwrap_or_default(),
        };
        if addresses.is_empty() {
            return Err(Error::Unresolved(host.to_owned()));
        }
        // One address that is not public is enough: an honest name has none.
        let may = |address: &SocketAddr| guard::is_public(address.ip()) || self.exempt.contains(address);
        if self.guarded && !addresses.iter().all(may) {
            return Err(Error::NotPublic(host.to_owned()));
        }
        first_that_answers(&addresses).await.map_err(Error::Unreached)
    }
}

async fn first_that_answers(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for (n, address) in addresses.iter().enumerate() {
        let limit = if n + 1 == addresses.len() { MOST } else { EACH };
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = Error;
    type Future = Connecting<Self::Response, Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move { dial.connect(&uri).await.map(TokioIo::new) })
    }
}

/// A connector that may take so long and no longer, whatever it waits for.
#[derive(Clone)]
pub(super) struct Within<S>(pub(super) S);

type Any = Box<dyn std::error::Error + Send + Sync>;

impl<S> Service<Uri> for Within<S>
where
    S: Service<Uri>,
    S::Error: Into<Any>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = Any;
    type Future = Connecting<S::Response, Any>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Any>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move {
            match timeout(MOST, connecting).await {
                Ok(result) => result.map_err(Into::into),
                Err(_) => Err(Error::Slow.into()),
            }
        })
    }
}
