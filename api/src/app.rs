//! The composition root: the place where concrete types meet traits.
//!
//! [`App::start`] opens the store, starts the readers of the record (projections, engine, notifier) and then the
//! edge; [`App::stop`] ends them in the opposite order. Nothing else in this workspace knows all of them.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::client::{Client, Command, Scope};
use domain::dsl;
use domain::ids::{Position, TenantId};
use engine::runtime::Engine;
use eventlog::aggregates::Commands;
use eventlog::augment::Augmenter;
use eventlog::checkpoint::{Checkpoints, VIEWS_FILE};
use eventlog::crypto::{self, Vault};
use eventlog::customer_stream::Door;
use eventlog::files::FileStore;
use eventlog::nats::{self, Nats, Relay, Tail};
use eventlog::record::sqlite::{self, SqliteRecord};
use eventlog::record::{Metadata, Record, StreamId, StreamKind};
use notifier::augment::Apis;
use notifier::endpoint::http::{Http, Setup};
use notifier::endpoint::{Bases, Endpoints, Integrations, Outside};
use notifier::listener::{self, Listeners};
use notifier::receipt::{Addresses, Public};
use notifier::runtime::{Notifier, Rate};
use projections::Views;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::damage;
use crate::http::dispatch::{Face, router};
use crate::http::peer::Cidr;
use crate::http::state::{Settings, State, System};
use crate::memory::Memory;
use crate::oauth::secret;
use crate::server::{self, Server, Tls};

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where health and metrics are served, if not there.
    pub admin_listen: Option<SocketAddr>,
    /// The folder that holds everything.
    pub data_dir: PathBuf,
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
            master_key_file: None,
            tenant_events_per_second: 10_000,
            max_connections: server::Limits::default().connections,
            tls: None,
            trusted_proxies: Vec::new(),
            languages: dsl::Limits::default(),
            engine_memory: Memory::half().0,
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

