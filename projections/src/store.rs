//! `views.db` as a file: opening, noticing damage, and writing a batch.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ids::Position;
use eventlog::record::sqlite::is_damage;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::Error;
use crate::entry::{Body, Entry};
use crate::model::{MODELS, Model, PLACES, PLACES_TABLE, Side, Target};
use crate::sums;

/// How long a statement waits for another process's transaction.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the file to write. One that is torn is thrown away: all of it can be made anew.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    match open_sound(path) {
        Err(Error::Store(error)) if is_damage(&error) => {
            tracing::warn!(path = %path.display(), %error, "the read models are damaged and are made anew");
            discard(path)?;
            open_sound(path)
        }
        other => other,
    }
}

fn open_sound(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(128);
    // NORMAL: after a power cut the last commits may be missing, places and rows together; they are made again.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    sums::prepare(&connection)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(damaged(verdict));
    }
    let transaction = Transaction::new_unchecked(&connection, TransactionBehavior::Immediate)?;
    make(&transaction)?;
    sound(&transaction)?;
    let live = Target { connection: &transaction, side: Side::Live };
    for model in MODELS {
        if live.place(model)?.is_none() {
            live.move_to(model, Position(0), 0)?;
        }
    }
    transaction.commit()?;
    Ok(connection)
}

/// Makes the tables that are not there.
fn make(connection: &Connection) -> Result<(), Error> {
    connection.execute_batch(sums::SUMS)?;
    connection.execute_batch(PLACES)?;
    sums::keep(connection, PLACES_TABLE)?;
    let live = Target { connection, side: Side::Live };
    MODELS.iter().try_for_each(|model| live.create(model))
}

/// Holds the tables against those of a new file, and their rows against their sums.
fn sound(connection: &Connection) -> Result<(), Error> {
    if eventlog::broken!("no-checksum") {
        return Ok(());
    }
    let new = Connection::open_in_memory()?;
    sums::prepare(&new)?;
    make(&new)?;
    let found = sums::shapes(connection)?;
    for (name, shape) in sums::shapes(&new)? {
        if found.get(&name) != Some(&shape) {
            return Err(damaged(format!("{name} does not have its shape")));
        }
    }
    for table in MODELS.iter().flat_map(|model| model.tables).chain([&PLACES_TABLE]) {
        if !sums::fits(connection, table)? {
            return Err(damaged(format!("the rows of {table} do not fit their sum")));
        }
    }
    Ok(())
}

fn damaged(what: String) -> Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(code, Some(what)).into()
}

fn discard(path: &Path) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Opens the file to read.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// Where the read model that is furthest behind stands.
pub(crate) fn furthest_behind(connection: &Connection) -> Result<Position, Error> {
    let live = Target { connection, side: Side::Live };
    let places = MODELS.iter().map(|model| Ok(live.place(model)?.unwrap_or_default()));
    Ok(places.collect::<Result<Vec<_>, Error>>()?.into_iter().min().unwrap_or_default())
}

/// Throws the rows of every read model away that stands after `end`: it knows more than the record does.
pub(crate) fn reset_beyond(connection: &mut Connection, end: Position) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let live = Target { connection: &transaction, side: Side::Live };
    for model in MODELS {
        if live.place(model)?.is_some_and(|place| place > end) {
            tracing::warn!(model = model.name, "a read model is ahead of the record and is made anew");
            live.drop(model)?;
            live.create(model)?;
            live.move_to(model, Position(0), 0)?;
        }
    }
    Ok(transaction.commit()?)
}

/// Takes a batch into every read model that has not had it: the entries after `after` up to `end`. Returns where
/// the read model that is furthest behind stands then.
pub(crate) fn apply(
    connection: &mut Connection,
    after: Position,
    end: Position,
    entries: &[Entry],
) -> Result<Position, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let live = Target { connection: &transaction, side: Side::Live };
    let mut least = Position(u64::MAX);
    for model in MODELS {
        let place = live.place(model)?.unwrap_or_default();
        if place < after {
            return Err(Error::Behind(place));
        }
        if place < end {
            take(model, &live, place, end, entries)?;
        }
        least = least.min(place.max(end));
    }
    transaction.commit()?;
    eventlog::fault_point!("views.commit.after");
    Ok(least)
}

/// Takes the entries after `place` up to `end` into one read model, and moves it there.
pub(crate) fn take(
    model: &Model,
    target: &Target<'_>,
    place: Position,
    end: Position,
    entries: &[Entry],
) -> Result<(), Error> {
    if eventlog::broken!("place-before-rows") {
        target.move_to(model, end, 0)?;
        target.connection.execute_batch("COMMIT; BEGIN IMMEDIATE")?;
    }
    let mut batch = (model.batch)();
    let mut erased = 0;
    for entry in entries.iter().filter(|entry| entry.position > place && entry.position <= end) {
        match entry.body {
            Body::Erased => erased += 1,
            Body::Other => {}
            _ => batch.take(entry, target)?,
        }
    }
    batch.finish(target)?;
    eventlog::fault_point!("views.rows");
    target.move_to(model, end, erased)
}
