//! The embedded home: SQLite (WAL, `synchronous=FULL`), one writer thread that groups commits.
//!
//! `log.db` in the data folder is the record; a file lock keeps a second server out. Read next: `writer` (the
//! thread), `group` (a transaction: checks, then rows), `codec` (rows and their checksum), `reader`.

pub mod backup;
mod codec;
mod files;
mod group;
mod heads;
mod keys;
mod lock;
mod newest;
mod reader;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use domain::ids::{CustomerId, Position, TenantId};
use domain::time::Stamp;
use tokio::sync::watch;

use self::heads::Heads;
pub use self::keys::Keys;
pub use self::lock::FolderLock;
pub use self::newest::Newest;
use self::reader::{Page, Readers};
use self::writer::{Configurations, Writer};
use super::clock::{Clock, SystemClock};
use super::row::well_formed;
use super::window::Shared;
use super::{Error, Fence, Head, Item, Outcome, Record, Recorded, Select};

/// The file of the record in the data folder.
pub const LOG_FILE: &str = "log.db";

/// How the embedded record is run.
#[derive(Clone)]
pub struct Options {
    /// Where stamps come from.
    pub clock: Arc<dyn Clock>,
    /// How many queries run at a time.
    pub readers: usize,
    /// How many bytes of appends may wait; who sends more waits for room.
    pub queue_bytes: usize,
    /// How many items a group takes before it is committed.
    pub group_rows: usize,
    /// How many bytes a group takes before it is committed.
    pub group_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock::start()),
            readers: 4,
            queue_bytes: 64 << 20,
            group_rows: 4096,
            group_bytes: 8 << 20,
        }
    }
}

/// The record in a SQLite file.
pub struct SqliteRecord {
    readers: Readers,
    /// None where the record was opened for reading only.
    writer: Option<Writer>,
    configurations: Arc<Configurations>,
    /// The rows that were committed last.
    newest: Arc<Shared>,
    heads: Heads<watch::Receiver<Head>>,
    clock: Arc<dyn Clock>,
}

impl SqliteRecord {
    /// Opens the record of a data folder, making both if need be. The folder is locked until the record is dropped.
    ///
    /// # Errors
    /// [`Error::Locked`] while another server has it, [`Error::Format`] if a newer release made it,
    /// [`Error::Unavailable`] if it cannot be made durable.
    pub fn open(folder: &Path, options: Options) -> Result<Arc<Self>, Error> {
        let lock = FolderLock::take(folder)?;
        let path = folder.join(LOG_FILE);
        let connection = schema::open_writer(&path)?;
        sync_folder(folder)?;
        let state = group::State::load(&connection).map_err(failed)?;
        let ahead = state.head.stamp.0.saturating_sub(options.clock.now().0);
        if ahead > 1_000 {
            tracing::warn!(
                ahead_ms = ahead,
                "the clock is behind the record's last stamp: time stands still till then"
            );
        }
        let configurations = Arc::new(RwLock::new(state.configurations.clone()));
        let newest = Arc::new(Shared::after(state.head.position));
        let shown = (Arc::clone(&configurations), Arc::clone(&newest));
        let (writer, heads) = Writer::start(connection, lock, state, shown, &options)?;
        let readers = Readers::open(&path, options.readers)?;
        let clock = options.clock;
        Ok(Arc::new(Self { readers, writer: Some(writer), configurations, newest, heads, clock }))
    }

    /// Opens the record of a data folder for reading, beside a server that may be running; its head stays where it
    /// was found.
    ///
    /// # Errors
    /// [`Error::Format`] if another release made it, [`Error::Unavailable`] if there is none.
    pub fn open_read_only(folder: &Path, options: Options) -> Result<Arc<Self>, Error> {
        let path = folder.join(LOG_FILE);
        let connection = schema::open_reader(&path)?;
        let state = group::State::load(&connection).map_err(failed)?;
        let (_, heads) = Heads::at(state.head);
        let newest = Arc::new(Shared::after(state.head.position));
        let configurations = Arc::new(RwLock::new(state.configurations));
        let readers = Readers::open(&path, options.readers)?;
        Ok(Arc::new(Self { readers, writer: None, configurations, newest, heads, clock: options.clock }))
    }

