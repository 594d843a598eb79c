//! Where readers of the record keep their place, with what they need to go on from there.
//!
//! Lives in `views.db`: all of it can be thrown away and is then made anew from the record. So a commit here need
//! not outlive a power cut (`synchronous=NORMAL`: the last ones may be missing, never half there).

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::ids::Position;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::record::Error;

/// The file of everything that can be made anew, in the data folder; read models live there too.
pub const VIEWS_FILE: &str = "views.db";

/// The table names carry the version of their shape: another shape is another table, filled anew.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS checkpoint_v1 (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, position INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS checkpoint_row_v1 (
    checkpoint INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (checkpoint, key)
) STRICT, WITHOUT ROWID;
";

/// Keyed rows and a position, committed together.
#[derive(Clone)]
pub struct Checkpoints {
    connection: Arc<Mutex<Connection>>,
}

/// A row of a checkpoint: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

impl Checkpoints {
    /// Opens the checkpoints of a data folder, which has to be there.
    ///
    /// # Errors
    /// The store's.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let connection = Connection::open(folder.join(VIEWS_FILE)).map_err(failed)?;
        connection.busy_timeout(Duration::from_secs(30)).map_err(failed)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384;
                 PRAGMA journal_size_limit = 67108864;",
            )
            .map_err(failed)?;
        connection.execute_batch(TABLES).map_err(failed)?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// The last position committed under `name`, and its rows in the order of their keys.
    ///
    /// # Errors
    /// The store's; damaged rows are [`Error::Damaged`].
    pub async fn load(&self, name: &str) -> Result<Option<(Position, Vec<Row>)>, Error> {
        let name = name.to_owned();
        self.run(move |connection| {
            // One snapshot: the rows have to be those of the position.
            let transaction = connection.transaction().map_err(failed)?;
            let found: Option<(i64, u64)> = transaction
                .query_row("SELECT id, position FROM checkpoint_v1 WHERE name = ?1", [&name], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()
                .map_err(failed)?;
            let Some((id, position)) = found else { return Ok(None) };
            let rows = rows(&transaction, id, &name)?;
            Ok(Some((Position(position), rows)))
        })
        .await
    }

    /// Sets rows (`None` deletes) and the position in one transaction.
    ///
    /// # Errors
    /// The store's.
    pub async fn commit(
        &self,
        name: &str,
        position: Position,
        changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), Error> {
        let name = name.to_owned();
        self.run(move |connection| write(connection, &name, position, &changes).map_err(failed)).await
    }

    /// Forgets all of `name`.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.run(move |connection| forget(connection, &name).map_err(failed)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let connection = Arc::clone(&self.connection);
        let work = move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|error| Error::Unavailable(format!("a checkpoint ended early: {error}")))?
    }
}

fn rows(connection: &Connection, id: i64, name: &str) -> Result<Vec<Row>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT key, value, checksum FROM checkpoint_row_v1 WHERE checkpoint = ?1 ORDER BY key",
        )
        .map_err(failed)?;
    let rows = statement
        .query_map([id], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, u32>(2)?))
        })
        .map_err(failed)?;
    rows.map(|row| {
        let (key, value, stored) = row.map_err(failed)?;
        if checksum(&key, &value) == stored {
            Ok((key, value))
        } else {
            Err(Error::Damaged(format!("a row of checkpoint {name}: its checksum does not fit")))
        }
    })
    .collect()
}

fn write(
    connection: &mut Connection,
    name: &str,
    position: Position,
    changes: &[(Vec<u8>, Option<Vec<u8>>)],
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let id: i64 = transaction.query_row(
        "INSERT INTO checkpoint_v1 (name, position) VALUES (?1, ?2) \
         ON CONFLICT DO UPDATE SET position = excluded.position RETURNING id",
        (name, position.0),
        |row| row.get(0),
    )?;
    {
        let mut set = transaction.prepare_cached(
            "INSERT INTO checkpoint_row_v1 VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
        )?;
        let mut delete =
            transaction.prepare_cached("DELETE FROM checkpoint_row_v1 WHERE checkpoint = ?1 AND key = ?2")?;
        for (key, value) in changes {
            match value {
                Some(value) => set.execute((id, key, value, checksum(key, value)))?,
                None => delete.execute((id, key))?,
            };
        }
    }
    transaction.commit()
}

fn forget(connection: &mut Connection, name: &str) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "DELETE FROM checkpoint_row_v1 WHERE checkpoint IN (SELECT id FROM checkpoint_v1 WHERE name = ?1)",
        [name],
    )?;
    transaction.execute("DELETE FROM checkpoint_v1 WHERE name = ?1", [name])?;
    transaction.commit()
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&(key.len() as u64).to_le_bytes());
    crc.update(key);
    crc.update(value);
    crc.finalize()
}

fn failed(error: rusqlite::Error) -> Error {
    crate::record::sqlite::failed(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, value: &str) -> Row {
        (key.into(), value.into())
    }

    #[tokio::test]
    async fn rows_and_position_are_committed_together_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        assert_eq!(checkpoints.load("engine").await.unwrap(), None);
        let set = |key: &str, value: &str| (key.into(), Some(value.into()));
        checkpoints.commit("engine", Position(3), vec![set("b", "2"), set("a", "1")]).await.unwrap();
        checkpoints.commit("other", Position(1), vec![set("a", "x")]).await.unwrap();
        checkpoints.commit("engine", Position(5), vec![(b"b".to_vec(), None), set("c", "3")]).await.unwrap();
        drop(checkpoints);

        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        let expected = vec![row("a", "1"), row("c", "3")];
        assert_eq!(checkpoints.load("engine").await.unwrap(), Some((Position(5), expected)));
        checkpoints.forget("engine").await.unwrap();
        assert_eq!(checkpoints.load("engine").await.unwrap(), None);
        assert_eq!(checkpoints.load("other").await.unwrap(), Some((Position(1), vec![row("a", "x")])));
    }

    #[tokio::test]
    async fn a_row_that_was_changed_behind_its_back_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        checkpoints.commit("engine", Position(1), vec![(b"a".to_vec(), Some(b"1".to_vec()))]).await.unwrap();
        let other = Connection::open(folder.path().join(VIEWS_FILE)).unwrap();
        other.execute("UPDATE checkpoint_row_v1 SET value = x'32'", []).unwrap();
        assert!(matches!(checkpoints.load("engine").await, Err(Error::Damaged(_))));
    }
}
