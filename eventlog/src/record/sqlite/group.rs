//! One transaction: every item of a group is checked in its turn, and stored if nothing refuses it.
//!
//! An item is checked as a whole before any of it is written, against what the items before it have written; so a
//! refusal leaves nothing behind and touches nobody else. What the writer holds in memory moves only after the
//! commit.

use std::collections::{HashMap, HashSet};

use domain::ids::{PARTITIONS, Position, TenantId};
use domain::time::Stamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::reader;
use crate::cache::Cache;
use crate::record::row::{Row, aggregate_id, integer, metadata_text, numbered_by_position};
use crate::record::{Expect, Head, Item, Metadata, NewEvent, Outcome, Recorded, StreamId, Write};

type Result<T> = std::result::Result<T, rusqlite::Error>;

/// The position of the last record of each partition.
type Partitions = [u64; PARTITIONS as usize];

/// How many streams' versions are kept at hand: what is written to is most often written to again soon.
const STREAMS: usize = 65_536;

/// What the writer knows of the record without asking.
pub(super) struct State {
    pub(super) head: Head,
    pub(super) partitions: Partitions,
    pub(super) configurations: HashMap<TenantId, Position>,
    pub(super) leases: HashMap<String, u64>,
    /// Key rows that were erased since the start: what is under way must not bring them back.
    pub(super) erased: HashSet<Vec<u8>>,
    /// The versions of streams that were written to of late.
    versions: Cache<StreamId, u64>,
}

/// What a group did to the state.
pub(super) struct Moved {
    pub(super) head: Head,
    pub(super) configurations: HashMap<TenantId, Position>,
    /// The rows, as readers get them.
    pub(super) rows: Vec<Recorded>,
    partitions: Partitions,
    versions: HashMap<StreamId, u64>,
}

impl State {
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        let head = connection
            .query_row("SELECT position, stamp FROM events ORDER BY position DESC LIMIT 1", [], |row| {
                Ok(Head { position: Position(row.get(0)?), stamp: Stamp(row.get(1)?) })
            })
            .optional()?
            .unwrap_or_default();
        let mut partitions = [0; PARTITIONS as usize];
        for row in pairs::<usize>(connection, "SELECT partition, position FROM partitions")? {
            if let Some(last) = partitions.get_mut(row.0) {
                *last = row.1;
            }
        }
        let leases = pairs(connection, "SELECT lease, epoch FROM leases")?.into_iter().collect();
        let configurations = configurations(connection)?;
        let versions = Cache::new(STREAMS);
        Ok(Self { head, partitions, configurations, leases, erased: HashSet::new(), versions })
    }

    pub(super) fn moved(&mut self, moved: &mut Moved) {
        self.head = moved.head;
        self.partitions = moved.partitions;
        self.configurations.extend(moved.configurations.iter().map(|(tenant, at)| (tenant.clone(), *at)));
        moved.versions.drain().for_each(|(stream, version)| self.versions.insert(stream, version));
    }
}

/// Every tenant's configuration position; under `""` the last of all.
pub(super) fn configurations(connection: &Connection) -> Result<HashMap<TenantId, Position>> {
    let rows = pairs::<String>(connection, "SELECT tenant, position FROM configurations")?;
    Ok(rows.into_iter().map(|(tenant, position)| (TenantId(tenant), Position(position))).collect())
}

fn pairs<K: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> Result<Vec<(K, u64)>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Appends a group; the outcome of each item in order, once all of it is on the disk.
pub(super) fn append<'i>(
    connection: &mut Connection,
    state: &mut State,
    items: impl Iterator<Item = &'i Item>,
    clock: Stamp,
) -> Result<(Vec<Outcome>, Moved)> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut group = Group::begin(&transaction, state, clock)?;
    let outcomes = items.map(|item| group.item(item)).collect::<Result<Vec<_>>>()?;
    crate::fault_point!("record.rows");
    let moved = group.finish()?;
    crate::fault_point!("record.commit.before", on_order());
    transaction.commit()?;
    crate::fault_point!("record.commit.after");
    Ok((outcomes, moved))
}

/// A failure to write, as a full disk has it.
#[cfg(feature = "faults")]
fn on_order() -> rusqlite::Error {
    let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
    rusqlite::Error::SqliteFailure(full, Some("fault on order".to_owned()))
}

struct Group<'t> {
    transaction: &'t Transaction<'t>,
    state: &'t mut State,
    moved: Moved,
    insert: CachedStatement<'t>,
    version: CachedStatement<'t>,
    key: CachedStatement<'t>,
    /// Idempotency keys were noted: time to let old ones go.
    noted: bool,
}

/// What the checks of an item found out, for the writing of it.
struct Cleared {
    /// The version of each write's stream before it.
    versions: Vec<u64>,
    /// Which of the item's keys are not stored yet.
    new_keys: Vec<usize>,
    /// The configuration position of the item's tenant.
    config: Position,
}

