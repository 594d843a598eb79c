//! The composition root: the place where concrete types meet traits.
//!
//! [`App::start`] opens the store, starts the readers of the record (projections, engine, notifier) and then the
//! edge; [`App::stop`] ends them in the opposite order. Nothing else in this workspace knows all of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine::runtime::Engine;
use eventlog::checkpoint::VIEWS_FILE;
use eventlog::crypto;
use eventlog::nats::{self, Nats};
use eventlog::record::postgres::{Roster, Term};
use eventlog::record::{Record, Tail};
use notifier::listener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use crate::config::{Config, Roles};
use crate::damage;
use crate::home::Home;
use crate::http::dispatch::{Face, router};
use crate::http::state::{Settings, State, System};
use crate::lease::{Reactions, Worker, take_turns};
use crate::nats::Relaying;
use crate::parts::{self, ENGINE, LISTENERS, NOTIFIER, RELAY, Workers};
use crate::server::{self, Server, Tls};
use crate::shares::{Reached, match_shares};
use crate::{news, start};

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
    /// The data folder is not this server's.
    #[error("{0}")]
    DataDir(String),
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
    /// Where the record is; with it the lock on the data folder.
    home: Home,
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
        let home = Home::open(&config).await?;
        let record = home.record.clone();
        #[cfg(feature = "faults")]
        let record = eventlog::faults::Faulty::around(record);
        let (vault, cursor_key) = parts::opened(&config, &record).await?;
        // What comes is read once for all that follow it; with NATS, they get it from there. A store in a folder hands its
        // newest rows out by itself.
        let shared = home.database().is_some() || config.nats.is_some();
        let tail = shared.then(|| Tail::new(record.clone()));
        let untailed = record.clone();
        let checked = home.stored.clone();
        let record: Arc<dyn Record> = match &tail {
            Some(tail) => tail.clone(),
            None => record,
        };
        let settings = Settings {
            tenant_events_per_second: config.tenant_events_per_second,
            trusted_proxies: config.trusted_proxies.clone(),
            languages: config.languages,
            ..Settings::new(cursor_key)
        };
        let (system, workers) = parts::system(&config, &home, record, vault)?;
        let mut app = Self {
            address: config.listen,
            new_admin: None,
            edge: CancellationToken::new(),
            readers: CancellationToken::new(),
            edges: JoinSet::new(),
            tasks: JoinSet::new(),
            home,
        };
        if let Some(tail) = &tail {
            app.until_stopped(tail.clone().watch());
        }
        app.follow(&system);
        let head = system.record.domain_head().borrow().position;
        // What other servers do from here on is heeded as it comes.
        app.work(config.roles, workers);
        start::catch_up(&system.views, head).await?;
        start::finish_erasures(&system).await?;
        start::sweep(&system).await?;
        app.new_admin = start::admin(&system, config.admin.clone()).await?;
        let state = State::new(system, settings).map_err(|e| Error::Ended(e.to_string()))?;
        let state = Arc::new(state);
        if state.shared.is_some() {
            app.until_stopped(news::follow(state.clone(), head));
        }
        if let (Some(options), Some(tail)) = (&config.nats, tail) {
            app.distribute(options, &config, untailed, tail, &state).await?;
        }
        let hub = state.streams.hub.clone();
        app.until_stopped(hub.run(state.record.clone(), state.vault.clone()));
        // A server does not go on over a record that does not fit its checksums.
        app.unless_it_fails(async move { Err(damage::look_for(checked).await.into()) });
        app.listen(&state, &config).await?;
        Ok(app)
    }

    /// Runs something beside the rest that is dropped at the end.
    fn until_stopped(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.unless_it_fails(async move {
            work.await;
            Ok(())
        });
    }

    /// The same for what ends the server when it fails.
    fn unless_it_fails(&mut self, work: impl Future<Output = Result<(), Error>> + Send + 'static) {
        let stop = self.readers.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                ended = work => ended,
                () = stop.cancelled() => Ok(()),
            }
        });
    }

    /// Starts keeping the read models up.
    fn follow(&mut self, system: &System) {
        let runner =
            projections::Runner::new(system.views.clone(), system.record.clone(), system.vault.clone());
        self.unless_it_fails(async move { Err(runner.run().await.into()) });
    }

    /// Starts what this server does of all that one server does at a time; it stands by where another is at it.
    fn work(&mut self, roles: Roles, workers: Workers) {
        let Workers { engines, reached, notifier, listeners } = workers;
        if roles.engine {
            self.matching(engines, reached);
        }
        if roles.listeners {
            self.take_turns(LISTENERS, listeners);
        } else {
            listeners.elsewhere();
        }
        match roles.notifier {
            true => {
                let errands = self.home.errands(NOTIFIER);
                self.take_turns(NOTIFIER, Reactions { notifier, errands });
            }
            false => self.until_stopped(async move { notifier.decline().await }),
        }
    }

    /// Starts matching: all of it on a store in a folder, and what falls to this server on a database.
    fn matching(&mut self, engines: Vec<Engine>, reached: Reached) {
        let Some(record) = self.home.database() else {
            engines.into_iter().for_each(|engine| self.take_turns(ENGINE, engine));
            return;
        };
        let term = |engine: &Engine| Arc::new(Term::new(record.clone(), engine.share().name(ENGINE)));
        let terms = engines.iter().map(term).collect();
        let (roster, stop) = (Roster::of(record.clone(), ENGINE), self.readers.clone());
        self.tasks.spawn(match_shares(roster, engines, terms, reached, stop));
    }

    fn take_turns(&mut self, name: &'static str, worker: impl Worker + 'static) {
        let (lease, stop) = (self.home.lease(name), self.readers.clone());
        self.tasks.spawn(take_turns(lease, worker, stop));
    }

    /// Publishes rows to NATS, follows them there, and lets publishers in. NATS that is away is waited for, while all
    /// else goes on; NATS that is not what it has to be ends the server.
    async fn distribute(
        &mut self,
        options: &nats::Options,
        config: &Config,
        record: Arc<dyn Record>,
        tail: Arc<Tail>,
        state: &Arc<State>,
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
        let (lease, places) = (self.home.lease(RELAY), self.home.places(RELAY, &config.data_dir)?);
        let is_api = config.roles.api;
        self.tasks.spawn(async move {
            let connecting = async {
                match first {
                    Some(nats) => Ok(nats),
                    None => connected(options, &*record).await,
                }
            };
            let nats = tokio::select! {
                nats = connecting => nats?,
                () = stop.cancelled() => return Ok(()),
            };
            let relaying = Relaying { nats: nats.clone(), record, state: state.clone(), places };
            let receive = async {
                tokio::join!(nats::follow(tail, nats.clone()), async {
                    if is_api {
                        crate::nats::receive(&nats, &state).await;
                    }
                })
            };
            tokio::select! {
                ended = take_turns(lease, relaying, stop.clone()) => ended,
                _ = receive => Ok(()),
            }
        });
        Ok(())
    }

    /// Starts the edge.
    async fn listen(&mut self, state: &Arc<State>, config: &Config) -> Result<(), Error> {
        let tls = config.tls.as_ref().map(|(certificate, key)| Tls::load(certificate, key)).transpose()?;
        let limits = server::Limits { connections: config.max_connections, ..server::Limits::default() };
        let faces = match config.admin_listen {
            _ if !config.roles.api => vec![(config.listen, Face::Operator)],
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
