//! The home that many servers share: PostgreSQL.
//!
//! A batch is one statement that commits itself, a function (`schema.sql`): it locks the one row that holds the end
//! of the record, checks each item, inserts those that pass. So positions are gap-free and in commit order whoever
//! appends, and a server that is stopped in between holds up nobody: it holds no lock while it thinks. The record's
//! clock is the database's. Read next: `schema.sql`, `batch` (a group as lists), `writer`, `reader`, `follow`; then
//! `servers.sql` and `term` (what one of the servers does at a time), `workers.sql` and `roster` (what they share).

mod batch;
mod errands;
mod files;
mod follow;
mod keys;
mod reader;
mod roster;
mod schema;
#[cfg(test)]
mod servers_tests;
mod shared;
mod term;
#[cfg(test)]
mod tests;
mod turn;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::{CustomerId, Position, TenantId};
use domain::time::Stamp;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

pub use self::errands::Errands;
pub use self::keys::Keys;
use self::reader::Page;
pub use self::roster::{Presence, Present, Roster};
use self::shared::Shared;
pub use self::term::{LASTING, SharedPlaces, Term};
pub use self::turn::Turn;
use self::writer::Writer;
use super::row::well_formed;
use super::{Clock, Error, Fence, Head, Item, Outcome, Record, Recorded, Select};

/// How long a query waits for a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the record is run.
#[derive(Clone)]
pub struct Options {
    connect: PgConnectOptions,
    /// Who this server is, among those on the database: the same after a restart, and never another's.
    pub server: String,
    /// Where stamps come from; the database's own clock for `None`, as everywhere but in tests.
    pub clock: Option<Arc<dyn Clock>>,
    /// How many queries run at a time.
    pub readers: u32,
    /// How many bytes of appends may wait; who sends more waits for room.
    pub queue_bytes: usize,
    /// How many items a group takes before it is sent.
    pub group_items: usize,
    /// How many bytes a group takes before it is sent.
    pub group_bytes: usize,
}

impl Options {
    /// The defaults, for the database at this address (`postgres://user:password@host/database?sslmode=…`).
    ///
    /// # Errors
    /// [`Error::Unavailable`] for what is no address.
    pub fn new(url: &str) -> Result<Self, Error> {
        Ok(Self {
            connect: schema::options(url)?,
            server: format!("{:032x}", rand::random::<u128>()),
            clock: None,
            readers: 8,
            queue_bytes: 64 << 20,
            group_items: 4096,
            group_bytes: 8 << 20,
        })
    }
}

/// The record in a PostgreSQL database.
pub struct PostgresRecord {
    pool: PgPool,
    connect: PgConnectOptions,
    turns: Arc<Semaphore>,
    server: String,
    /// None where the record was opened for reading only.
    writer: Option<Writer>,
    shared: Arc<Shared>,
    clock: Option<Arc<dyn Clock>>,
    follower: Option<AbortHandle>,
}

impl PostgresRecord {
    /// Opens the record of a database, making or migrating its tables if need be.
    ///
    /// # Errors
    /// [`Error::Format`] if a newer release made it, [`Error::Unavailable`] if it cannot be reached or would lose
    /// what it accepts.
    pub async fn open(options: Options) -> Result<Arc<Self>, Error> {
        schema::open(&options.connect).await?;
        let (pool, shared) = Self::begin(&options).await?;
        let follower = tokio::spawn(follow::follow(pool.clone(), Arc::clone(&shared))).abort_handle();
        Ok(Arc::new(Self {
            pool,
            connect: options.connect.clone(),
            turns: turn::room(),
            server: options.server.clone(),
            writer: Some(Writer::start(&options, Arc::clone(&shared))),
            shared,
            clock: options.clock,
            follower: Some(follower),
        }))
    }

    /// Opens the record of a database for reading, beside the servers that may be running; its head stays where it
    /// was found.
    ///
    /// # Errors
    /// [`Error::Format`] if another release made it, [`Error::Unavailable`] if there is none.
    pub async fn open_read_only(options: Options) -> Result<Arc<Self>, Error> {
        let mut connection = schema::connect(&options.connect).await.map_err(failed)?;
        match schema::format(&mut connection).await? {
            Some(schema::FORMAT) => {}
            Some(found) => return Err(Error::Format { found, supported: schema::FORMAT }),
            None => return Err(Error::Unavailable("there is no store in this database".into())),
        }
        let (pool, shared) = Self::begin(&options).await?;
        let Options { connect, server, clock, .. } = options;
        let turns = turn::room();
        Ok(Arc::new(Self { pool, connect, turns, server, writer: None, shared, clock, follower: None }))
    }

    /// What tells this store from every other one.
    ///
    /// # Errors
    /// The database's.
    pub async fn store_id(&self) -> Result<String, Error> {
        sqlx::query_scalar("SELECT id FROM cxengage.store").fetch_one(&self.pool).await.map_err(failed)
    }

