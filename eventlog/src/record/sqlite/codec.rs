//! A row as it is stored, its checksum, and the way back to [`Recorded`].
//!
//! The checksum covers every column, the position included: a row that was changed, or put in another's place, is
//! [`Error::Damaged`] and never read as something else.

use domain::ids::{CustomerId, EventId, Partition, Position, TenantId};
use domain::time::Stamp;
use rusqlite::types::{FromSql, ValueRef};

use crate::record::{Error, Metadata, Recorded, StreamId, StreamKind};

/// The columns, in the order in which they are bound and read.
pub(super) const COLUMNS: &str = "position, stamp, tenant, aggregate_type, aggregate_id, sequence, event_type, \
     event_version, payload, metadata, customer, partition, previous, config, event_id, configures, checksum";

/// A row, borrowed from what is to be stored or from what was read.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) position: i64,
    pub(super) stamp: i64,
    pub(super) tenant: &'a str,
    pub(super) aggregate_type: &'a str,
    pub(super) aggregate_id: &'a str,
    pub(super) sequence: i64,
    pub(super) event_type: &'a str,
    pub(super) event_version: &'a str,
    pub(super) payload: &'a [u8],
    pub(super) metadata: &'a str,
    pub(super) customer: Option<&'a [u8]>,
    pub(super) partition: Option<i64>,
    pub(super) previous: Option<i64>,
    pub(super) config: Option<i64>,
    pub(super) event_id: Option<&'a [u8]>,
    pub(super) configures: bool,
}

/// `aggregate_id` of a stream: `tenant/id`; no tenant's id has a slash.
pub(super) fn aggregate_id(stream: &StreamId) -> String {
    format!("{}/{}", stream.tenant, stream.id)
}

/// A position as SQLite has it; there is no record of 2^63 rows.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl<'a> Row<'a> {
    pub(super) fn checksum(&self) -> u32 {
        let mut crc = Crc(crc32fast::Hasher::new());
        for number in [self.position, self.stamp, self.sequence, i64::from(self.configures)] {
            crc.0.update(&number.to_le_bytes());
        }
        for text in [
            self.tenant,
            self.aggregate_type,
            self.aggregate_id,
            self.event_type,
            self.event_version,
            self.metadata,
        ] {
            crc.bytes(text.as_bytes());
        }
        crc.bytes(self.payload);
        for bytes in [self.customer, self.event_id] {
            crc.0.update(&[u8::from(bytes.is_some())]);
            crc.bytes(bytes.unwrap_or_default());
        }
        for number in [self.partition, self.previous, self.config] {
            crc.0.update(&[u8::from(number.is_some())]);
            crc.0.update(&number.unwrap_or_default().to_le_bytes());
        }
        crc.0.finalize()
    }

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

    /// The row in the terms of the port; `None` if a column holds what was never written there.
    fn recorded(&self) -> Option<Recorded> {
        let tenant = TenantId::from(self.tenant);
        let id = self.aggregate_id.strip_prefix(self.tenant)?.strip_prefix('/')?;
        let position = |n: i64| u64::try_from(n).ok().map(Position);
        Some(Recorded {
            position: position(self.position)?,
            stamp: Stamp(self.stamp),
            stream: StreamId { tenant, kind: StreamKind::from_name(self.aggregate_type)?, id: id.to_owned() },
            version: u64::try_from(self.sequence).ok()?,
            customer: known(self.customer, |bytes| bytes.try_into().ok().map(CustomerId))?,
            partition: known(self.partition, |n| u8::try_from(n).ok().map(Partition))?,
            previous: known(self.previous, position)?,
            config: known(self.config, position)?,
            event_type: self.event_type.to_owned(),
            event_version: self.event_version.parse().ok()?,
            payload: self.payload.to_vec(),
            event_id: known(self.event_id, |bytes| bytes.try_into().ok().map(EventId))?,
            configures: self.configures,
            metadata: metadata_of(self.metadata)?,
        })
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

/// Metadata as stored; most rows of a busy record have none or only a cause.
pub(super) fn metadata_text(metadata: &Metadata) -> String {
    if *metadata == Metadata::default() {
        return "{}".to_owned();
    }
    serde_json::to_string(metadata).expect("strings and numbers always serialize")
}

fn metadata_of(text: &str) -> Option<Metadata> {
    if text == "{}" { Some(Metadata::default()) } else { serde_json::from_str(text).ok() }
}

/// `Some(None)` for NULL, `None` for what cannot be understood.
fn known<T, U>(column: Option<T>, read: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    match column {
        None => Some(None),
        Some(value) => read(value).map(Some),
    }
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

struct Crc(crc32fast::Hasher);

impl Crc {
    /// Length first, so that no two neighbours can be told apart wrongly.
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}
