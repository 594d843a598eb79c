//! Where the record is: in the data folder, or in a database that other servers use as well.

use std::path::Path;
use std::sync::Arc;

use eventlog::checkpoint::{Checkpoints, Places};
use eventlog::files::Files;
use eventlog::record::postgres::{self, Errands, PostgresRecord, SharedPlaces, Term};
use eventlog::record::sqlite::{self, FolderLock, LOG_FILE, Newest, SqliteRecord};
use eventlog::record::{self, Record};

use crate::app::Error;
use crate::config::Config;
use crate::lease::Lease;

/// In a data folder beside a database: which store it goes with, and which of its servers this is.
const DATABASE: &str = "database";

/// The open record.
pub(crate) struct Home {
    /// As it is read and written to.
    pub(crate) record: Arc<dyn Record>,
    /// As it is stored.
    pub(crate) stored: Arc<dyn Record>,
    pub(crate) files: Arc<dyn Files>,
    /// The database's, where there is one, with the lock on the data folder.
    shared: Option<(Arc<PostgresRecord>, FolderLock)>,
}

impl Home {
    /// Opens it, and makes sure that the data folder goes with it and is no other server's.
    pub(crate) async fn open(config: &Config) -> Result<Self, Error> {
        let Some(url) = &config.database else {
            let beside = config.data_dir.join(DATABASE);
            if beside.exists() {
                return Err(misplaced(&beside, "it belongs to a server with --database"));
            }
            let store = SqliteRecord::open(&config.data_dir, store_options())?;
            let record = Newest::of(store.clone());
            return Ok(Self { record, stored: store.clone(), files: store, shared: None });
        };
        let lock = FolderLock::take(&config.data_dir)?;
        let log = config.data_dir.join(LOG_FILE);
        if log.exists() {
            return Err(misplaced(&log, "it holds a store of its own"));
        }
        let (server, store) = read(&config.data_dir)?;
        let mut options = postgres::Options::new(url)?;
        if let Some(server) = &server {
            options.server.clone_from(server);
        }
        #[cfg(feature = "faults")]
        if eventlog::faults::clock_off() != 0 {
            let clock = Arc::new(record::SystemClock::start());
            options.clock = Some(eventlog::faults::Bent::around(clock));
        }
        let server = options.server.clone();
        let record = PostgresRecord::open(options).await?;
        let found = record.store_id().await?;
        match store {
            None => write(&config.data_dir, &server, &found)?,
            Some(store) if store == found => {}
            Some(_) => {
                return Err(misplaced(&config.data_dir.join(DATABASE), "it goes with another database"));
            }
        }
        Ok(Self {
            record: record.clone(),
            stored: record.clone(),
            files: record.clone(),
            shared: Some((record, lock)),
        })
    }

    /// The database, where other servers may use it too.
    pub(crate) fn database(&self) -> Option<Arc<PostgresRecord>> {
        self.shared.as_ref().map(|(record, _)| record.clone())
    }

    /// The right to do what one server does at a time.
    pub(crate) fn lease(&self, name: &'static str) -> Lease {
        match &self.shared {
            Some((record, _)) => Lease::Shared(Arc::new(Term::new(record.clone(), name))),
            None => Lease::own(),
        }
    }

    /// The way to the server that has that right, where that may be another.
    pub(crate) fn errands(&self, name: &'static str) -> Option<Errands> {
        self.shared.as_ref().map(|(record, _)| Errands::to(record.clone(), name))
    }

    /// Where whoever has that right keeps its place.
    pub(crate) fn places(&self, lease: &'static str, data_dir: &Path) -> Result<Arc<dyn Places>, Error> {
        Ok(match &self.shared {
            Some((record, _)) => Arc::new(SharedPlaces::of(record.clone(), lease)),
            None => Arc::new(Checkpoints::open(data_dir)?),
        })
    }
}

/// Which server and which store a data folder is of, if it is of any yet.
fn read(folder: &Path) -> Result<(Option<String>, Option<String>), Error> {
    match std::fs::read_to_string(folder.join(DATABASE)) {
        Ok(text) => {
            let mut lines = text.lines().map(str::to_owned);
            Ok((lines.next(), lines.next()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((None, None)),
        Err(error) => Err(unwritable(folder, &error)),
    }
}

fn write(folder: &Path, server: &str, store: &str) -> Result<(), Error> {
    // Whole or not at all: what is there half would name a store that there is not.
    let (new, file) = (folder.join("database.new"), folder.join(DATABASE));
    std::fs::write(&new, format!("{server}\n{store}\n"))
        .and_then(|()| std::fs::rename(&new, &file))
        .map_err(|error| unwritable(folder, &error))
}

fn unwritable(folder: &Path, error: &std::io::Error) -> Error {
    record::Error::Unavailable(format!("{}: {error}", folder.join(DATABASE).display())).into()
}

fn misplaced(file: &Path, why: &str) -> Error {
    let folder = file.parent().unwrap_or(file).display();
    Error::DataDir(format!(
        "the data folder {folder} cannot be used: {why} ({}); give another with --data-dir, or an empty one",
        file.display()
    ))
}

/// How the embedded record is run.
fn store_options() -> sqlite::Options {
    let options = sqlite::Options::default();
    #[cfg(feature = "faults")]
    let options = sqlite::Options { clock: eventlog::faults::Bent::around(options.clock), ..options };
    options
}