    /// Makes it another store, after a restore: what servers have made of rows that are no longer there is refused.
    ///
    /// # Errors
    /// The database's.
    pub async fn renew_store_id(&self) -> Result<(), Error> {
        self.writer()?;
        let statement = "UPDATE cxengage.store SET id = gen_random_uuid()::text";
        sqlx::query(statement).execute(&self.pool).await.map_err(failed)?;
        Ok(())
    }

    async fn begin(options: &Options) -> Result<(PgPool, Arc<Shared>), Error> {
        let pool = PgPoolOptions::new()
            // One more than the queries: the follower listens on a connection of its own.
            .max_connections(options.readers.max(1) + 1)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| Box::pin(schema::prepare(connection)))
            .connect_lazy_with(options.connect.clone());
        let shared = Arc::new(Shared::new());
        let mut connection = schema::through_the_crowd(|| pool.acquire()).await.map_err(failed)?;
        shared.refresh(&mut connection).await.map_err(failed)?;
        drop(connection);
        Ok((pool, shared))
    }

    async fn connection(&self) -> Result<PoolConnection<Postgres>, Error> {
        schema::through_the_crowd(|| self.pool.acquire()).await.map_err(failed)
    }

    fn writer(&self) -> Result<&Writer, Error> {
        self.writer.as_ref().ok_or_else(|| Error::Unavailable("the record is open for reading only".into()))
    }

    async fn page(&self, select: &Select, page: Page, limit: usize) -> Result<Vec<Recorded>, Error> {
        let mut connection = self.connection().await?;
        reader::page(&mut connection, select, page, limit).await
    }
}

impl Drop for PostgresRecord {
    fn drop(&mut self) {
        if let Some(follower) = &self.follower {
            follower.abort();
        }
    }
}

#[async_trait]
impl Record for PostgresRecord {
    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let writer = self.writer()?;
        items.iter().try_for_each(well_formed)?;
        items.iter().try_for_each(without_nul)?;
        if items.is_empty() {
            return Ok(Vec::new());
        }
        writer.append(items).await
    }

    async fn read_after(
        &self,
        select: Select,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        self.page(&select, Page::After(after), limit).await
    }

    async fn read_before(
        &self,
        select: Select,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        self.page(&select, Page::Before(before), limit).await
    }

    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, Error> {
        let mut connection = self.connection().await?;
        reader::rows_at(&mut connection, positions).await
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.shared.head()
    }

    fn now(&self) -> Stamp {
        match &self.clock {
            Some(clock) => clock.now().max(self.shared.head().borrow().stamp),
            None => self.shared.now(),
        }
    }

    async fn config_position(&self, tenant: &TenantId) -> Result<Position, Error> {
        Ok(self.shared.config_position(tenant))
    }

    async fn take_leases(&self, leases: &[String], owner: &str) -> Result<Vec<Fence>, Error> {
        self.writer()?;
        let epochs: Option<Vec<i64>> = sqlx::query_scalar("SELECT cxengage.take_leases($1, $2, $3)")
            .bind(leases)
            .bind(owner)
            .bind(&self.server)
            .fetch_one(&self.pool)
            .await
            .map_err(failed)?;
        let held = || Error::Unavailable(format!("another server holds {}", leases.join(", ")));
        let epochs = match epochs {
            None if !leases.is_empty() => return Err(held()),
            epochs => epochs.unwrap_or_default(),
        };
        let fence =
            |(lease, epoch): (&String, i64)| Fence { lease: lease.clone(), epoch: epoch.unsigned_abs() };
        Ok(leases.iter().zip(epochs).map(fence).collect())
    }

    async fn keys(
        &self,
        tenant: &TenantId,
        customers: &[Option<CustomerId>],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let mut connection = self.connection().await?;
        reader::keys(&mut connection, tenant, customers).await
    }

    async fn erase(&self, tenant: &TenantId, customer: CustomerId) -> Result<bool, Error> {
        self.writer()?;
        sqlx::query_scalar("SELECT cxengage.erase($1, $2)")
            .bind(tenant.as_str())
            .bind(&customer.0[..])
            .fetch_one(&self.pool)
            .await
            .map_err(failed)
    }

    async fn idempotent(&self, hash: [u8; 32]) -> Result<Option<Position>, Error> {
        let mut connection = self.connection().await?;
        reader::used(&mut connection, &hash, self.now().0).await
    }
}

/// PostgreSQL's texts hold every character but this one: refused here, it cannot fail a group of others.
fn without_nul(item: &Item) -> Result<(), Error> {
    let leases = item.fence.iter().map(|fence| fence.lease.as_str());
    let streams =
        item.writes.iter().flat_map(|write| [write.stream.tenant.as_str(), write.stream.id.as_str()]);
    let keys = item.keys.iter().map(|key| key.tenant.as_str());
    match leases.chain(streams).chain(keys).find(|name| name.contains('\0')) {
        None => Ok(()),
        Some(name) => Err(Error::Malformed(format!("a name with a NUL in it: {name:?}"))),
    }
}

/// The database's failures in the terms of the port.
fn failed(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code());
    match code.as_deref() {
        Some("XX001" | "XX002") => Error::Damaged(error.to_string()),
        _ => Error::Unavailable(error.to_string()),
    }
}