    fn writer(&self) -> Result<&Writer, Error> {
        self.writer.as_ref().ok_or_else(|| Error::Unavailable("the record is open for reading only".into()))
    }

    async fn page(&self, select: Select, page: Page, limit: usize) -> Result<Vec<Recorded>, Error> {
        self.readers.read(move |connection| reader::page(connection, &select, page, limit)).await
    }
}

#[async_trait]
impl Record for SqliteRecord {
    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let writer = self.writer()?;
        items.iter().try_for_each(well_formed)?;
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
        self.page(select, Page::After(after), limit).await
    }

    async fn read_before(
        &self,
        select: Select,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        self.page(select, Page::Before(before), limit).await
    }

    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, Error> {
        let positions = positions.to_vec();
        self.readers.read(move |connection| reader::rows_at(connection, &positions)).await
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.heads.all.clone()
    }

    fn domain_head(&self) -> watch::Receiver<Head> {
        self.heads.domain.clone()
    }

    fn now(&self) -> Stamp {
        self.clock.now().max(self.heads.all.borrow().stamp)
    }

    async fn config_position(&self, tenant: &TenantId) -> Result<Position, Error> {
        let configurations = self.configurations.read().unwrap_or_else(PoisonError::into_inner);
        Ok(configurations.get(tenant).copied().unwrap_or_default())
    }

    async fn take_leases(&self, leases: &[String], owner: &str) -> Result<Vec<Fence>, Error> {
        self.writer()?.take_leases(leases.to_vec(), owner.to_owned()).await
    }

    async fn keys(
        &self,
        tenant: &TenantId,
        customers: &[Option<CustomerId>],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let (tenant, customers) = (tenant.clone(), customers.to_vec());
        self.readers.read(move |connection| reader::keys(connection, &tenant, &customers)).await
    }

    async fn erase(&self, tenant: &TenantId, customer: CustomerId) -> Result<bool, Error> {
        self.writer()?.erase(tenant.clone(), customer).await
    }

    async fn idempotent(&self, hash: [u8; 32]) -> Result<Option<Position>, Error> {
        let now = self.now().0;
        self.readers.read(move |connection| reader::used(connection, &hash, now).map_err(failed)).await
    }

    async fn fits_together(&self) -> Result<(), Error> {
        let check = reader::Check::default();
        let running = check.running();
        self.readers.read(move |connection| running.run(connection)).await
    }
}

fn make_folder(folder: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| unavailable_at(folder, &error))
}

/// Makes the names of new files last a power cut: their contents alone do not.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    let sync = |folder: &Path| std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    sync(folder).map_err(|error| unavailable_at(folder, &error))?;
    match folder.parent() {
        // Not ours, and perhaps not ours to open: it matters only when the folder was just made.
        Some(parent) if parent != Path::new("") => sync(parent).or_else(|error| {
            tracing::debug!(%error, "the folder above the data folder cannot be synced");
            Ok(())
        }),
        _ => Ok(()),
    }
}

fn unavailable(error: std::io::Error) -> Error {
    Error::Unavailable(error.to_string())
}

fn unavailable_at(path: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", path.display()))
}

/// Whether SQLite says that a file is torn or none of its own, or a value in it is not of its kind: no statement has
/// written that.
pub fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    match error {
        FromSqlConversionFailure(..)
        | IntegralValueOutOfRange(..)
        | InvalidColumnType(..)
        | Utf8Error(..) => true,
        _ => matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)),
    }
}

/// SQLite's failures in the terms of the port.
pub(crate) fn failed(error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::DiskFull;
    match error.sqlite_error_code() {
        _ if is_damage(&error) => Error::Damaged(error.to_string()),
        Some(DiskFull) => Error::Unavailable(super::FULL.to_owned()),
        _ => Error::Unavailable(error.to_string()),
    }
}
