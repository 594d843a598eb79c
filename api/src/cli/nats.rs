//! Where NATS is, as the operator says.

use std::path::PathBuf;
use std::time::Duration;

use eventlog::nats;

/// NATS, for publishers and for many workers.
#[derive(clap::Args)]
#[group(skip)]
#[command(next_help_heading = "NATS")]
pub(super) struct Options {
    /// NATS servers with JetStream, 2.10 or newer: `nats://[user:password@]host[:port]` or `tls://…`; several for a
    /// cluster, separated by commas.
    #[arg(long = "nats", id = "nats", env = "CXENGAGE_NATS", hide_env_values = true, value_name = "URL")]
    url: Option<String>,
    /// The credentials file (JWT and seed) to connect with.
    #[arg(long, env = "CXENGAGE_NATS_CREDENTIALS", value_name = "FILE", requires = "nats")]
    nats_credentials: Option<PathBuf>,
    /// Certificates (PEM) to trust besides the system's.
    #[arg(long, env = "CXENGAGE_NATS_CA", value_name = "FILE", requires = "nats")]
    nats_ca: Option<PathBuf>,
    /// This server's own certificate (PEM) for NATS.
    #[arg(long, env = "CXENGAGE_NATS_CERT", value_name = "FILE", requires = "nats_key")]
    nats_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, env = "CXENGAGE_NATS_KEY", value_name = "FILE", requires = "nats_cert")]
    nats_key: Option<PathBuf>,
    /// On how many NATS servers each stream is kept.
    #[arg(long, env = "CXENGAGE_NATS_REPLICAS", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    nats_replicas: u8,
    /// For how many hours JetStream keeps rows of the record; older ones are read from the record itself.
    #[arg(long, env = "CXENGAGE_NATS_RETENTION_HOURS", value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8760))]
    nats_retention_hours: u32,
}

impl Options {
    /// What they say, if NATS is used at all.
    pub(super) fn options(self) -> Option<nats::Options> {
        let url = self.url?;
        Some(nats::Options {
            credentials: self.nats_credentials,
            ca: self.nats_ca,
            certificate: self.nats_cert.zip(self.nats_key),
            replicas: usize::from(self.nats_replicas),
            retention: Duration::from_secs(u64::from(self.nats_retention_hours) * 3_600),
            ..nats::Options::new(url)
        })
    }
}
