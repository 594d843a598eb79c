//! The one guarded HTTP client: every request to a third party goes out here.
//!
//! It keeps connections, follows no redirect, uses no proxy, reads at most [`MOST`] of an answer, and says of a
//! request that failed whether it can have been processed. It does not retry, and knows no limit of time but that of
//! connecting: an attempt's time is the runtime's. Answers that do not end, and web sockets, are read as they come. URLs
//! that tenants give reach public addresses only ([`guard`]).
//! Read next: [`guard`], `dial`, [`verdict`] (what an answer means).

mod dial;
pub mod guard;
mod socket;
mod stream;
#[cfg(test)]
mod tests;
pub mod verdict;

use std::error::Error as _;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{HeaderName, HeaderValue, InvalidHeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use self::dial::{Dial, Within};
pub use self::dial::{Resolver, System};
pub use self::guard::Url;
pub use self::socket::{Socket, Unopened};
pub use self::stream::Opened;
use super::Sent;

/// So much of an answer is read, in bytes.
pub const MOST: usize = 1 << 20;

/// Whose URL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The operator's: it may lead anywhere.
    Operator,
    /// A tenant's, or a third party's: public addresses only, unless the operator allows others.
    Tenant,
}

/// A request as it goes out. Its body is not shown where it is printed: a login has secrets in it.
#[derive(Clone, PartialEq)]
pub struct Outgoing {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Whose URL that is.
    pub reach: Reach,
    /// The headers, but for Host and Content-Length.
    pub headers: HeaderMap,
    /// The body; none if empty.
    pub body: Bytes,
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, url, headers, body, .. } = self;
        write!(f, "{method} {} {headers:?} ({} bytes)", url.uri().path(), body.len())
    }
}

impl Outgoing {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url, reach: Reach) -> Self {
        Self { method, url, reach, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// With a header.
    ///
    /// # Errors
    /// `value` has characters that no header can have: line ends above all.
    pub fn header(mut self, name: HeaderName, value: &str) -> Result<Self, InvalidHeaderValue> {
        self.headers.insert(name, HeaderValue::from_str(value)?);
        Ok(self)
    }

    /// With a header that holds a secret.
    ///
    /// # Errors
    /// As [`Self::header`].
    pub fn secret_header(mut self, name: HeaderName, value: &str) -> Result<Self, InvalidHeaderValue> {
        let mut value = HeaderValue::from_str(value)?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }
}

/// An answer, as far as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or as much of it as was read.
    pub body: Bytes,
    /// Why that is not all of it.
    pub cut: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It may not be asked at all.
    #[error("{0}")]
    Forbidden(String),
    /// It was not reached: nothing was sent.
    #[error("{0}")]
    Unreached(String),
    /// The connection broke when the request had gone out, in whole or in part.
    #[error("the connection broke before an answer came: {0}")]
    Broken(String),
}

/// The client.
#[derive(Clone)]
pub struct Http {
    operator: Way,
    tenant: Way,
}

/// Connections for requests, and how to make others, under one rule.
#[derive(Clone)]
struct Way {
    pool: Pool,
    connector: Connector,
}

type Connector = Within<HttpsConnector<Dial>>;

/// Connections that were dialled under one rule. A guarded request must not find a connection that an unguarded one
/// has opened, so the two never share.
type Pool = Client<Connector, Watched>;

/// How a client is set up.
#[derive(Clone)]
pub struct Setup {
    /// Whether tenants' URLs may lead to private addresses (`--allow-private-addresses`).
    pub allow_private_addresses: bool,
    /// Single addresses to which they may lead all the same: what stands in for a public server in a test.
    pub exempt: Vec<SocketAddr>,
    /// Who turns names into addresses.
    pub resolver: Arc<dyn Resolver>,
    /// Certificate authorities beyond the system's.
    pub authorities: Vec<CertificateDer<'static>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            allow_private_addresses: false,
            exempt: Vec::new(),
            resolver: Arc::new(System),
            authorities: Vec::new(),
        }
    }
}