impl<'t> Group<'t> {
    fn begin(transaction: &'t Transaction<'t>, state: &'t mut State, clock: Stamp) -> Result<Self> {
        let stamp = if crate::broken!("stamp-falls") { clock } else { clock.max(state.head.stamp) };
        let head = Head { position: state.head.position, stamp };
        let partitions = state.partitions;
        Ok(Self {
            transaction,
            state,
            moved: Moved {
                head,
                configurations: HashMap::new(),
                rows: Vec::new(),
                partitions,
                versions: HashMap::new(),
            },
            insert: transaction.prepare_cached(
                "INSERT INTO events VALUES \
                 (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            )?,
            version: transaction.prepare_cached(
                "SELECT sequence FROM events INDEXED BY events_stream \
                 WHERE aggregate_type = ?1 AND aggregate_id = ?2 ORDER BY sequence DESC LIMIT 1",
            )?,
            key: transaction.prepare_cached(reader::KEY)?,
            noted: false,
        })
    }

    fn item(&mut self, item: &Item) -> Result<Outcome> {
        match self.check(item)? {
            Err(refusal) => Ok(refusal),
            Ok(cleared) => self.write(item, &cleared),
        }
    }

    fn check(&mut self, item: &Item) -> Result<std::result::Result<Cleared, Outcome>> {
        if let Some(fence) = &item.fence
            && self.state.leases.get(&fence.lease) != Some(&fence.epoch)
        {
            return Ok(Err(Outcome::Fenced));
        }
        if let Some(hash) = &item.idempotency
            && let Some(position) = reader::used(self.transaction, hash, self.moved.head.stamp.0)?
        {
            return Ok(Err(Outcome::Duplicate(position)));
        }
        let config = item.writes.first().map_or(Position(0), |write| self.config(&write.stream.tenant));
        if item.config.is_some_and(|decided_on| decided_on != config) {
            return Ok(Err(Outcome::Stale(config)));
        }
        let versions = match self.versions(&item.writes)? {
            Ok(versions) => versions,
            Err(conflict) => return Ok(Err(conflict)),
        };
        let mut new_keys = Vec::new();
        for (n, key) in item.keys.iter().enumerate() {
            let customer = key.customer.as_ref().map_or(&[][..], |id| &id.0[..]);
            let stored: Option<Vec<u8>> =
                self.key.query_row((key.tenant.as_str(), customer), |row| row.get(0)).optional()?;
            match stored {
                None if self.state.erased.contains(&key.wrapped) => return Ok(Err(Outcome::KeyTaken)),
                None => new_keys.push(n),
                Some(stored) if stored == key.wrapped => {}
                Some(_) => return Ok(Err(Outcome::KeyTaken)),
            }
        }
        Ok(Ok(Cleared { versions, new_keys, config }))
    }

    fn config(&self, tenant: &TenantId) -> Position {
        let configurations = [&self.moved.configurations, &self.state.configurations];
        configurations.iter().find_map(|all| all.get(tenant)).copied().unwrap_or_default()
    }

    /// The version of each write's stream before it, the item's own earlier writes counted.
    fn versions(&mut self, writes: &[Write]) -> Result<std::result::Result<Vec<u64>, Outcome>> {
        let mut known: HashMap<&StreamId, u64> = HashMap::new();
        let mut versions = Vec::with_capacity(writes.len());
        for write in writes {
            if numbered_by_position(write.stream.kind) {
                versions.push(0);
                continue;
            }
            let at = match known.get(&write.stream) {
                Some(at) => *at,
                None => self.stored_version(&write.stream)?,
            };
            if let Expect::Version(expected) = write.expect
                && expected != at
            {
                return Ok(Err(Outcome::Conflict(at)));
            }
            versions.push(at);
            if writes.len() > 1 {
                known.insert(&write.stream, at + write.events.len() as u64);
            }
        }
        Ok(Ok(versions))
    }

    fn stored_version(&mut self, stream: &StreamId) -> Result<u64> {
        if let Some(version) =
            self.moved.versions.get(stream).copied().or_else(|| self.state.versions.get(stream))
        {
            return Ok(version);
        }
        let place = (stream.kind.name(), aggregate_id(stream));
        Ok(self.version.query_row(place, |row| row.get(0)).optional()?.unwrap_or_default())
    }

    fn write(&mut self, item: &Item, cleared: &Cleared) -> Result<Outcome> {
        let before = self.moved.head.position;
        let metadata = metadata_text(&item.metadata);
        for (write, version) in item.writes.iter().zip(&cleared.versions) {
            self.write_stream(write, *version, cleared.config, (&item.metadata, &metadata))?;
        }
        for key in cleared.new_keys.iter().filter_map(|n| item.keys.get(*n)) {
            let customer = key.customer.as_ref().map_or(&[][..], |id| &id.0[..]);
            let bytes = "INSERT INTO wrapped (bytes) VALUES (?1)";
            let place = self.transaction.prepare_cached(bytes)?.insert([&key.wrapped])?;
            let place = (key.tenant.as_str(), customer, place);
            self.transaction.prepare_cached("INSERT INTO keys VALUES (?1, ?2, ?3)")?.execute(place)?;
        }
        let last = self.moved.head.position;
        // An item without an event has no place of its own: it is answered with the end of the record.
        let first = if last > before { Position(before.0 + 1) } else { last };
        let stamp = self.moved.head.stamp;
        if let Some(hash) = &item.idempotency {
            self.noted = true;
            self.transaction.prepare_cached("INSERT INTO idempotency VALUES (?1, ?2, ?3, ?4)")?.execute((
                reader::day(stamp.0),
                &hash[..],
                integer(first.0),
                stamp.0,
            ))?;
        }
        Ok(Outcome::Appended { first, last, stamp })
    }

    fn write_stream(
        &mut self,
        write: &Write,
        version: u64,
        config: Position,
        (metadata, metadata_text): (&Metadata, &str),
    ) -> Result<()> {
        let aggregate_id = aggregate_id(&write.stream);
        let in_sequence = numbered_by_position(write.stream.kind);
        for (n, event) in (1..).zip(&write.events) {
            let position = self.moved.head.position.0 + 1;
            let previous = match write.partition {
                Some(partition) if in_sequence => self.previous(partition.0, position),
                _ => None,
            };
            let row = Row {
                position: integer(position),
                stamp: self.moved.head.stamp.0,
                tenant: write.stream.tenant.as_str(),
                aggregate_type: write.stream.kind.name(),
                aggregate_id: &aggregate_id,
                sequence: integer(if in_sequence { position } else { version + n }),
                event_type: event.event_type,
                event_version: &event.event_version.to_string(),
                payload: &event.payload,
                metadata: metadata_text,
                customer: write.customer.as_ref().map(|id| &id.0[..]),
                partition: write.partition.map(|partition| i64::from(partition.0)),
                previous: previous.map(integer),
                config: in_sequence.then(|| integer(config.0)),
                event_id: event.event_id.as_ref().map(|id| &id.0[..]),
                configures: event.configures,
            };
            insert(&mut self.insert, &row)?;
            self.moved.rows.push(Recorded {
                position: Position(position),
                stamp: self.moved.head.stamp,
                stream: write.stream.clone(),
                version: if in_sequence { position } else { version + n },
                customer: write.customer,
                partition: write.partition,
                previous: previous.map(Position),
                config: in_sequence.then_some(config),
                event_type: event.event_type.to_owned(),
                event_version: event.event_version,
                payload: event.payload.clone(),
                event_id: event.event_id,
                configures: event.configures,
                metadata: metadata.clone(),
            });
            self.moved.head.position = Position(position);
            self.configured(write, event, position);
        }
        if !in_sequence {
            let version = version + write.events.len() as u64;
            self.moved.versions.insert(write.stream.clone(), version);
        }
        Ok(())
    }

    /// The position of the partition's record before this one, which takes its place.
    fn previous(&mut self, partition: u8, position: u64) -> Option<u64> {
        let last = self.moved.partitions.get_mut(usize::from(partition))?;
        Some(std::mem::replace(last, position))
    }

    fn configured(&mut self, write: &Write, event: &NewEvent, position: u64) {
        if event.configures {
            for tenant in [write.stream.tenant.clone(), TenantId(String::new())] {
                self.moved.configurations.insert(tenant, Position(position));
            }
        }
    }

    fn finish(self) -> Result<Moved> {
        let upsert = "INSERT INTO partitions VALUES (?1, ?2) \
                      ON CONFLICT DO UPDATE SET position = excluded.position";
        for (partition, (now, before)) in self.moved.partitions.iter().zip(&self.state.partitions).enumerate()
        {
            if now != before {
                self.transaction.prepare_cached(upsert)?.execute((partition, integer(*now)))?;
            }
        }
        let upsert = "INSERT INTO configurations VALUES (?1, ?2) \
                      ON CONFLICT DO UPDATE SET position = excluded.position";
        for (tenant, position) in &self.moved.configurations {
            self.transaction.prepare_cached(upsert)?.execute((tenant.as_str(), integer(position.0)))?;
        }
        if self.noted {
            self.forget_old_keys()?;
        }
        Ok(self.moved)
    }

    /// Lets go of idempotency keys of days past, a little with each group, so that no group waits for a whole day.
    fn forget_old_keys(&self) -> Result<()> {
        let mut statement = self.transaction.prepare_cached(
            "DELETE FROM idempotency WHERE (day, hash) IN \
             (SELECT day, hash FROM idempotency WHERE day < ?1 ORDER BY day LIMIT 2000)",
        )?;
        statement.execute([reader::day(self.moved.head.stamp.0) - 1])?;
        Ok(())
    }
}

fn insert(statement: &mut CachedStatement<'_>, row: &Row<'_>) -> Result<()> {
    statement.execute(rusqlite::params![
        row.position,
        row.stamp,
        row.tenant,
        row.aggregate_type,
        row.aggregate_id,
        row.sequence,
        row.event_type,
        row.event_version,
        row.payload,
        row.metadata,
        row.customer,
        row.partition,
        row.previous,
        row.config,
        row.event_id,
        row.configures,
        row.checksum(),
    ])?;
    Ok(())
}
