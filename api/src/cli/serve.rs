//! `cxengage serve`: the server. One line on stdout when it is ready, and nothing else there.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use domain::dsl;
use notifier::receipt::Public;

use super::third_parties::ThirdParties;
use super::{Failure, Outcome, say};
use crate::app::{App, Config, Roles};
use crate::config::Role;
use crate::http::peer::Cidr;
use crate::memory::Memory;

#[derive(clap::Args)]
pub(super) struct Options {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "CXENGAGE_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where health, metrics and their like are served instead of on --listen.
    #[arg(long, env = "CXENGAGE_ADMIN_LISTEN")]
    admin_listen: Option<SocketAddr>,
    /// The folder that holds everything; made if it is not there. With --database: what this server can make anew.
    #[arg(long, env = "CXENGAGE_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// A PostgreSQL database (13 or newer) that holds everything, for many servers:
    /// postgres://user:password@host/database?sslmode=…; the data folder then is this server's own.
    #[arg(
        long,
        env = "CXENGAGE_DATABASE",
        hide_env_values = true,
        value_name = "URL",
        requires = "master_key_file"
    )]
    database: Option<String>,
    /// What this server does of what the servers on one database do: all, or some of api, engine, notifier, projections,
    /// listeners. One server at a time matches, runs reactions, listens; the others stand by.
    #[arg(long, env = "CXENGAGE_ROLE", value_name = "ROLES", value_delimiter = ',', default_value = "all")]
    role: Vec<Role>,
    /// The operator's master key: 32 bytes, base64. Left out: one is made in the data folder on the first start. With
    /// --database it has to be given.
    #[arg(long, env = "CXENGAGE_MASTER_KEY_FILE")]
    master_key_file: Option<PathBuf>,
    /// How many events a tenant may send in a second, on average over two; 0: as many as it likes.
    #[arg(long, env = "CXENGAGE_TENANT_EVENTS_PER_SECOND", default_value_t = 10_000)]
    tenant_events_per_second: u32,
    /// How many connections are held at once; more are turned away.
    #[arg(long, env = "CXENGAGE_MAX_CONNECTIONS", default_value_t = 10_240)]
    max_connections: usize,
    /// The certificate chain (PEM, the server's own first) to serve the API over TLS.
    #[arg(long, env = "CXENGAGE_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, env = "CXENGAGE_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A network whose proxies are believed when they say where a request came from (X-Forwarded-For); may be given
    /// more than once, or as a list.
    #[arg(long, env = "CXENGAGE_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    trusted_proxy: Vec<Cidr>,
    #[command(flatten)]
    languages: Languages,
    /// How much memory the engine may take for what customers have contributed, 16MiB or more; the coldest of what is
    /// over it is kept on disk.
    #[arg(long, env = "CXENGAGE_ENGINE_MEMORY", value_name = "BYTES", default_value_t = Memory::half(), value_parser = engine_memory)]
    engine_memory: Memory,
    /// With so many open reactions in memory, those that only wait (for a time, an event, their turn to send) are let out
    /// of it, and read back from the record when that comes.
    #[arg(long, env = "CXENGAGE_REACTIONS_IN_MEMORY", value_name = "NUMBER", default_value_t = notifier::runtime::Options::default().awake)]
    reactions_in_memory: usize,
    /// The id of the admin client that is made on the first start.
    #[arg(long, env = "CXENGAGE_ADMIN_CLIENT_ID", requires = "admin_client_secret")]
    admin_client_id: Option<String>,
    /// Its secret. Left out: a random one is made and printed once, on stderr.
    #[arg(long, env = "CXENGAGE_ADMIN_CLIENT_SECRET", hide_env_values = true, requires = "admin_client_id")]
    admin_client_secret: Option<String>,
    /// Let tenants' webhooks reach private addresses: for development.
    #[arg(long, env = "CXENGAGE_ALLOW_PRIVATE_ADDRESSES")]
    allow_private_addresses: bool,
    /// Where this server is reached from outside: Twilio is then asked to say what becomes of messages and calls, and
    /// SendGrid can be told to. Left out: nobody is asked.
    #[arg(long, env = "CXENGAGE_PUBLIC_URL", value_name = "URL", value_parser = Public::parse)]
    public_url: Option<Public>,
    #[command(flatten)]
    nats: super::nats::Options,
    #[command(flatten)]
    third_parties: ThirdParties,
    /// What is logged, to stderr: error, warn, info, debug, trace, or by module (`engine=debug,info`).
    #[arg(long, env = "CXENGAGE_LOG", default_value = "info")]
    log: String,
    /// Log JSON lines instead of text.
    #[arg(long, env = "CXENGAGE_LOG_JSON")]
    log_json: bool,
}

