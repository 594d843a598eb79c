//! What handlers need from the rest of the system, in one place; the composition root fills it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::dsl;
use domain::ids::TenantId;
use eventlog::aggregates::Commands;
use eventlog::augment::Augmenter;
use eventlog::crypto::Vault;
use eventlog::customer_stream::Door;
use eventlog::files::FileStore;
use eventlog::record::postgres::{self, PostgresRecord};
use eventlog::record::{Item, Outcome, Record};
use notifier::listener;
use notifier::receipt::Addresses;
use notifier::runtime::Handle;
use projections::Views;

use super::body::Intake;
use super::cursor::Cursors;
use super::health::Readiness;
use super::metrics::Metrics;
use super::peer::Cidr;
use super::problem::Problem;
use super::rate::Rates;
use super::streams::Streams;
use crate::oauth::bearer::Grants;
use crate::oauth::secret::Secrets;
use crate::oauth::throttle::Throttle;
use crate::shares::Reached;

/// The parts of the system that handlers speak to.
#[derive(Clone)]
pub struct System {
    /// The record.
    pub record: Arc<dyn Record>,
    /// What opens what is sealed.
    pub vault: Arc<Vault>,
    /// The administrative aggregates.
    pub commands: Commands,
    /// The door of the customer event stream.
    pub door: Arc<Door>,
    /// What is uploaded.
    pub files: FileStore,
    /// What completes events.
    pub augmenter: Augmenter,
    /// Where providers say later what became of sends; none if this server cannot be reached from outside.
    pub receipts: Option<Addresses>,
    /// The read models.
    pub views: Views,
    /// What runs reactions.
    pub notifier: Handle,
    /// What listens at third parties.
    pub listeners: listener::Handle,
    /// Up to where matching has come, where this server has a part in it.
    pub engine: Option<Reached>,
    /// The database, where other servers write to the same record.
    pub shared: Option<Arc<PostgresRecord>>,
}

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Limits of the languages.
    pub languages: dsl::Limits,
    /// Events a second for each tenant; 0: no limit.
    pub tenant_events_per_second: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// The key of cursors; all servers of a system share it.
    pub cursor_key: [u8; 32],
    /// How long a handler may take.
    pub handler: Duration,
}

impl Settings {
    /// The defaults, with a key for cursors.
    pub fn new(cursor_key: [u8; 32]) -> Self {
        Self {
            languages: dsl::Limits::default(),
            tenant_events_per_second: 10_000,
            trusted_proxies: Vec::new(),
            cursor_key,
            handler: Duration::from_secs(30),
        }
    }
}

/// All of it, and what the edge itself keeps in mind.
pub struct State {
    system: System,
    /// What the operator sets.
    pub settings: Settings,
    /// What was asked so far.
    pub metrics: Metrics,
    /// Whether work should be sent here.
    pub readiness: Readiness,
    /// Room for bodies.
    pub intake: Intake,
    /// How many events a second each tenant may send.
    pub rates: Rates,
    /// Where next pages begin.
    pub cursors: Cursors,
    /// Whose turn it is to change a tenant's patterns, templates and augments.
    pub turns: Turns,
    /// What tokens grant.
    pub grants: Grants,
    /// Secrets' hashes.
    pub secrets: Secrets,
    /// Failed guesses.
    pub throttle: Throttle,
    /// The web sockets that are open, and the tickets to them.
    pub streams: Streams,
    /// Who waits for what other servers have written.
    catching_up: tokio::sync::Mutex<()>,
    run: u32,
    requests: AtomicU64,
}

impl std::ops::Deref for State {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl State {
    /// A state over a system.
    ///
    /// # Errors
    /// The random source fails.
    pub fn new(system: System, settings: Settings) -> Result<Self, getrandom::Error> {
        Ok(Self {
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            intake: Intake::default(),
            rates: Rates::new(settings.tenant_events_per_second),
            cursors: Cursors::new(settings.cursor_key),
            turns: Turns::default(),
            grants: Grants::default(),
            secrets: Secrets::default(),
            throttle: Throttle::default(),
            streams: Streams::default(),
            catching_up: tokio::sync::Mutex::default(),
            run: getrandom::u32()?,
            requests: AtomicU64::new(0),
            system,
            settings,
        })
    }

    /// An id for a request: unlike that of any other, in this run and others.
    pub fn next_request_id(&self) -> String {
        format!("{:08x}-{:x}", self.run, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// Waits until the read models have all that other servers have written by now; on a record that this server alone
    /// writes there is nothing to wait for.
    ///
    /// # Errors
    /// The record's; the read models are late.
    pub async fn catch_up(&self) -> Result<(), Problem> {
        if self.shared.is_none() {
            return Ok(());
        }
        // One at a time: many who ask in vain must not keep the record busy.
        let _turn = self.catching_up.lock().await;
        let end = self.record.append(vec![Item::default()]).await?.pop();
        if let Some(Outcome::Appended { last, .. }) = end {
            self.views.wait_for(last).await?;
        }
        Ok(())
    }

    /// Waits for a turn with a tenant's configuration, on all servers, and for what others have made of it by then.
    ///
    /// # Errors
    /// As [`catch_up`](Self::catch_up).
    pub async fn turn(&self, tenant: &TenantId) -> Result<Turn, Problem> {
        let here = self.turns.of(tenant).await;
        let everywhere = match &self.shared {
            Some(database) => Some(database.turn(tenant.as_str()).await?),
            None => None,
        };
        self.catch_up().await?;
        Ok(Turn { _here: here, _everywhere: everywhere })
    }

    /// The tenant of that id or uuid.
    ///
    /// # Errors
    /// The read models'.
    pub async fn tenant_named(&self, name: &str) -> Result<Option<TenantId>, Problem> {
        if let Some(known) = self.known_tenant(name).await? {
            return Ok(Some(known));
        }
        if self.shared.is_none() {
            return Ok(None);
        }
        // Another server may have made it a moment ago.
        self.catch_up().await?;
        self.known_tenant(name).await
    }

    async fn known_tenant(&self, name: &str) -> Result<Option<TenantId>, Problem> {
        if let Some(view) = self.views.tenant(&TenantId::from(name)).await? {
            return Ok(Some(view.id));
        }
        Ok(self.views.tenant_by_uuid(&name.to_ascii_lowercase()).await?.map(|view| view.id))
    }
}

/// A turn with a tenant's configuration, until it is dropped.
pub struct Turn {
    _here: tokio::sync::OwnedMutexGuard<()>,
    _everywhere: Option<postgres::Turn>,
}

/// One change at a time to a tenant's patterns and templates: what a pattern names must not be deleted meanwhile,
/// and two new ones must not race for an id.
#[derive(Default)]
pub struct Turns(Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for a turn with a tenant's configuration.
    pub async fn of(&self, tenant: &TenantId) -> tokio::sync::OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry(tenant.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }
}
