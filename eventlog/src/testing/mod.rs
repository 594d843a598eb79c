//! For tests of this crate and of those above it: a record in a folder that goes away, and a clock that is set.
//!
//! Read next: [`contract`], what every home of the record has to keep, and [`postgres`], a database of the tests' own.

pub mod contract;
mod nats;
pub mod postgres;

pub use nats::NatsServer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::ids::{ClientId, TenantId};
use domain::time::Stamp;
use domain::{client, tenant};
use tempfile::TempDir;

use crate::aggregates::Commands;
use crate::augment::Augmenter;
use crate::checkpoint::Checkpoints;
use crate::crypto::Vault;
use crate::customer_stream::Door;
use crate::files::FileStore;
use crate::record::sqlite::{Options, SqliteRecord};
use crate::record::{Clock, Metadata, Record, StreamId, StreamKind};

/// The master key of every test's vault.
pub const MASTER: [u8; 32] = [7; 32];

/// A clock that stands still until it is set.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this time.
    pub fn at(stamp: Stamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(stamp.0)))
    }

    /// Sets it, forward or back.
    pub fn set(&self, stamp: Stamp) {
        self.0.store(stamp.0, Ordering::SeqCst);
    }

    /// Moves it on by so many milliseconds.
    pub fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Stamp {
        Stamp(self.0.load(Ordering::SeqCst))
    }
}

/// A record in a folder of its own, which goes away with it. All that it opens on the same folder shares its clock.
pub struct TempRecord {
    /// The record.
    pub record: Arc<SqliteRecord>,
    /// The record's clock; it shows 2024-01-01 at first.
    pub clock: Arc<ManualClock>,
    // Last: the folder goes when nothing uses it any more.
    folder: TempDir,
}

impl Default for TempRecord {
    fn default() -> Self {
        Self::new()
    }
}

impl TempRecord {
    /// An empty record.
    ///
    /// # Panics
    /// If the machine has no room for temporary files.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let clock = ManualClock::at(Stamp(1_704_067_200_000));
        let record = open(folder.path(), &clock);
        Self { record, clock, folder }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Closes the record and opens it again. The caller must have let go of all that holds it.
    ///
    /// # Panics
    /// If something still holds the record.
    #[must_use]
    pub fn reopen(self) -> Self {
        let Self { record, clock, folder } = self;
        drop(record);
        let record = open(folder.path(), &clock);
        Self { record, clock, folder }
    }

    /// The folder and the record, for a test that opens it in its own way.
    pub fn into_parts(self) -> (TempDir, Arc<SqliteRecord>) {
        (self.folder, self.record)
    }

    /// A vault under [`MASTER`].
    pub fn vault(&self) -> Arc<Vault> {
        Arc::new(Vault::new(self.record.clone(), MASTER))
    }

    /// Commands with a vault of their own.
    pub fn commands(&self) -> Commands {
        Commands::new(self.record.clone(), self.vault())
    }

    /// A door with a vault of its own, and augments that ask nobody.
    pub fn door(&self) -> Door {
        Door::new(self.record.clone(), self.vault()).augmented_by(Augmenter::new(self.file_store(), None))
    }

    /// The files beside the record.
    pub fn file_store(&self) -> FileStore {
        FileStore::new(self.record.clone(), self.vault())
    }

    /// The checkpoints beside the record.
    ///
    /// # Panics
    /// If they cannot be opened.
    pub fn checkpoints(&self) -> Checkpoints {
        Checkpoints::open(self.folder.path()).expect("checkpoints beside the record")
    }

    /// The engine's checkpoints beside the record.
    ///
    /// # Panics
    /// If they cannot be opened.
    pub fn engine_checkpoints(&self) -> Checkpoints {
        Checkpoints::open_engine(self.folder.path()).expect("checkpoints beside the record")
    }

    /// Makes a tenant, with this key attribute.
    ///
    /// # Panics
    /// If it is there already.
    pub async fn tenant(&self, id: &str, key: &str) -> TenantId {
        let tenant = TenantId::from(id);
        let stream = StreamId::new(&tenant, StreamKind::Tenant, id);
        let create = tenant::Command::Create { name: id.to_owned(), uuid: id.to_lowercase() };
        let set = tenant::Command::SetKeyAttribute { expected: None, key: key.to_owned() };
        for command in [create, set] {
            let done =
                self.commands().execute::<tenant::Tenant>(stream.clone(), command, Metadata::default()).await;
            done.expect("a new tenant");
        }
        tenant
    }

    /// Makes a client with every right, whose secret nobody knows.
    ///
    /// # Panics
    /// If it is there already.
    pub async fn client(&self, id: &str) -> ClientId {
        let command = client::Command::Create {
            name: id.to_owned(),
            secret_hash: String::new(),
            scopes: client::Scope::ALL.to_vec(),
            tenants: Vec::new(),
        };
        let stream = StreamId::new(&TenantId(String::new()), StreamKind::Client, id);
        let done = self.commands().execute::<client::Client>(stream, command, Metadata::default()).await;
        done.expect("a new client");
        ClientId::from(id)
    }
}

impl contract::Home for TempRecord {
    fn record(&self) -> Arc<dyn Record> {
        self.record.clone()
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn reopen(self) -> Self {
        TempRecord::reopen(self)
    }
}

fn open(folder: &Path, clock: &Arc<ManualClock>) -> Arc<SqliteRecord> {
    let options = Options { clock: Arc::clone(clock) as _, ..Options::default() };
    SqliteRecord::open(folder, options).expect("a record in the test's folder")
}
