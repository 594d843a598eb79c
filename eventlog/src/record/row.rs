//! A row as every home stores it, its checksum, and the way back to [`Recorded`].

use domain::ids::{CustomerId, EventId, PARTITIONS, Partition, Position, TenantId};
use domain::reaction::{Event, Match};
use domain::time::Stamp;

use super::{Error, Item, Metadata, Recorded, Select, StreamId, StreamKind, Write};

/// The most bytes that one event's payload may have.
const PAYLOAD_BYTES: usize = 64 << 20;

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

/// What sets something off in a reaction; all else in its stream has come of that.
pub(super) const BEGINNING: [&str; 2] = [Match::TYPE, Event::REDRIVEN];

/// The condition of `Select::Reacting`, for every home.
pub(super) fn reacting() -> String {
    let [matched, redriven] = BEGINNING;
    format!(
        "(aggregate_type IN ('customer', 'template') OR \
          (aggregate_type = 'reaction' AND event_type IN ('{matched}', '{redriven}')))"
    )
}

/// `aggregate_id` of a stream: `tenant/id`; no tenant's id has a slash.
pub(super) fn aggregate_id(stream: &StreamId) -> String {
    format!("{}/{}", stream.tenant, stream.id)
}

/// A number as SQL has it; there is no record of 2^63 rows.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Row<'_> {
    /// Covers every column.
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

    /// The row in the terms of the port; `None` if a column holds what was never written there.
    pub(super) fn recorded(&self) -> Option<Recorded> {
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

/// Whether a stream's rows are numbered by their positions.
pub(super) fn numbered_by_position(kind: StreamKind) -> bool {
    matches!(kind, StreamKind::Customer | StreamKind::Mark)
}

/// Positions are gap-free, and each row of a partition says which is the one before it: where one is missing, the record
/// was tampered with. (Nothing is asked of what comes before the first row: old ranges may be let go.)
pub(super) fn nothing_is_missing(select: &Select, after: Position, rows: &[Recorded]) -> Result<(), Error> {
    match select {
        Select::All => one_after_the_other(after, rows),
        Select::Matching(_) => one_before_each(after, rows),
        _ => Ok(()),
    }
}

fn one_after_the_other(after: Position, rows: &[Recorded]) -> Result<(), Error> {
    let mut before = after.0;
    for row in rows {
        if before != 0 && row.position.0 != before + 1 {
            return Err(missing(before + 1));
        }
        before = row.position.0;
    }
    Ok(())
}

fn one_before_each(after: Position, rows: &[Recorded]) -> Result<(), Error> {
    let mut last = [after; PARTITIONS as usize];
    for row in rows {
        let Some((previous, partition)) = row.previous.zip(row.partition) else { continue };
        let Some(last) = last.get_mut(usize::from(partition.0)) else { continue };
        if *last != Position(0) && previous > *last {
            return Err(missing(previous.0));
        }
        *last = row.position;
    }
    Ok(())
}

fn missing(position: u64) -> Error {
    Error::Damaged(format!("position {position} is missing"))
}

/// What no caller may ask for; found before it is queued, so that it cannot fail a group of others.
pub(super) fn well_formed(item: &Item) -> Result<(), Error> {
    let sound = |write: &Write| {
        let placed = write.partition.is_some_and(|partition| partition.0 < PARTITIONS);
        let owned = match write.stream.kind {
            StreamKind::Customer => placed && write.customer.is_some(),
            StreamKind::Mark => placed,
            _ => placed || write.partition.is_none(),
        };
        owned
            && !write.stream.tenant.as_str().contains('/')
            && write.events.iter().all(|event| event.payload.len() <= PAYLOAD_BYTES)
    };
    match item.writes.iter().find(|write| !sound(write)) {
        None => Ok(()),
        Some(write) => {
            Err(Error::Malformed(format!("a write to {} {}", write.stream.kind.name(), write.stream.id)))
        }
    }
}

/// About what an item takes in memory and in the log.
pub(super) fn size(item: &Item) -> usize {
    let events = item.writes.iter().flat_map(|write| &write.events);
    256 + events.map(|event| 256 + event.payload.len()).sum::<usize>()
}

struct Crc(crc32fast::Hasher);

impl Crc {
    /// Length first, so that no two neighbours can be told apart wrongly.
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}