/// Why a server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record's.
    #[error(transparent)]
    Record(#[from] eventlog::record::Error),
    /// The master key's.
    #[error(transparent)]
    MasterKey(#[from] crypto::MasterKeyError),
    /// The read models'.
    #[error(transparent)]
    Views(#[from] projections::Error),
    /// The engine's.
    #[error("the engine: {0}")]
    Engine(#[from] engine::runtime::Error),
    /// The notifier's.
    #[error("the notifier: {0}")]
    Notifier(#[from] notifier::runtime::Error),
    /// NATS is not what it has to be.
    #[error(transparent)]
    Nats(#[from] nats::Error),
    /// The listeners'.
    #[error("the listeners: {0}")]
    Listeners(#[from] listener::Error),
    /// An address cannot be listened on.
    #[error("{0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// There can be no TLS.
    #[error(transparent)]
    Tls(#[from] server::TlsError),
    /// The admin client cannot be made.
    #[error("the admin client cannot be made: {0}")]
    Admin(String),
    /// A part ended that should not have.
    #[error("{0}")]
    Ended(String),
}

/// A running server.
pub struct App {
    /// Where it listens, with the real port.
    pub address: SocketAddr,
    /// The admin client that was made with a random secret: id and secret, to be shown once.
    pub new_admin: Option<(String, String)>,
    /// Ends the edge.
    edge: CancellationToken,
    /// Ends the readers of the record.
    readers: CancellationToken,
    edges: JoinSet<Result<(), Error>>,
    tasks: JoinSet<Result<(), Error>>,
}

/// Where the operator's master key is.
pub fn master_key_path(data_dir: &Path, given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| data_dir.join("master.key"), Path::to_owned)
}

/// Where the read models are.
pub fn views_path(data_dir: &Path) -> PathBuf {
    data_dir.join(VIEWS_FILE)
}

/// How long the readers of the record may take to end.
const LET_GO: Duration = Duration::from_secs(20);

impl App {
    /// Starts a server; when this returns it answers.
    ///
    /// # Errors
    /// The store cannot be opened, an address cannot be listened on.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let store = SqliteRecord::open(&config.data_dir, store_options())?;
        let record: Arc<dyn Record> = store.clone();
        #[cfg(feature = "faults")]
        let record = eventlog::faults::Faulty::around(record);
        let key_file = master_key_path(&config.data_dir, config.master_key_file.as_deref());
        // A key is made for a new store only, and never where the operator says that one is.
        let make = config.master_key_file.is_none() && !Vault::has_master_key(&*record).await?;
        let master = if make { crypto::master_key_or_new(&key_file) } else { crypto::master_key(&key_file) }?;
        let vault = Arc::new(Vault::new(record.clone(), *master));
        vault.check_master_key().await?;
        // With NATS, the readers get their rows from there.
        let tail = config.nats.is_some().then(|| Tail::new(record.clone()));
        let home = record.clone();
        let record: Arc<dyn Record> = match &tail {
            Some(tail) => tail.clone(),
            None => record,
        };
        let settings = Settings {
            tenant_events_per_second: config.tenant_events_per_second,
            trusted_proxies: config.trusted_proxies.clone(),
            languages: config.languages,
            ..Settings::new(cursor_key(&master))
        };
        // The read models' file is made anew if it is torn, so it comes before the checkpoints in it.
        let views = Views::open(&views_path(&config.data_dir))?;
        let http = http(&config);
        let files = FileStore::new(store, vault.clone());
        let apis = Apis::new(http.clone(), config.augment_cache);
        let augmenter = Augmenter::new(files.clone(), Some(Arc::new(apis)));
        let door = Arc::new(Door::new(record.clone(), vault.clone()).augmented_by(augmenter.clone()));
        let engine = Engine::new(
            record.clone(),
            vault.clone(),
            Checkpoints::open_engine(&config.data_dir)?,
            engine_options(config.engine_memory),
        );
        let outside = outside(&config, http, &record, &vault);
        let receipts = outside.receipts.clone();
        let notifier = Notifier::new(
            record.clone(),
            vault.clone(),
            door.clone(),
            Arc::new(Checkpoints::open(&config.data_dir)?),
            endpoints(&config, &outside),
            notifier::runtime::Options {
                limits: dsl::Limits::STORED,
                ..notifier::runtime::Options::default()
            },
        );
        let listeners = Listeners::new(listener::Tools {
            record: record.clone(),
            door: door.clone(),
            checkpoints: Arc::new(Checkpoints::open(&config.data_dir)?),
            outside,
            longest_pause: config.listener_pause,
        });
        let system = System {
            commands: Commands::new(record.clone(), vault.clone()),
            door,
            files,
            augmenter,
            receipts,
            views,
            notifier: notifier.handle(),
            listeners: listeners.handle(),
            engine: engine.progress(),
            record,
            vault,
        };
        let mut app = Self {
            address: config.listen,
            new_admin: None,
            edge: CancellationToken::new(),
            readers: CancellationToken::new(),
            edges: JoinSet::new(),
            tasks: JoinSet::new(),
        };
        if let Some(tail) = &tail {
            app.watch(tail.clone());
        }
        app.follow(&system, engine, notifier, listeners);
        let head = system.record.head().borrow().position;
        catch_up(&system.views, head).await?;
        finish_erasures(&system).await?;
        sweep(&system).await?;
        app.new_admin = admin(&system, config.admin.clone()).await?;
        let state = State::new(system, settings).map_err(|e| Error::Ended(e.to_string()))?;
        let state = Arc::new(state);
        if let (Some(options), Some(tail)) = (&config.nats, tail) {
            let checkpoints = Checkpoints::open(&config.data_dir)?;
            app.distribute(options, home.clone(), tail, &state, checkpoints).await?;
        }
        app.stream(&state);
        app.look_for_damage(home);
        app.listen(&state, &config).await?;
        Ok(app)
    }

    /// Tells the readers of new rows, wherever they come from.
    fn watch(&mut self, tail: Arc<Tail>) {
        let stop = self.readers.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = tail.watch() => Ok(()),
                () = stop.cancelled() => Ok(()),
            }
        });
    }

    /// Starts the readers of the record.
    fn follow(&mut self, system: &System, engine: Engine, notifier: Notifier, listeners: Listeners) {
        let runner =
            projections::Runner::new(system.views.clone(), system.record.clone(), system.vault.clone());
        let stop = self.readers.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                error = runner.run() => Err(error.into()),
                () = stop.cancelled() => Ok(()),
            }
        });
        let stop = self.readers.clone().cancelled_owned();
        self.tasks.spawn(async move { Ok(engine.run(stop).await?) });
        let stop = self.readers.clone().cancelled_owned();
        self.tasks.spawn(async move { Ok(notifier.run(stop).await?) });
        let stop = self.readers.clone().cancelled_owned();
        self.tasks.spawn(async move { Ok(listeners.run(stop).await?) });
    }

    /// Publishes rows to NATS, follows them there, and lets publishers in. NATS that is away is waited for, while all
    /// else goes on; NATS that is not what it has to be ends the server.
    async fn distribute(
        &mut self,
        options: &nats::Options,
        record: Arc<dyn Record>,
        tail: Arc<Tail>,
        state: &Arc<State>,
        checkpoints: Checkpoints,
    ) -> Result<(), Error> {
        let first = match Nats::connect(options.clone(), &*record).await {
            Ok(nats) => Some(nats),
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "NATS is away: rows come from the record, publishers have to wait");
                None
            }
            Err(error) => return Err(error.into()),
        };
        let (options, state, stop) = (options.clone(), state.clone(), self.readers.clone());
        self.tasks.spawn(async move {
            let serve = async {
                let nats = match first {
                    Some(nats) => nats,
                    None => connected(options, &*record).await?,
                };
                let relay = Relay::new(nats.clone(), record);
                tokio::join!(
                    relay.run(),
                    tail.follow(nats.clone()),
                    crate::nats::run(nats, state, checkpoints)
                );
                Ok(())
            };
            tokio::select! {
                ended = serve => ended,
                () = stop.cancelled() => Ok(()),
            }
        });
        Ok(())
    }

    /// Starts holding the whole record against its checksums: a server does not go on over one that is damaged.
    fn look_for_damage(&mut self, record: Arc<dyn Record>) {
        let stop = self.readers.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                damage = damage::look_for(record) => Err(damage.into()),
                () = stop.cancelled() => Ok(()),
            }
        });
    }

    /// Starts handing out what generic sends say.
    fn stream(&mut self, state: &State) {
        let following = state.streams.hub.clone().run(state.record.clone(), state.vault.clone());
        let stop = self.readers.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = following => Ok(()),
                () = stop.cancelled() => Ok(()),
            }
        });
    }

    /// Starts the edge.
    async fn listen(&mut self, state: &Arc<State>, config: &Config) -> Result<(), Error> {
        let tls = config.tls.as_ref().map(|(certificate, key)| Tls::load(certificate, key)).transpose()?;
        let limits = server::Limits { connections: config.max_connections, ..server::Limits::default() };
        let faces = match config.admin_listen {
            None => vec![(config.listen, Face::All)],
            Some(admin) => vec![(admin, Face::Operator), (config.listen, Face::Api)],
        };
        for (address, face) in faces {
            let failed = |error| Error::Listen(address, error);
            let tls = tls.clone().filter(|_| face != Face::Operator);
            let server = Server::bind(address, limits).await.map_err(failed)?.with_tls(tls);
            self.address = server.address().map_err(failed)?;
            let (router, stop) = (router(state, face), self.edge.clone());
            self.edges.spawn(async move {
                if !server.serve(router, stop).await {
                    tracing::warn!("requests that took too long were cut off");
                }
                Ok(())
            });
        }
        Ok(())
    }

    /// Comes to its end when a part of the server does, with the reason.
    pub async fn failed(&mut self) -> Error {
        let ended = tokio::select! {
            Some(ended) = self.tasks.join_next() => ended,
            Some(ended) = self.edges.join_next() => ended,
        };
        match ended {
            Ok(Ok(())) => Error::Ended("a part of the server has ended".into()),
            Ok(Err(error)) => error,
            Err(panic) => Error::Ended(format!("a part of the server broke: {panic}")),
        }
    }

    /// Stops: takes no new work, lets what is in flight finish or leaves it in the log.
    pub async fn stop(mut self) {
        self.edge.cancel();
        while self.edges.join_next().await.is_some() {}
        self.readers.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(LET_GO, ended).await.is_err() {
            tracing::warn!("what is still under way is left in the log");
        }
    }
}

