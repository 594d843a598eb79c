//! The limit of all appending: SQLite itself, with the record's own tables and the same fsyncs, and nothing around it.
//!
//! Included by its path, as `measure` is.

#![allow(dead_code, clippy::unwrap_used)]

use std::path::Path;

use eventlog::record::sqlite::{LOG_FILE, Options, SqliteRecord};
use rusqlite::Connection;

/// A row as long as the records of the benchmarks.
#[derive(Clone)]
pub struct Row {
    /// `customer`, `reaction`, ….
    pub kind: &'static str,
    /// The stream.
    pub id: String,
    /// Its number in there.
    pub version: i64,
    /// The stored name.
    pub event_type: String,
    /// What is stored.
    pub payload: Vec<u8>,
}

/// A record's tables without the record.
pub struct Bare {
    connection: Connection,
    position: i64,
}

impl Bare {
    /// The tables that a record makes in this folder, open for writing as the record has them: WAL, and synced at
    /// every commit.
    pub fn open(folder: &Path) -> Self {
        drop(SqliteRecord::open(folder, Options::default()).unwrap());
        let connection = Connection::open(folder.join(LOG_FILE)).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
                 PRAGMA wal_autocheckpoint = 16384; PRAGMA temp_store = MEMORY;",
            )
            .unwrap();
        Self { connection, position: 0 }
    }

    /// Commits rows in one transaction.
    pub fn commit<'r>(&mut self, rows: impl IntoIterator<Item = &'r Row>) {
        let transaction = self.connection.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare_cached(
                    "INSERT INTO events VALUES \
                     (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
                )
                .unwrap();
            for row in rows {
                self.position += 1;
                let in_sequence = row.kind == "customer";
                let sequence = if in_sequence { self.position } else { row.version };
                insert
                    .execute(rusqlite::params![
                        self.position,
                        1_704_067_200_000_i64,
                        "acme",
                        row.kind,
                        row.id,
                        sequence,
                        row.event_type,
                        "1",
                        row.payload,
                        "{}",
                        &[7_u8; 16][..],
                        self.position % 64,
                        in_sequence.then_some(self.position - 1),
                        in_sequence.then_some(2),
                        in_sequence.then_some(&[7_u8; 16][..]),
                        false,
                        4_000_000_000_i64,
                    ])
                    .unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}
