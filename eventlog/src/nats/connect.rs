//! The connection to the NATS servers, and whether they can do what is asked of them.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, ServerAddr, jetstream};
use domain::ids::Position;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use crate::record::{self, Record, Select};

/// The first release whose consumers and streams do what they are told: older ones pass over in silence what they
/// do not know.
const OLDEST: (i64, i64, i64) = (2, 10, 0);

/// How long the first connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the servers are and how streams are kept there.
#[derive(Clone, Debug)]
pub struct Options {
    /// `nats://[user:password@]host[:port]` or `tls://…`; several, separated by commas, for a cluster.
    pub url: String,
    /// A credentials file (JWT and seed), as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca: Option<PathBuf>,
    /// The client's own certificate and key (PEM).
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// On how many servers each stream is kept.
    pub replicas: usize,
    /// How long rows are kept in the stream of the log; older ones are read from the record.
    pub retention: Duration,
}

impl Options {
    /// The defaults: one replica, a day.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: None,
            ca: None,
            certificate: None,
            replicas: 1,
            retention: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// What can be wrong with NATS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, or does not let us in.
    #[error("NATS at {url}: {reason}")]
    Connect {
        /// Where; without the password.
        url: String,
        /// Why not.
        reason: String,
    },
    /// A server is too old.
    #[error(
        "the NATS server has version {found}; 2.10 or newer is needed, since older ones pass over settings in silence"
    )]
    Old {
        /// What it says it is.
        found: String,
    },
    /// A stream is there with other settings.
    #[error("the stream {stream} is there with other settings: {differences}. Mend it with: {mend}")]
    Settings {
        /// Which.
        stream: &'static str,
        /// What differs.
        differences: String,
        /// The command that mends it.
        mend: String,
    },
    /// Another system keeps its streams there.
    #[error(
        "the stream {stream} belongs to another system (its record is {found}, this one's is {own}): give each its own NATS account"
    )]
    Foreign {
        /// Which.
        stream: &'static str,
        /// The other record.
        found: String,
        /// Ours.
        own: String,
    },
    /// The record cannot be read.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// JetStream does not do what it was asked to.
    #[error("JetStream: {0}")]
    JetStream(String),
}

/// A connection. Once made it is kept up: it reconnects by itself for as long as it takes.
#[derive(Clone)]
pub struct Nats {
    /// The plain client.
    pub client: Client,
    /// JetStream over it.
    pub jetstream: jetstream::Context,
    /// What it was made with.
    pub options: Options,
    /// Which record's rows are kept there.
    pub(super) own: String,
}

impl Nats {
    /// Connects for a record that has a first row, and makes sure of the server's version and of the streams.
    ///
    /// # Errors
    /// No server can be reached, it is too old, or a stream is there with other settings or another system's.
    pub async fn connect(options: Options, record: &dyn Record) -> Result<Self, Error> {
        let own = identity(record).await?;
        let url = without_password(&options.url);
        let failed = |reason: String| Error::Connect { url: url.clone(), reason };
        let servers = servers(&options.url).map_err(|error| failed(error.to_string()))?;
        let setup = setup(&options, &servers).await.map_err(|error| failed(error.to_string()))?;
        let client = tokio::time::timeout(CONNECT, setup.connect(servers))
            .await
            .map_err(|_| failed("no answer within 10 s".into()))?
            .map_err(|error| failed(error.to_string()))?;
        let found = client.server_info().version;
        if !client.is_server_compatible(OLDEST.0, OLDEST.1, OLDEST.2) {
            return Err(Error::Old { found });
        }
        let jetstream = jetstream::new(client.clone());
        let nats = Self { client, jetstream, options, own };
        super::streams::ensure(&nats).await?;
        Ok(nats)
    }

    /// Whether the connection is up just now.
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }
}

impl Error {
    /// Whether another try may mend it.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::JetStream(_) | Self::Record(record::Error::Unavailable(_))
        )
    }
}

/// What tells one record from another: a hash of its first row.
async fn identity(record: &dyn Record) -> Result<String, record::Error> {
    let rows = record.read_after(Select::All, Position(0), 1).await?;
    let first = rows.first().ok_or_else(|| record::Error::Unavailable("the record has no row yet".into()))?;
    let hash = Sha256::digest(super::message::encode(first));
    Ok(hex::encode(hash.get(..8).unwrap_or_default()))
}

fn servers(url: &str) -> std::io::Result<Vec<ServerAddr>> {
    url.split(',').map(|one| one.trim().parse()).collect()
}

/// Who the URLs say that we are: a user with a password, or a token alone. The client passes them over by itself.
fn logged_in(setup: ConnectOptions, servers: &[ServerAddr]) -> ConnectOptions {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let Some((server, user)) = servers.iter().find_map(|server| Some((server, server.username()?))) else {
        return setup;
    };
    match server.password() {
        Some(password) => setup.user_and_password(decoded(user), decoded(password)),
        None => setup.token(decoded(user)),
    }
}

async fn setup(options: &Options, servers: &[ServerAddr]) -> std::io::Result<ConnectOptions> {
    let mut setup = ConnectOptions::new()
        .name("cxengage")
        .ping_interval(Duration::from_secs(5))
        .reconnect_delay_callback(|attempt| {
            Duration::from_millis(100).saturating_mul(u32::try_from(attempt.min(20)).unwrap_or(20))
        })
        .event_callback(|event| async move { tracing::info!(%event, "NATS") });
    setup = logged_in(setup, servers);
    if let Some(file) = &options.credentials {
        setup = setup.credentials_file(file).await?;
    }
    if let Some(file) = &options.ca {
        setup = setup.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &options.certificate {
        setup = setup.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(setup)
}

/// A URL to show: what stands before the `@` is left out.
fn without_password(url: &str) -> String {
    let shown = url.split(',').map(|one| match (one.split_once("://"), one.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => one.to_owned(),
    });
    shown.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(without_password("nats://me:pa@ss@a:4222,nats://b:4222"), "nats://a:4222,nats://b:4222");
    }
}
