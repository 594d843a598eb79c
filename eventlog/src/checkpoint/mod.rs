//! Where readers of the record keep their place, with what they need to go on from there.
//!
//! All of it can be thrown away and is then made anew from the record. So a commit here need not outlive a power cut
//! (`synchronous=NORMAL`: the last ones may be missing, never half there). Each row has a checksum, and so has the
//! whole (position, number and sum of the rows): a bit that was turned, a row that is gone and a position that is not
//! the rows' are all noticed when it is read. Read next: `table`.

mod table;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::ids::Position;
use rusqlite::{Connection, OpenFlags};

use crate::record::Error;
use crate::record::sqlite::failed;
use crate::workers::Workers;

/// The file of everything that can be made anew, in the data folder; read models live there too.
pub const VIEWS_FILE: &str = "views.db";

/// The file of the engine's checkpoint, in the data folder: what it writes holds nobody else up.
pub const ENGINE_FILE: &str = "engine.db";

/// Keyed rows and a position, committed together.
#[derive(Clone)]
pub struct Checkpoints {
    connection: Arc<Workers<Connection>>,
    path: PathBuf,
    /// Whether nothing else lives in the file, so that a torn one can be replaced.
    alone: bool,
}

/// A row of a checkpoint: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

/// A row's key, and its new value; `None` deletes it.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// Where readers of the record keep their place together with a few rows, if need be where the next server finds them.
#[async_trait]
pub trait Places: Send + Sync + 'static {
    /// The last position committed under `name`, and its rows in the order of their keys.
    ///
    /// # Errors
    /// The store's; damaged rows are [`Error::Damaged`].
    async fn load(&self, name: &str) -> Result<Option<(Position, Vec<Row>)>, Error>;

    /// Sets rows and the position in one transaction.
    ///
    /// # Errors
    /// The store's; [`Error::Unavailable`] also where this is another server's to keep.
    async fn commit(&self, name: &str, position: Position, changes: Vec<Change>) -> Result<(), Error>;

    /// Forgets all of `name`.
    ///
    /// # Errors
    /// The store's.
    async fn forget(&self, name: &str) -> Result<(), Error>;
}

#[async_trait]
impl Places for Checkpoints {
    async fn load(&self, name: &str) -> Result<Option<(Position, Vec<Row>)>, Error> {
        Self::load(self, name).await
    }

    async fn commit(&self, name: &str, position: Position, changes: Vec<Change>) -> Result<(), Error> {
        Self::commit(self, name, position, changes).await
    }

    async fn forget(&self, name: &str) -> Result<(), Error> {
        Self::forget(self, name).await
    }
}

impl Checkpoints {
    /// Opens the checkpoints in [`VIEWS_FILE`] of a data folder, which has to be there.
    ///
    /// # Errors
    /// The store's.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        Self::at(folder.join(VIEWS_FILE), false)
    }

    /// Opens the checkpoints in [`ENGINE_FILE`] of a data folder, which has to be there. A torn file is replaced by
    /// an empty one.
    ///
    /// # Errors
    /// The store's.
    pub fn open_engine(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(ENGINE_FILE);
        match Self::at(path.clone(), true) {
            Err(Error::Damaged(error)) => {
                tracing::warn!(error, "the engine's checkpoint is torn; it is made anew from the record");
                remove(&path)?;
                Self::at(path, true)
            }
            other => other,
        }
    }

    fn at(path: PathBuf, alone: bool) -> Result<Self, Error> {
        let connection = table::open(&path).map_err(failed)?;
        let thread = Workers::start("checkpoint", [connection]);
        let thread = thread.map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self { connection: Arc::new(thread), path, alone })
    }

    /// The last position committed under `name`.
    ///
    /// # Errors
    /// The store's.
    pub async fn position(&self, name: &str) -> Result<Option<Position>, Error> {
        let name = name.to_owned();
        self.run(move |connection| Ok(table::head(connection, &name)?.map(|head| head.position))).await
    }

    /// The last position committed under `name`, and what `each` has made of its rows in the order of their keys, on a
    /// thread that may be blocked.
    ///
    /// # Errors
    /// The store's, and that of `each`; damaged rows are [`Error::Damaged`].
    pub async fn fold<S: Send + 'static>(
        &self,
        name: &str,
        mut state: S,
        mut each: impl FnMut(&mut S, &[u8], &[u8]) -> Result<(), Error> + Send + 'static,
    ) -> Result<Option<(Position, S)>, Error> {
        let name = name.to_owned();
        self.run(move |connection| {
            let position = table::read(connection, &name, |key, value| each(&mut state, key, value))?;
            Ok(position.map(|position| (position, state)))
        })
        .await
    }

    /// The last position committed under `name`, and its rows in the order of their keys.
    ///
    /// # Errors
    /// As [`Self::fold`].
    pub async fn load(&self, name: &str) -> Result<Option<(Position, Vec<Row>)>, Error> {
        let push = |rows: &mut Vec<Row>, key: &[u8], value: &[u8]| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(())
        };
        self.fold(name, Vec::new(), push).await
    }

    /// Sets rows and the position in one transaction, on a thread that may be blocked: `changes` may make them as they
    /// are asked for.
    ///
    /// # Errors
    /// The store's, and the first of the changes'.
    pub async fn commit_each<I>(&self, name: &str, position: Position, changes: I) -> Result<(), Error>
    where
        I: Iterator<Item = Result<Change, Error>> + Send + 'static,
    {
        let name = name.to_owned();
        self.run(move |connection| table::write(connection, &name, position, changes)).await
    }

    /// Sets rows and the position in one transaction.
    ///
    /// # Errors
    /// The store's.
    pub async fn commit(&self, name: &str, position: Position, changes: Vec<Change>) -> Result<(), Error> {
        self.commit_each(name, position, changes.into_iter().map(Ok)).await
    }

    /// Forgets all of `name`. Where nothing else lives in the file and it is torn, all of the file.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        let (name, path, alone) = (name.to_owned(), self.path.clone(), self.alone);
        self.run(move |connection| match table::forget(connection, &name).map_err(failed) {
            Err(Error::Damaged(error)) if alone => {
                tracing::warn!(error, "the engine's checkpoint is torn; its file is made anew");
                *connection = Connection::open_in_memory().map_err(failed)?;
                remove(&path)?;
                *connection = table::open(&path).map_err(failed)?;
                Ok(())
            }
            other => other,
        })
        .await
    }

    /// A reader of single rows, beside what is being written.
    ///
    /// # Errors
    /// The store's.
    pub fn rows(&self, name: &str) -> Result<Rows, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags).map_err(failed)?;
        connection.busy_timeout(table::PATIENCE).map_err(failed)?;
        Ok(Rows { connection: Mutex::new(connection), name: name.to_owned() })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let answer = self.connection.run(work).await;
        answer.map_err(|error| Error::Unavailable(format!("a checkpoint: {error}")))?
    }
}

/// Reads single rows of what was last committed under a name.
pub struct Rows {
    connection: Mutex<Connection>,
    name: String,
}

impl Rows {
    /// The value under a key. Blocks for as long as the disk does.
    ///
    /// # Errors
    /// The store's; a damaged row is [`Error::Damaged`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        table::get(&connection, &self.name, key)
    }
}

/// Removes a file of SQLite's and what belongs to it.
fn remove(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Unavailable(format!("{}: {error}", Path::new(&file).display())));
            }
            _ => {}
        }
    }
    Ok(())
}