/// The one client for all that is outside.
fn http(config: &Config) -> Http {
    Http::new(Setup { allow_private_addresses: config.allow_private_addresses, ..Setup::default() })
}

/// Lets go of files that no augment names: of uploads that did not come to their end. Those of the last day may
/// still be on their way.
async fn sweep(system: &System) -> Result<(), Error> {
    let mut in_force = HashSet::new();
    for tenant in system.views.tenants().await? {
        let augments = system.views.augments(&tenant.id).await?;
        let files = augments.into_iter().filter_map(|augment| augment.definition.file);
        in_force.extend(files.map(|file| (tenant.id.clone(), file.id)));
    }
    let before = system.record.now().after(-24 * 60 * 60 * 1_000);
    let is_in_force = |tenant: &TenantId, file: &str| in_force.contains(&(tenant.clone(), file.to_owned()));
    Ok(system.files.sweep(before, is_in_force).await?)
}

/// How the record is run.
fn store_options() -> sqlite::Options {
    let options = sqlite::Options::default();
    #[cfg(feature = "faults")]
    let options = sqlite::Options { clock: eventlog::faults::Bent::around(options.clock), ..options };
    options
}

fn engine_options(memory: usize) -> engine::runtime::Options {
    let options = engine::runtime::Options { memory, ..engine::runtime::Options::default() };
    if eventlog::broken!("checkpoints-often") {
        return engine::runtime::Options { checkpoint_after: Duration::from_millis(20), ..options };
    }
    options
}