/// A server may close a connection that rests, just as a request goes out on it. So none rests long.
const REST: Duration = Duration::from_secs(15);

impl Http {
    /// A client.
    pub fn new(setup: Setup) -> Self {
        let tls = trust(setup.authorities);
        let exempt: Arc<[SocketAddr]> = setup.exempt.into();
        let pool = |guarded| {
            let dial = Dial { resolver: setup.resolver.clone(), guarded, exempt: exempt.clone() };
            let tls = HttpsConnectorBuilder::new().with_tls_config(tls.clone());
            let connector = Within(tls.https_or_http().enable_http1().wrap_connector(dial));
            let pool = Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(REST)
                .pool_max_idle_per_host(32)
                .build(connector.clone());
            Way { pool, connector }
        };
        Self { operator: pool(false), tenant: pool(!setup.allow_private_addresses) }
    }

    /// Sends a request; `sent` learns when it goes out.
    ///
    /// # Errors
    /// No status came.
    pub async fn send(&self, outgoing: Outgoing, sent: &Sent) -> Result<Received, Trouble> {
        let mut opened = self.opened(outgoing, sent).await?;
        let mut read = Vec::new();
        let cut = loop {
            match opened.chunk().await {
                Ok(Some(chunk)) => read.extend_from_slice(&chunk),
                Ok(None) => break None,
                Err(why) => break Some(format!("the answer broke off: {why}")),
            }
            if read.len() > MOST {
                read.truncate(MOST);
                break Some(format!("the answer is longer than {MOST} bytes"));
            }
        };
        Ok(Received { status: opened.status, headers: opened.headers, body: read.into(), cut })
    }

    fn way(&self, reach: Reach) -> &Way {
        match reach {
            Reach::Operator => &self.operator,
            Reach::Tenant => &self.tenant,
        }
    }

    /// Sends a request; the answer's head, and its body as it comes.
    async fn request(&self, outgoing: Outgoing, sent: &Sent) -> Result<Response<Incoming>, Trouble> {
        let Outgoing { method, url, reach, headers, body } = outgoing;
        sent.pending();
        let mut request = Request::new(Watched { body: Some(body), sent: sent.clone() });
        *request.method_mut() = method;
        *request.uri_mut() = url.uri().clone();
        *request.headers_mut() = headers;
        let agent = HeaderValue::from_static(concat!("cxengage/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        self.way(reach).pool.request(request).await.map_err(|error| trouble(&error, sent))
    }
}

/// What makes connections, over TLS or not, to whatever the operator names: no guard.
pub type Plain = HttpsConnector<HttpConnector>;

/// The connector of a command that speaks to our own server, which is known by the system's certificate authorities and
/// these.
pub fn plain(authorities: Vec<CertificateDer<'static>>) -> Plain {
    HttpsConnectorBuilder::new().with_tls_config(trust(authorities)).https_or_http().enable_http1().build()
}

fn trust(extra: Vec<CertificateDer<'static>>) -> rustls::ClientConfig {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for problem in &native.errors {
        tracing::warn!(%problem, "some of the system's certificate authorities cannot be read");
    }
    // Stores often hold a few old certificates that rustls does not take: the others count.
    roots.add_parsable_certificates(native.certs.into_iter().chain(extra));
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn trouble(error: &legacy::Error, sent: &Sent) -> Trouble {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(refused @ dial::Error::NotPublic(_)) = cause.downcast_ref() {
            return Trouble::Forbidden(refused.to_string());
        }
        source = cause.source();
    }
    if error.is_connect() || sent.is_pending() {
        Trouble::Unreached(root(error))
    } else {
        Trouble::Broken(root(error))
    }
}

/// The innermost cause: the outer ones only say that something went wrong.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

/// A body that tells when it is asked for: from then on the request may arrive.
struct Watched {
    body: Option<Bytes>,
    sent: Sent,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.sent.written();
        Poll::Ready(self.body.take().map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}
