//! A row of SQLite, and the way back to [`Recorded`].
//!
//! The checksum covers every column, the position included: a row that was changed, or put in another's place, is
//! [`Error::Damaged`] and never read as something else.

use rusqlite::types::{FromSql, ValueRef};

use crate::record::row::Row;
use crate::record::{Error, Recorded};

impl<'a> Row<'a> {
    fn read(row: &'a rusqlite::Row<'_>) -> Result<(Self, i64), rusqlite::Error> {
        Ok((
            Self {
                position: row.get(0)?,
                stamp: row.get(1)?,
                tenant: borrowed(row, 2, ValueRef::as_str)?,
                aggregate_type: borrowed(row, 3, ValueRef::as_str)?,
                aggregate_id: borrowed(row, 4, ValueRef::as_str)?,
                sequence: row.get(5)?,
                event_type: borrowed(row, 6, ValueRef::as_str)?,
                event_version: borrowed(row, 7, ValueRef::as_str)?,
                payload: borrowed(row, 8, ValueRef::as_blob)?,
                metadata: borrowed(row, 9, ValueRef::as_str)?,
                customer: borrowed(row, 10, ValueRef::as_blob_or_null)?,
                partition: row.get(11)?,
                previous: row.get(12)?,
                config: row.get(13)?,
                event_id: borrowed(row, 14, ValueRef::as_blob_or_null)?,
                configures: row.get(15)?,
            },
            row.get(16)?,
        ))
    }
}

/// Reads a row and holds it against its checksum.
pub(super) fn decode(row: &rusqlite::Row<'_>) -> Result<Recorded, Error> {
    let place = || match i64::column_result(row.get_ref(0).unwrap_or(ValueRef::Null)) {
        Ok(position) => format!("position {position}"),
        Err(_) => "a row without a position".to_owned(),
    };
    let (stored, checksum) =
        Row::read(row).map_err(|error| Error::Damaged(format!("{}: {error}", place())))?;
    if i64::from(stored.checksum()) != checksum && !crate::broken!("no-checksum") {
        return Err(Error::Damaged(format!("{}: its checksum does not fit", place())));
    }
    stored.recorded().ok_or_else(|| Error::Damaged(format!("{}: not a row of this record", place())))
}

fn borrowed<'a, T>(
    row: &'a rusqlite::Row<'_>,
    column: usize,
    read: impl FnOnce(&ValueRef<'a>) -> rusqlite::types::FromSqlResult<T>,
) -> Result<T, rusqlite::Error> {
    let value = row.get_ref(column)?;
    read(&value).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, value.data_type(), Box::new(error))
    })
}
