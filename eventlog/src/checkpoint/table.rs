//! The tables of checkpoints, and their checksums.

use std::path::Path;
use std::time::Duration;

use domain::ids::Position;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{Change, failed};
use crate::record::Error;

/// How long another's transaction is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// The table names carry the version of their shape: another shape is another table, filled anew.
const TABLES: &str = "
CREATE TABLE IF NOT EXISTS checkpoint_v2 (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, position INTEGER NOT NULL,
    rows INTEGER NOT NULL, sum INTEGER NOT NULL, checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS checkpoint_row_v2 (
    checkpoint INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, checksum INTEGER NOT NULL,
    UNIQUE (checkpoint, key)
) STRICT;
DROP TABLE IF EXISTS checkpoint_row_v1;
DROP TABLE IF EXISTS checkpoint_v1;
";

/// Opens a file, making it if need be.
pub(super) fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    connection.execute_batch(TABLES)?;
    Ok(connection)
}

/// What a checkpoint is, besides its rows.
#[derive(Clone, Copy)]
pub(super) struct Head {
    id: i64,
    pub position: Position,
    rows: i64,
    /// Of the checksums of the rows.
    sum: i64,
}

impl Head {
    fn checksum(&self, name: &str) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        crc.update(name.as_bytes());
        crc.update(&self.position.0.to_le_bytes());
        crc.update(&self.rows.to_le_bytes());
        crc.update(&self.sum.to_le_bytes());
        crc.finalize()
    }

    fn adds(&mut self, checksum: u32) {
        self.rows += 1;
        self.sum += i64::from(checksum);
    }

    fn loses(&mut self, checksum: u32) {
        self.rows -= 1;
        self.sum -= i64::from(checksum);
    }
}

/// The checkpoint of a name, if there is one.
pub(super) fn head(connection: &Connection, name: &str) -> Result<Option<Head>, Error> {
    let found: Option<(Head, u32)> = connection
        .prepare_cached("SELECT id, position, rows, sum, checksum FROM checkpoint_v2 WHERE name = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([name], |row| {
                    let position = Position(row.get(1)?);
                    Ok((Head { id: row.get(0)?, position, rows: row.get(2)?, sum: row.get(3)? }, row.get(4)?))
                })
                .optional()
        })
        .map_err(failed)?;
    match found {
        Some((head, checksum)) if differ(head.checksum(name), checksum) => Err(damaged(name, "its head")),
        found => Ok(found.map(|(head, _)| head)),
    }
}

/// Shows all rows of a checkpoint, in the order of their keys; its position.
pub(super) fn read(
    connection: &mut Connection,
    name: &str,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), Error>,
) -> Result<Option<Position>, Error> {
    // One snapshot: the rows have to be those of the position.
    let transaction = connection.transaction().map_err(failed)?;
    let Some(head) = head(&transaction, name)? else { return Ok(None) };
    let mut found = Head { rows: 0, sum: 0, ..head };
    let mut statement = transaction
        .prepare_cached(
            "SELECT key, value, checksum FROM checkpoint_row_v2 WHERE checkpoint = ?1 ORDER BY key",
        )
        .map_err(failed)?;
    let mut rows = statement.query([head.id]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let blob =
            |column| row.get_ref(column).map_err(failed)?.as_blob().map_err(|_| damaged(name, "a row"));
        let (key, value) = (blob(0)?, blob(1)?);
        let stored = row.get(2).map_err(failed)?;
        if differ(checksum(key, value), stored) {
            return Err(damaged(name, "a row"));
        }
        found.adds(stored);
        each(key, value)?;
    }
    if differ((found.rows, found.sum), (head.rows, head.sum)) {
        return Err(damaged(name, "the whole of its rows"));
    }
    Ok(Some(head.position))
}

/// The value of one row.
pub(super) fn get(connection: &Connection, name: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let found: Option<(Vec<u8>, u32)> = connection
        .prepare_cached(
            "SELECT value, checksum FROM checkpoint_row_v2 \
             WHERE checkpoint = (SELECT id FROM checkpoint_v2 WHERE name = ?1) AND key = ?2",
        )
        .and_then(|mut statement| {
            statement.query_row((name, key), |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
        .map_err(failed)?;
    match found {
        Some((value, stored)) if differ(checksum(key, &value), stored) => Err(damaged(name, "a row")),
        found => Ok(found.map(|(value, _)| value)),
    }
}

/// Sets rows and the position in one transaction.
pub(super) fn write(
    connection: &mut Connection,
    name: &str,
    position: Position,
    changes: impl Iterator<Item = Result<Change, Error>>,
) -> Result<(), Error> {
    crate::fault_point!("checkpoint.before");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let mut head = match head(&transaction, name)? {
        Some(head) => Head { position, ..head },
        None => {
            transaction
                .execute(
                    "INSERT INTO checkpoint_v2 (name, position, rows, sum, checksum) VALUES (?1, 0, 0, 0, 0)",
                    [name],
                )
                .map_err(failed)?;
            Head { id: transaction.last_insert_rowid(), position, rows: 0, sum: 0 }
        }
    };
    for change in changes {
        set(&transaction, &mut head, &change?).map_err(failed)?;
    }
    transaction
        .execute(
            "UPDATE checkpoint_v2 SET position = ?2, rows = ?3, sum = ?4, checksum = ?5 WHERE id = ?1",
            (head.id, position.0, head.rows, head.sum, head.checksum(name)),
        )
        .map_err(failed)?;
    crate::fault_point!("checkpoint.rows");
    transaction.commit().map_err(failed)?;
    crate::fault_point!("checkpoint.after");
    Ok(())
}

fn set(connection: &Connection, head: &mut Head, (key, value): &Change) -> Result<(), rusqlite::Error> {
    let old: Option<(i64, u32)> = connection
        .prepare_cached("SELECT rowid, checksum FROM checkpoint_row_v2 WHERE checkpoint = ?1 AND key = ?2")?
        .query_row((head.id, key), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((_, old)) = old {
        head.loses(old);
    }
    match (value, old) {
        (Some(value), old) => {
            let new = checksum(key, value);
            head.adds(new);
            match old {
                Some((row, _)) => connection
                    .prepare_cached(
                        "UPDATE checkpoint_row_v2 SET value = ?2, checksum = ?3 WHERE rowid = ?1",
                    )?
                    .execute((row, value, new))?,
                None => connection
                    .prepare_cached("INSERT INTO checkpoint_row_v2 VALUES (?1, ?2, ?3, ?4)")?
                    .execute((head.id, key, value, new))?,
            };
        }
        (None, Some((row, _))) => {
            connection.prepare_cached("DELETE FROM checkpoint_row_v2 WHERE rowid = ?1")?.execute([row])?;
        }
        (None, None) => {}
    }
    Ok(())
}

/// Forgets all of a name.
pub(super) fn forget(connection: &mut Connection, name: &str) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "DELETE FROM checkpoint_row_v2 WHERE checkpoint IN (SELECT id FROM checkpoint_v2 WHERE name = ?1)",
        [name],
    )?;
    transaction.execute("DELETE FROM checkpoint_v2 WHERE name = ?1", [name])?;
    transaction.commit()
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&(key.len() as u64).to_le_bytes());
    crc.update(key);
    crc.update(value);
    crc.finalize()
}

fn differ<T: PartialEq>(found: T, stored: T) -> bool {
    found != stored && !crate::broken!("no-checksum")
}

fn damaged(name: &str, what: &str) -> Error {
    Error::Damaged(format!("{what} of checkpoint {name} does not fit its checksum"))
}
