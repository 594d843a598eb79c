//! Opening the store to read it, also beside a running server.

use std::path::PathBuf;
use std::sync::Arc;

use domain::ids::{Position, TenantId};
use eventlog::crypto::{self, Vault};
use eventlog::files::{FileStore, Files};
use eventlog::record::postgres::{self, PostgresRecord};
use eventlog::record::sqlite::{self, SqliteRecord};
use eventlog::record::{Record, Select, StreamId, StreamKind};

use super::Failure;

/// Which store.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// The folder that holds everything.
    #[arg(long, env = "CXENGAGE_DATA_DIR", default_value = "./data")]
    pub(super) data_dir: PathBuf,
    /// The PostgreSQL database that holds the record, if it is not in the data folder.
    #[arg(
        long,
        env = "CXENGAGE_DATABASE",
        hide_env_values = true,
        value_name = "URL",
        requires = "master_key_file"
    )]
    pub(super) database: Option<String>,
    /// The operator's master key; left out: the one in the data folder.
    #[arg(long, env = "CXENGAGE_MASTER_KEY_FILE")]
    pub(super) master_key_file: Option<PathBuf>,
}

/// An open store.
pub(super) struct Store {
    pub(super) record: Arc<dyn Record>,
    pub(super) vault: Arc<Vault>,
    pub(super) files: FileStore,
}

/// Rows read at a time.
pub(super) const PAGE: usize = 1_000;

impl Options {
    /// Opens the store to read it.
    pub(super) async fn open(&self) -> Result<Store, Failure> {
        let (record, files): (Arc<dyn Record>, Arc<dyn Files>) = match &self.database {
            Some(url) => {
                let store = PostgresRecord::open_read_only(postgres::Options::new(url)?).await?;
                (store.clone(), store)
            }
            None => {
                let store = SqliteRecord::open_read_only(&self.data_dir, sqlite::Options::default())?;
                (store.clone(), store)
            }
        };
        let file = crate::app::master_key_path(&self.data_dir, self.master_key_file.as_deref());
        let vault = Arc::new(Vault::new(record.clone(), crypto::MasterKeys::at(&file)?));
        vault.check_master_key().await?;
        Ok(Store { record, vault: vault.clone(), files: FileStore::new(files, vault) })
    }
}

impl Store {
    /// The tenant of that id.
    pub(super) async fn tenant(&self, id: &str) -> Result<TenantId, Failure> {
        let unknown = || Failure::Failed(format!("there is no tenant {id:?} in this store"));
        let tenant = TenantId::parse(id).ok_or_else(unknown)?;
        let stream = StreamId::new(&tenant, StreamKind::Tenant, id);
        let rows = self.record.read_after(Select::Stream(stream), Position(0), 1).await?;
        if rows.is_empty() { Err(unknown()) } else { Ok(tenant) }
    }
}

/// A time of the command line: RFC 3339.
pub(super) fn time(text: &str) -> Result<domain::time::Stamp, String> {
    domain::time::Stamp::from_rfc3339(text)
        .ok_or_else(|| format!("{text:?} is not a time like 2026-01-31T12:00:00Z"))
}
