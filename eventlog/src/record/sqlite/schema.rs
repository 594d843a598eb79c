//! The tables of `log.db`, their format number, and how a connection is set up.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::failed;
use crate::record::Error;

/// The format that this release reads and writes; kept in `user_version`.
pub(super) const FORMAT: u32 = 3;

/// How long a connection waits for another process's lock.
const BUSY: Duration = Duration::from_secs(10);

/// Statement `n` takes format `n` to `n + 1`.
const MIGRATIONS: [&str; FORMAT as usize] = [FORMAT_1, FORMAT_2, FORMAT_3];

/// The columns named as postgres-es has them stand beside our own; `sequence` is the position where the stream is
/// a customer's or a partition's marks, so that `events_stream` is the customer's timeline too.
const FORMAT_1: &str = "
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stamp INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    aggregate_type TEXT NOT NULL,
    aggregate_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    event_version TEXT NOT NULL,
    payload BLOB NOT NULL,
    metadata TEXT NOT NULL,
    customer BLOB,
    partition INTEGER,
    previous INTEGER,
    config INTEGER,
    event_id BLOB,
    configures INTEGER NOT NULL,
    checksum INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_stream ON events (aggregate_type, aggregate_id, sequence);
CREATE INDEX events_tenant ON events (tenant);
CREATE INDEX events_domain ON events (position) WHERE aggregate_type NOT IN ('customer', 'mark');
CREATE INDEX events_configuring ON events (configures) WHERE configures = 1;
CREATE INDEX events_configuring_tenant ON events (tenant) WHERE configures = 1;

CREATE TABLE partitions (partition INTEGER PRIMARY KEY, position INTEGER NOT NULL) STRICT;
CREATE TABLE configurations (tenant TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE leases (lease TEXT PRIMARY KEY, epoch INTEGER NOT NULL, owner TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE idempotency (
    day INTEGER NOT NULL,
    hash BLOB NOT NULL,
    position INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    PRIMARY KEY (day, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE keys (
    tenant TEXT NOT NULL,
    customer BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (tenant, customer)
) STRICT, WITHOUT ROWID;
";

/// Files, in pieces. In a B-tree of their own, with row ids: a piece is longer than a page.
const FORMAT_2: &str = "
CREATE TABLE files (
    tenant TEXT NOT NULL,
    file TEXT NOT NULL,
    number INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (tenant, file, number)
) STRICT;
";

/// Keys are written one after the other and overwritten where they are. In the order of their customers they would be
/// moved as others come in between, and a page keeps what has been moved away from it: bytes that no erasure finds.
const FORMAT_3: &str = "
ALTER TABLE keys RENAME TO keys_by_customer;
CREATE TABLE wrapped (place INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE keys (
    tenant TEXT NOT NULL,
    customer BLOB NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (tenant, customer)
) STRICT, WITHOUT ROWID;
INSERT INTO keys SELECT tenant, customer, row_number() OVER (ORDER BY tenant, customer) FROM keys_by_customer;
INSERT INTO wrapped SELECT keys.place, old.wrapped
    FROM keys JOIN keys_by_customer old ON old.tenant = keys.tenant AND old.customer = keys.customer
    ORDER BY keys.place;
DROP TABLE keys_by_customer;
";

/// Every commit is on the disk, macOS' own caches included.
const DURABLE: &str = "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;";

/// The writer's page cache, in KiB. While a file is smaller than 1 GiB, each commit after which pages of an index have been
/// numbered anew looks through the whole table of the cache (`pcache1TruncateUnsafe`), so a larger one costs more than it
/// gives: what is not in here is in the system's cache.
const CACHE: i64 = 16 * 1024;

/// What keys leave behind in their pages is overwritten; no page of theirs is ever let go of as a whole.
const OVERWRITING: &str = "PRAGMA secure_delete = FAST";

/// Opens the writer's connection: made or migrated, and durable at every commit.
pub(super) fn open_writer(path: &Path) -> Result<Connection, Error> {
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    // Before anything is changed, the journal mode included: a newer store is left as it is.
    let found = format(&connection)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
    connection.execute_batch(DURABLE).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -CACHE).map_err(failed)?;
    connection
        .execute_batch(
            "PRAGMA wal_autocheckpoint = 16384;
             PRAGMA journal_size_limit = 134217728;
             PRAGMA temp_store = MEMORY;
             PRAGMA secure_delete = ON;",
        )
        .map_err(failed)?;
    let synchronous: i64 =
        connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).map_err(failed)?;
    if mode != "wal" || synchronous != 2 {
        return Err(Error::Unavailable(format!(
            "{} cannot be made durable: journal mode {mode}, synchronous {synchronous}",
            path.display()
        )));
    }
    migrate(&mut connection, found)?;
    if found < FORMAT && !empty_log(&connection).map_err(failed)? {
        tracing::info!("what was before the migration is still in the write-ahead log, which a reader holds");
    }
    connection.execute_batch(OVERWRITING).map_err(failed)?;
    if crate::broken!("commit-without-fsync") {
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
    }
    Ok(connection)
}

/// Opens a connection that writes beside a server's; its format has to be this release's.
pub(super) fn open_beside(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.execute_batch(DURABLE).map_err(failed)?;
    connection.execute_batch(OVERWRITING).map_err(failed)?;
    of_this_release(connection)
}

/// Lets go of the write-ahead log, and so of what has been overwritten since. Not waited for: while a reader holds on to
/// what was, it stays until the next time, and nobody's commit is held up. Whether it has gone.
pub(super) fn empty_log(connection: &Connection) -> rusqlite::Result<bool> {
    connection.busy_timeout(Duration::ZERO)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(BUSY)?;
    Ok(!busy?)
}

/// Opens a connection that only reads; its format has to be this release's.
pub(super) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.execute_batch("PRAGMA cache_size = -4096; PRAGMA temp_store = MEMORY;").map_err(failed)?;
    // Each selection is two statements.
    connection.set_prepared_statement_cache_capacity(32);
    of_this_release(connection)
}

fn of_this_release(connection: Connection) -> Result<Connection, Error> {
    match format(&connection)? {
        FORMAT => Ok(connection),
        found => Err(Error::Format { found, supported: FORMAT }),
    }
}

fn format(connection: &Connection) -> Result<u32, Error> {
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    if found > FORMAT {
        return Err(Error::Format { found, supported: FORMAT });
    }
    Ok(found)
}

fn migrate(connection: &mut Connection, found: u32) -> Result<(), Error> {
    let transaction = connection.transaction().map_err(failed)?;
    for (statements, to) in MIGRATIONS.iter().zip(1u32..).skip(found as usize) {
        transaction.execute_batch(statements).map_err(failed)?;
        transaction.pragma_update(None, "user_version", to).map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}
