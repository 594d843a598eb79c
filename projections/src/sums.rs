//! A sum over the rows of each table, moved along by triggers in the transactions that change them: a row that was
//! changed otherwise shows when the file is opened next, and is never served.
//!
//! The sum does not depend on the order of the rows, and costs a hash of a row's old and new values when it changes.
//! It notices damage, not malice: nothing in it is secret.

use std::collections::BTreeMap;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension};

/// The table of sums.
pub(crate) const SUMS: &str = "CREATE TABLE IF NOT EXISTS sum_v1 (
    name TEXT PRIMARY KEY, sum INTEGER NOT NULL) STRICT, WITHOUT ROWID";

/// What follows a table's name in its triggers' names, and when each fires: with what it takes out and puts in.
const TRIGGERS: [(&str, &str, bool, bool); 3] = [
    ("_put", "AFTER INSERT", false, true),
    ("_set", "AFTER UPDATE", true, true),
    ("_cut", "AFTER DELETE", true, false),
];

type Result<T> = rusqlite::Result<T>;

/// Makes a writing connection able to keep the sums.
pub(crate) fn prepare(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("row_sum", -1, flags, |row| Ok(row_sum(row)))?;
    connection.create_scalar_function("sum_moved", 3, flags, |context| {
        let [sum, out, into] = [context.get::<i64>(0)?, context.get(1)?, context.get(2)?];
        Ok(sum.wrapping_sub(out).wrapping_add(into))
    })?;
    // A row that is replaced is a row that is deleted.
    connection.pragma_update(None, "recursive_triggers", true)
}

/// Keeps a sum of a table from now on; one that is empty, or has its sum already.
pub(crate) fn keep(connection: &Connection, table: &str) -> Result<()> {
    connection.execute("INSERT OR IGNORE INTO sum_v1 VALUES (?1, 0)", [table])?;
    let row =
        |which: &str| Ok::<_, rusqlite::Error>(format!("row_sum({})", columns(connection, table, which)?));
    for (suffix, when, out, into) in TRIGGERS {
        let out = if out { row("old.")? } else { "0".to_owned() };
        let into = if into { row("new.")? } else { "0".to_owned() };
        connection.execute_batch(&format!(
            "CREATE TRIGGER IF NOT EXISTS {table}{suffix} {when} ON {table} BEGIN
             UPDATE sum_v1 SET sum = sum_moved(sum, {out}, {into}) WHERE name = '{table}'; END"
        ))?;
    }
    Ok(())
}

/// Keeps no sum of a table any longer.
pub(crate) fn forget(connection: &Connection, table: &str) -> Result<()> {
    let_go(connection, table)?;
    connection.execute("DELETE FROM sum_v1 WHERE name = ?1", [table]).map(drop)
}

/// Before a table takes another's name: its triggers go, and its sum is the other's. [`keep`] makes them again.
pub(crate) fn rename(connection: &Connection, from: &str, to: &str) -> Result<()> {
    let_go(connection, from)?;
    forget(connection, to)?;
    connection.execute("UPDATE sum_v1 SET name = ?2 WHERE name = ?1", [from, to]).map(drop)
}

fn let_go(connection: &Connection, table: &str) -> Result<()> {
    TRIGGERS.iter().try_for_each(|(suffix, ..)| {
        connection.execute_batch(&format!("DROP TRIGGER IF EXISTS {table}{suffix}"))
    })
}

/// Whether the rows of a table are those that its sum is of.
pub(crate) fn fits(connection: &Connection, table: &str) -> Result<bool> {
    let stored: Option<i64> = connection
        .query_row("SELECT sum FROM sum_v1 WHERE name = ?1", [table], |row| row.get(0))
        .optional()?;
    let mut statement =
        connection.prepare(&format!("SELECT row_sum({}) FROM {table}", columns(connection, table, "")?))?;
    let rows = statement.query_map([], |row| row.get::<_, i64>(0))?;
    let sum = rows
        .map(|row| row.map(Some))
        .try_fold(0i64, |sum, row| row.map(|row| sum.wrapping_add(row.unwrap_or_default())))?;
    Ok(stored == Some(sum))
}

/// How each table, trigger and index is made, by its name.
pub(crate) fn shapes(connection: &Connection) -> Result<BTreeMap<String, String>> {
    let mut statement = connection
        .prepare("SELECT name, type || ' of ' || tbl_name || ': ' || coalesce(sql, '') FROM sqlite_schema")?;
    // A table that was renamed has its name in quotes.
    let shapes =
        statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?.replace('"', ""))))?;
    shapes.collect()
}

fn columns(connection: &Connection, table: &str, of: &str) -> Result<String> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1) ORDER BY cid")?;
    let names = statement.query_map([table], |row| Ok(format!("{of}{}", row.get::<_, String>(0)?)))?;
    Ok(names.collect::<Result<Vec<_>>>()?.join(", "))
}

/// FNV-1a over the values, each with its type and length.
fn row_sum(row: &Context<'_>) -> i64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for n in 0..row.len() {
        match row.get_raw(n) {
            ValueRef::Null => add(&[0]),
            ValueRef::Integer(number) => add(&[&[1][..], &number.to_le_bytes()].concat()),
            ValueRef::Real(number) => add(&[&[2][..], &number.to_le_bytes()].concat()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                add(&[&[3][..], &(bytes.len() as u64).to_le_bytes()].concat());
                add(bytes);
            }
        }
    }
    i64::from_ne_bytes(hash.to_ne_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        prepare(&connection).unwrap();
        connection.execute_batch(SUMS).unwrap();
        connection
            .execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE, c BLOB) STRICT")
            .unwrap();
        keep(&connection, "t").unwrap();
        connection
    }

    #[test]
    fn a_sum_moves_with_every_way_to_change_a_row() {
        let connection = table();
        for change in [
            "INSERT INTO t VALUES (1, 'a', x'01'), (2, 'b', NULL), (3, 'c', x'03')",
            "UPDATE t SET b = b || 'x' WHERE a < 3",
            "INSERT INTO t VALUES (1, 'n', NULL) ON CONFLICT (a) DO UPDATE SET c = x'0707'",
            "INSERT OR REPLACE INTO t VALUES (9, 'c', x'09')",
            "INSERT OR IGNORE INTO t VALUES (9, 'z', x'09')",
            "DELETE FROM t WHERE a = 2",
        ] {
            connection.execute_batch(change).unwrap();
            assert!(fits(&connection, "t").unwrap(), "{change}");
        }
        connection.execute_batch("DELETE FROM t").unwrap();
        assert!(fits(&connection, "t").unwrap());
    }

    #[test]
    fn a_change_behind_its_back_is_noticed_and_a_table_that_takes_a_name_keeps_its_sum() {
        let connection = table();
        connection.execute_batch("INSERT INTO t VALUES (1, 'a', x'01')").unwrap();
        connection.execute_batch("ALTER TABLE t RENAME TO s").unwrap();
        rename(&connection, "t", "s").unwrap();
        keep(&connection, "s").unwrap();
        connection.execute_batch("INSERT INTO s VALUES (2, 'b', NULL)").unwrap();
        assert!(fits(&connection, "s").unwrap());
        let_go(&connection, "s").unwrap();
        connection.execute_batch("UPDATE s SET b = 'c' WHERE a = 2").unwrap();
        assert!(!fits(&connection, "s").unwrap());
    }
}