/// Connects to NATS, however long it is away.
async fn connected(options: nats::Options, record: &dyn Record) -> Result<Nats, Error> {
    loop {
        match Nats::connect(options.clone(), record).await {
            Ok(nats) => return Ok(nats),
            Err(error) if error.is_passing() => tokio::time::sleep(Duration::from_secs(2)).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The way out to third parties.
fn outside(config: &Config, http: Http, record: &Arc<dyn Record>, vault: &Arc<Vault>) -> Outside {
    Outside {
        http,
        integrations: Integrations::new(record.clone(), vault.clone()),
        bases: Arc::new(config.bases.clone()),
        receipts: config.public_url.clone().map(|public| Addresses::new(public, vault.clone())),
    }
}

/// Where sends go.
fn endpoints(config: &Config, outside: &Outside) -> Endpoints {
    let all = Endpoints::all(outside.clone());
    config.rates.iter().fold(all, |endpoints, (name, rate)| endpoints.limited(name, *rate))
}

/// Destroys keys whose erasure was noted, and then cut off by a crash.
async fn finish_erasures(system: &System) -> Result<(), Error> {
    for tenant in system.views.tenants().await? {
        let erasures = crypto::erasures(&*system.record, &tenant.id).await?;
        let finished = crypto::finish_erasures(&*system.record, &tenant.id, &erasures).await?;
        if finished > 0 {
            tracing::warn!(tenant = %tenant.id, finished, "erasures that were cut off have been finished");
        }
    }
    Ok(())
}

/// Makes an admin client where there is none; its id and secret if the secret was drawn here.
async fn admin(system: &System, given: Option<(String, String)>) -> Result<Option<(String, String)>, Error> {
    if system.views.has_admin().await? {
        return Ok(None);
    }
    let failed = |e: &dyn std::fmt::Display| Error::Admin(e.to_string());
    let drawn = given.is_none();
    let (id, secret) = match given {
        Some(given) => given,
        None => ("admin".to_owned(), secret::draw().map_err(|e| failed(&e))?),
    };
    let secret_hash = secret::hash_now(&secret).map_err(|e| failed(&e))?;
    let command = Command::Create {
        name: "admin".into(),
        secret_hash,
        scopes: vec![Scope::Admin],
        tenants: Vec::new(),
    };
    let stream = StreamId::new(&TenantId(String::new()), StreamKind::Client, id.as_str());
    let committed = system.commands.execute::<Client>(stream, command, Metadata::default()).await;
    let committed = committed.map_err(|e| failed(&e))?;
    system.views.wait_for(committed.position).await?;
    Ok(drawn.then_some((id, secret)))
}

/// Waits until the read models have taken the record in, however long it is.
async fn catch_up(views: &Views, head: Position) -> Result<(), Error> {
    while let Err(late) = views.wait_for(head).await {
        match late {
            projections::Error::Late { wanted, at } => {
                tracing::info!(%at, %wanted, "the read models catch up")
            }
            other => return Err(other.into()),
        }
    }
    Ok(())
}

/// The key of cursors: all servers of a system share it, and no one outside can make one.
fn cursor_key(master: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(b"cxengage cursors").chain_update(master).finalize().into()
}
