//! What a server is started with.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use domain::dsl;
use eventlog::nats;
use notifier::endpoint::Bases;
use notifier::receipt::Public;
use notifier::runtime::Rate;

use crate::http::peer::Cidr;
use crate::memory::Memory;
use crate::server;

/// What a server does, of all that the servers on one database do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    /// Answers requests, over HTTP and NATS.
    pub api: bool,
    /// Matches, or stands by to.
    pub engine: bool,
    /// Runs reactions, or stands by to.
    pub notifier: bool,
    /// Listens at third parties, or stands by to.
    pub listeners: bool,
}

impl Roles {
    /// Everything.
    pub const ALL: Self = Self { api: true, engine: true, notifier: true, listeners: true };
    /// Nothing but to keep up.
    pub const NONE: Self = Self { api: false, engine: false, notifier: false, listeners: false };

    /// The roles of a list of words.
    pub fn of(words: &[Role]) -> Self {
        words.iter().fold(Self::NONE, |roles, word| match word {
            Role::All => Self::ALL,
            Role::Api => Self { api: true, ..roles },
            Role::Engine => Self { engine: true, ..roles },
            Role::Notifier => Self { notifier: true, ..roles },
            Role::Listeners => Self { listeners: true, ..roles },
            // Every server has read models of its own.
            Role::Projections => roles,
        })
    }
}

/// One word of `--role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// All of them.
    All,
    /// HTTP and NATS publishers.
    Api,
    /// Matching.
    Engine,
    /// Reactions.
    Notifier,
    /// Read models, which every server has of its own.
    Projections,
    /// Listeners.
    Listeners,
}

impl FromStr for Role {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Ok(match word {
            "all" => Self::All,
            "api" => Self::Api,
            "engine" => Self::Engine,
            "notifier" => Self::Notifier,
            "projections" => Self::Projections,
            "listeners" => Self::Listeners,
            _ => return Err("has to be all, api, engine, notifier, projections or listeners".into()),
        })
    }
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where health and metrics are served, if not there.
    pub admin_listen: Option<SocketAddr>,
    /// The folder that holds everything; beside a database, what this server can make anew.
    pub data_dir: PathBuf,
    /// The address of the database that holds the record, shared with other servers.
    pub database: Option<String>,
    /// What this server does.
    pub roles: Roles,
    /// The operator's master key, if it is not in the data folder.
    pub master_key_file: Option<PathBuf>,
    /// Events a second for each tenant; 0: no limit.
    pub tenant_events_per_second: u32,
    /// Connections at once.
    pub max_connections: usize,
    /// The certificate chain and its key, to serve the API over TLS.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Networks whose proxies are believed when they say where a request came from.
    pub trusted_proxies: Vec<Cidr>,
    /// Limits of the languages.
    pub languages: dsl::Limits,
    /// About how many bytes the engine may hold of customers' states.
    pub engine_memory: usize,
    /// With so many open reactions in memory, those that only wait are let out of it.
    pub reactions_in_memory: usize,
    /// Id and secret of the admin client that is made if there is none.
    pub admin: Option<(String, String)>,
    /// Whether tenants' URLs may lead to private addresses.
    pub allow_private_addresses: bool,
    /// Where the third parties are.
    pub bases: Bases,
    /// Where this server is reached from outside, so that third parties can say later what became of sends.
    pub public_url: Option<Public>,
    /// How long answers for augments are kept that do not say how long they may be.
    pub augment_cache: Duration,
    /// NATS, for publishers and many workers.
    pub nats: Option<nats::Options>,
    /// To which rates each tenant's sends to an endpoint keep.
    pub rates: Vec<(String, Rate)>,
    /// The longest pause before a listener tries again; `None`: what each third party asks for.
    pub listener_pause: Option<Duration>,
}

impl Config {
    /// The defaults.
    pub fn new(listen: SocketAddr, data_dir: &Path) -> Self {
        Self {
            listen,
            admin_listen: None,
            data_dir: data_dir.to_owned(),
            database: None,
            roles: Roles::ALL,
            master_key_file: None,
            tenant_events_per_second: 10_000,
            max_connections: server::Limits::default().connections,
            tls: None,
            trusted_proxies: Vec::new(),
            languages: dsl::Limits::default(),
            engine_memory: Memory::half().0,
            reactions_in_memory: notifier::runtime::Options::default().awake,
            admin: None,
            allow_private_addresses: false,
            bases: Bases::default(),
            public_url: None,
            augment_cache: Duration::from_secs(60),
            nats: None,
            rates: Vec::new(),
            listener_pause: None,
        }
    }
}
