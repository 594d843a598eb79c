//! The parts of a server, put together.

use std::sync::Arc;
use std::time::Duration;

use domain::dsl;
use engine::runtime::Engine;
use eventlog::aggregates::Commands;
use eventlog::augment::Augmenter;
use eventlog::checkpoint::Checkpoints;
use eventlog::crypto::{MasterKeys, Vault};
use eventlog::customer_stream::Door;
use eventlog::files::FileStore;
use eventlog::record::{Record, Share};
use notifier::augment::Apis;
use notifier::endpoint::http::{Http, Setup};
use notifier::endpoint::{Endpoints, Integrations, Outside};
use notifier::listener::{self, Listeners};
use notifier::receipt::Addresses;
use notifier::runtime::Notifier;
use projections::Views;

use crate::app::{Error, master_key_path, views_path};
use crate::config::Config;
use crate::home::Home;
use crate::http::state::System;
use crate::lease::ToTheNotifier;
use crate::shares::{Reached, SHARES};

/// The parts that do what one server does at a time.
pub(crate) struct Workers {
    /// One for all partitions, or one for each share of them.
    pub(crate) engines: Vec<Engine>,
    pub(crate) reached: Reached,
    pub(crate) notifier: Notifier,
    pub(crate) listeners: Listeners,
}

/// The names of their leases.
pub(crate) const ENGINE: &str = "engine";
pub(crate) const NOTIFIER: &str = "notifier";
pub(crate) const LISTENERS: &str = "listeners";
pub(crate) const RELAY: &str = "relay";

/// What seals and opens, and the key of cursors. A master key is made for a new store only, and never where the operator says that
/// one is.
pub(crate) async fn opened(
    config: &Config,
    record: &Arc<dyn Record>,
) -> Result<(Arc<Vault>, [u8; 32]), Error> {
    let key_file = master_key_path(&config.data_dir, config.master_key_file.as_deref());
    let make = config.master_key_file.is_none() && !Vault::has_master_key(&**record).await?;
    let masters = if make { MasterKeys::at_or_new(&key_file) } else { MasterKeys::at(&key_file) }?;
    let vault = Arc::new(Vault::new(record.clone(), masters));
    vault.check_master_key().await?;
    let cursors = vault.cursor_key().await?;
    Ok((vault, cursors))
}

/// Puts the parts together.
pub(crate) fn system(
    config: &Config,
    home: &Home,
    record: Arc<dyn Record>,
    vault: Arc<Vault>,
) -> Result<(System, Workers), Error> {
    // The read models' file is made anew if it is torn, so it comes before the checkpoints in it.
    let views = Views::open(&views_path(&config.data_dir))?;
    let http = http(config);
    let files = FileStore::new(home.files.clone(), vault.clone());
    let apis = Apis::new(http.clone(), config.augment_cache);
    let augmenter = Augmenter::new(files.clone(), Some(Arc::new(apis)));
    let door = Arc::new(Door::new(record.clone(), vault.clone()).augmented_by(augmenter.clone()));
    let checkpoints = Checkpoints::open_engine(&config.data_dir)?;
    let shares = if home.database().is_some() { SHARES } else { 1 };
    let engines: Vec<Engine> = Share::each_of(shares)
        .map(|share| {
            let options = engine_options(share, config.engine_memory);
            Engine::new(record.clone(), vault.clone(), checkpoints.clone(), options)
        })
        .collect();
    let reached = match engines.as_slice() {
        [engine] => Reached::of_one(engine),
        engines => Reached::of_shares(engines),
    };
    let outside = outside(config, http, &record, &vault);
    let receipts = outside.receipts.clone();
    let notifier = Notifier::new(
        record.clone(),
        vault.clone(),
        door.clone(),
        home.places(NOTIFIER, &config.data_dir)?,
        endpoints(config, &outside),
        notifier_options(config),
    );
    let listeners = Listeners::new(listener::Tools {
        record: record.clone(),
        door: door.clone(),
        checkpoints: home.places(LISTENERS, &config.data_dir)?,
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
        notifier: match home.errands(NOTIFIER) {
            Some(errands) => notifier.handle().or_elsewhere(Arc::new(ToTheNotifier(errands))),
            None => notifier.handle(),
        },
        listeners: listeners.handle(),
        engine: config.roles.engine.then(|| reached.clone()),
        shared: home.database(),
        record,
        vault,
    };
    Ok((system, Workers { engines, reached, notifier, listeners }))
}

/// The one client for all that is outside.
fn http(config: &Config) -> Http {
    Http::new(Setup { allow_private_addresses: config.allow_private_addresses, ..Setup::default() })
}

fn engine_options(share: Share, memory: usize) -> engine::runtime::Options {
    let memory = memory / usize::from(share.of());
    let options = engine::runtime::Options { share, memory, ..engine::runtime::Options::default() };
    if eventlog::broken!("checkpoints-often") {
        return engine::runtime::Options { checkpoint_after: Duration::from_millis(20), ..options };
    }
    options
}

fn notifier_options(config: &Config) -> notifier::runtime::Options {
    notifier::runtime::Options {
        limits: dsl::Limits::STORED,
        awake: config.reactions_in_memory,
        ..notifier::runtime::Options::default()
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