/// Limits of the languages.
#[derive(clap::Args)]
struct Languages {
    /// The longest `when` or `then`, in bytes.
    #[arg(long, env = "CXENGAGE_PROGRAM_BYTES", default_value_t = dsl::Limits::default().source)]
    program_bytes: usize,
    /// How deep a program's parentheses may nest.
    #[arg(long, env = "CXENGAGE_PROGRAM_DEPTH", default_value_t = dsl::Limits::default().depth)]
    program_depth: usize,
    /// How many forms a program may have.
    #[arg(long, env = "CXENGAGE_PROGRAM_FORMS", default_value_t = dsl::Limits::default().forms)]
    program_forms: usize,
    /// The greatest `count`.
    #[arg(long, env = "CXENGAGE_PATTERN_COUNT", default_value_t = dsl::Limits::default().count)]
    pattern_count: u64,
    /// What a pattern may hold for one customer at worst, in bytes.
    #[arg(long, env = "CXENGAGE_PATTERN_STATE", default_value_t = dsl::Limits::default().state)]
    pattern_state: usize,
}

impl Languages {
    fn limits(&self) -> dsl::Limits {
        dsl::Limits {
            source: self.program_bytes,
            depth: self.program_depth,
            forms: self.program_forms,
            count: self.pattern_count,
            state: self.pattern_state,
            ..dsl::Limits::default()
        }
    }
}

/// With less than this, keeping the account of what is on disk would leave no room for anything else.
const LEAST_ENGINE_MEMORY: Memory = Memory(16 << 20);

fn engine_memory(text: &str) -> Result<Memory, String> {
    let memory: Memory = text.parse().map_err(|error: crate::memory::NoMemory| error.to_string())?;
    match memory.0 >= LEAST_ENGINE_MEMORY.0 {
        true => Ok(memory),
        false => Err(format!("{memory} is too little: at least {LEAST_ENGINE_MEMORY}")),
    }
}

pub(super) fn run(options: Options) -> Outcome {
    crate::telemetry::start(&options.log, options.log_json).map_err(Failure::Usage)?;
    super::block_on(async move {
        let tls = options.tls_cert.zip(options.tls_key);
        let scheme = if tls.is_some() { "https" } else { "http" };
        if tls.is_none() && !options.listen.ip().is_loopback() {
            tracing::warn!(listen = %options.listen, "a public address without TLS: give --tls-cert and --tls-key, or put a proxy before it");
        }
        let roles = Roles::of(&options.role);
        if options.database.is_none() && roles != Roles::ALL {
            let why = "--role needs --database: a store in a folder has one server, which does everything";
            return Err(Failure::Usage(why.into()));
        }
        let config = Config {
            database: options.database,
            roles,
            tls,
            admin_listen: options.admin_listen,
            master_key_file: options.master_key_file,
            tenant_events_per_second: options.tenant_events_per_second,
            max_connections: options.max_connections,
            trusted_proxies: options.trusted_proxy,
            languages: options.languages.limits(),
            engine_memory: options.engine_memory.0,
            reactions_in_memory: options.reactions_in_memory,
            admin: options.admin_client_id.zip(options.admin_client_secret),
            allow_private_addresses: options.allow_private_addresses,
            augment_cache: options.third_parties.augment_cache(),
            nats: options.nats.options(),
            rates: options.third_parties.rates(),
            listener_pause: options.third_parties.listener_pause(),
            bases: options.third_parties.bases(),
            public_url: options.public_url,
            ..Config::new(options.listen, &options.data_dir)
        };
        let stop = stop_signal()?;
        let mut app = App::start(config).await?;
        if let Some((id, secret)) = &app.new_admin {
            say(&format!(
                "admin client id      {id}\nadmin client secret  {secret}\nThis secret is shown once: keep it."
            ));
        }
        writeln!(std::io::stdout(), "listening on {scheme}://{}", app.address)?;
        std::io::stdout().flush()?;
        let code = tokio::select! {
            () = stop => ExitCode::SUCCESS,
            failure = app.failed() => {
                tracing::error!(%failure, "stopping");
                ExitCode::FAILURE
            }
        };
        app.stop().await;
        Ok(code)
    })
}

/// Comes to its end with SIGTERM or SIGINT; listened for from before the server is ready.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
