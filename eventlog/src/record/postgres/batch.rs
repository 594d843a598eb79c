//! A group of items as the lists that the database's `append` takes, and its answer as outcomes.

use std::collections::HashMap;
use std::hash::Hash;

use domain::ids::{Position, TenantId};
use domain::time::Stamp;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};

use crate::record::row::{Row, aggregate_id, integer, metadata_text, numbered_by_position};
use crate::record::{Expect, Head, Item, NewKey, Outcome, StreamId, Write};

/// What is not there, in a list of numbers.
const NONE: i64 = -1;

/// The statement: one place for each list, in the order of the function's parameters.
const APPEND: &str = "SELECT o_before, o_stamp, o_item, o_reason, o_value FROM cxengage.append(\
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, \
    $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35)";

/// Different things, each numbered from 1 in the order in which it came first.
struct Numbered<K>(HashMap<K, i64>);

impl<K: Hash + Eq> Numbered<K> {
    /// Its number, and whether it is new.
    fn of(&mut self, key: K) -> (i64, bool) {
        let next = integer(self.0.len() as u64) + 1;
        let number = *self.0.entry(key).or_insert(next);
        (number, number == next)
    }
}

impl<K> Default for Numbered<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

/// For each item, the numbers of what it needs.
#[derive(Default)]
struct Items {
    fence: Vec<i64>,
    hash: Vec<i64>,
    tenant: Vec<i64>,
    config: Vec<i64>,
    writes: Vec<i64>,
    keys: Vec<i64>,
}

/// What items need, each once.
#[derive(Default)]
struct Needs<'i> {
    leases: Numbered<(&'i str, u64)>,
    lease: Vec<&'i str>,
    epoch: Vec<i64>,
    hashes: Numbered<&'i [u8; 32]>,
    hash: Vec<&'i [u8]>,
    tenants: Numbered<&'i str>,
    tenant: Vec<&'i str>,
    streams: Numbered<&'i StreamId>,
    stream_type: Vec<&'static str>,
    stream_id: Vec<String>,
    places: Numbered<(&'i TenantId, &'i [u8])>,
    contents: Numbered<&'i NewKey>,
    key_tenant: Vec<&'i str>,
    key_customer: Vec<&'i [u8]>,
    key_wrapped: Vec<&'i [u8]>,
    key_place: Vec<i64>,
    key: Vec<i64>,
}

/// For each write.
#[derive(Default)]
struct Writes {
    stream: Vec<i64>,
    expect: Vec<i64>,
    events: Vec<i64>,
    tenant: Vec<i64>,
    partition: Vec<i64>,
}

/// For each event, the columns that are known before it has its place.
#[derive(Default)]
struct Events<'i> {
    configures: Vec<i64>,
    tenant: Vec<&'i str>,
    aggregate_type: Vec<&'static str>,
    aggregate_id: Vec<String>,
    event_type: Vec<&'static str>,
    event_version: Vec<String>,
    payload: Vec<&'i [u8]>,
    metadata: Vec<String>,
    customer: Vec<Option<&'i [u8]>>,
    partition: Vec<i64>,
    event_id: Vec<Option<&'i [u8]>>,
    content: Vec<i64>,
}

/// A group, ready to be sent.
#[derive(Default)]
pub(super) struct Batch<'i> {
    items: Items,
    needs: Needs<'i>,
    writes: Writes,
    events: Events<'i>,
}

/// What became of a group.
pub(super) struct Done {
    pub(super) outcomes: Vec<Outcome>,
    /// The new end of the record, if the group has moved it.
    pub(super) head: Option<Head>,
    /// Configuration positions that were found out or moved.
    pub(super) configurations: Vec<(TenantId, Position)>,
}

impl<'i> Batch<'i> {
    pub(super) fn of(items: impl Iterator<Item = &'i Item>) -> Self {
        let mut batch = Self::default();
        // The first tenant is the one that stands for all.
        batch.tenant("");
        items.for_each(|item| batch.item(item));
        batch
    }

    fn item(&mut self, item: &'i Item) {
        let fence = item.fence.as_ref().map_or(0, |fence| {
            let (number, new) = self.needs.leases.of((&fence.lease, fence.epoch));
            if new {
                self.needs.lease.push(&fence.lease);
                self.needs.epoch.push(integer(fence.epoch));
            }
            number
        });
        let hash = item.idempotency.as_ref().map_or(0, |hash| {
            let (number, new) = self.needs.hashes.of(hash);
            if new {
                self.needs.hash.push(hash);
            }
            number
        });
        let tenant = item.writes.first().map_or(0, |write| self.tenant(write.stream.tenant.as_str()));
        self.items.fence.push(fence);
        self.items.hash.push(hash);
        self.items.tenant.push(tenant);
        self.items.config.push(item.config.map_or(NONE, |at| integer(at.0)));
        self.items.writes.push(integer(item.writes.len() as u64));
        self.items.keys.push(integer(item.keys.len() as u64));
        item.keys.iter().for_each(|key| self.key(key));
        let metadata = metadata_text(&item.metadata);
        item.writes.iter().for_each(|write| self.write(write, &metadata));
    }

    fn tenant(&mut self, tenant: &'i str) -> i64 {
        let (number, new) = self.needs.tenants.of(tenant);
        if new {
            self.needs.tenant.push(tenant);
        }
        number
    }

    fn key(&mut self, key: &'i NewKey) {
        let customer = key.customer.as_ref().map_or(&[][..], |id| &id.0[..]);
        let (place, _) = self.needs.places.of((&key.tenant, customer));
        let (number, new) = self.needs.contents.of(key);
        if new {
            self.needs.key_tenant.push(key.tenant.as_str());
            self.needs.key_customer.push(customer);
            self.needs.key_wrapped.push(&key.wrapped);
            self.needs.key_place.push(place);
        }
        self.needs.key.push(number);
    }

    fn write(&mut self, write: &'i Write, metadata: &str) {
        let stream = if numbered_by_position(write.stream.kind) {
            0
        } else {
            let (number, new) = self.needs.streams.of(&write.stream);
            if new {
                self.needs.stream_type.push(write.stream.kind.name());
                self.needs.stream_id.push(aggregate_id(&write.stream));
            }
            number
        };
        let tenant = self.tenant(write.stream.tenant.as_str());
        let partition = write.partition.map_or(NONE, |partition| i64::from(partition.0));
        self.writes.stream.push(stream);
        self.writes.expect.push(match write.expect {
            Expect::Version(version) => integer(version),
            Expect::Any => NONE,
        });
        self.writes.events.push(integer(write.events.len() as u64));
        self.writes.tenant.push(tenant);
        self.writes.partition.push(partition);
        self.rows(write, partition, metadata);
    }

    fn rows(&mut self, write: &'i Write, partition: i64, metadata: &str) {
        let aggregate_id = aggregate_id(&write.stream);
        let customer = write.customer.as_ref().map(|id| &id.0[..]);
        for event in &write.events {
            let event_version = event.event_version.to_string();
            let event_id = event.event_id.as_ref().map(|id| &id.0[..]);
            let row = Row {
                position: 0,
                stamp: 0,
                tenant: write.stream.tenant.as_str(),
                aggregate_type: write.stream.kind.name(),
                aggregate_id: &aggregate_id,
                sequence: 0,
                event_type: event.event_type,
                event_version: &event_version,
                payload: &event.payload,
                metadata,
                customer,
                partition: write.partition.map(|partition| i64::from(partition.0)),
                previous: None,
                config: None,
                event_id,
                configures: event.configures,
            };
            self.events.content.push(i64::from(row.checksum()));
            self.events.configures.push(i64::from(event.configures));
            self.events.tenant.push(write.stream.tenant.as_str());
            self.events.aggregate_type.push(write.stream.kind.name());
            self.events.aggregate_id.push(aggregate_id.clone());
            self.events.event_type.push(event.event_type);
            self.events.event_version.push(event_version);
            self.events.payload.push(&event.payload);
            self.events.metadata.push(metadata.to_owned());
            self.events.customer.push(customer);
            self.events.partition.push(partition);
            self.events.event_id.push(event_id);
        }
    }

    /// Appends the group, in one statement that commits itself. `clock` is the database's own for `None`.
    pub(super) async fn append(
        &self,
        connection: &mut PgConnection,
        clock: Option<Stamp>,
    ) -> Result<Answer, sqlx::Error> {
        let (items, needs, writes, events) = (&self.items, &self.needs, &self.writes, &self.events);
        let query = sqlx::query_as(APPEND)
            .bind(clock.map(|stamp| stamp.0))
            .bind(&items.fence)
            .bind(&items.hash)
            .bind(&items.tenant)
            .bind(&items.config)
            .bind(&items.writes)
            .bind(&items.keys)
            .bind(&needs.lease)
            .bind(&needs.epoch)
            .bind(&needs.hash)
            .bind(&needs.tenant)
            .bind(&needs.stream_type)
            .bind(&needs.stream_id)
            .bind(&needs.key_tenant)
            .bind(&needs.key_customer)
            .bind(&needs.key_wrapped)
            .bind(&needs.key_place)
            .bind(&needs.key);
        let query = query
            .bind(&writes.stream)
            .bind(&writes.expect)
            .bind(&writes.events)
            .bind(&writes.tenant)
            .bind(&writes.partition);
        let query = query
            .bind(&events.configures)
            .bind(&events.tenant)
            .bind(&events.aggregate_type)
            .bind(&events.aggregate_id)
            .bind(&events.event_type)
            .bind(&events.event_version)
            .bind(&events.payload)
            .bind(&events.metadata)
            .bind(&events.customer)
            .bind(&events.partition)
            .bind(&events.event_id)
            .bind(&events.content);
        query.fetch_one(connection).await
    }
}

/// What the database answers: where the batch begins, its stamp, and the items that were refused.
pub(super) struct Answer {
    before: i64,
    stamp: i64,
    item: Vec<i64>,
    reason: Vec<i64>,
    value: Vec<i64>,
}

impl FromRow<'_, PgRow> for Answer {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            before: row.try_get(0)?,
            stamp: row.try_get(1)?,
            item: row.try_get(2)?,
            reason: row.try_get(3)?,
            value: row.try_get(4)?,
        })
    }
}

impl Answer {
    /// The outcome of each item; `None` if this is no answer to them.
    pub(super) fn outcomes<'i>(&self, items: impl Iterator<Item = &'i Item>) -> Option<Done> {
        let mut at = u64::try_from(self.before).ok()?;
        let stamp = Stamp(self.stamp);
        let refused = self.item.iter().zip(self.reason.iter().zip(&self.value));
        let mut refused = refused.map(|(item, (reason, value))| (*item, *reason, *value)).peekable();
        let mut done = Done { outcomes: Vec::new(), head: None, configurations: Vec::new() };
        for (number, item) in (1..).zip(items) {
            if let Some((_, reason, value)) = refused.next_if(|(item, ..)| *item == number) {
                let outcome = refusal(reason, u64::try_from(value).ok()?)?;
                if let (Outcome::Stale(config), Some(write)) = (&outcome, item.writes.first()) {
                    done.configurations.push((write.stream.tenant.clone(), *config));
                }
                done.outcomes.push(outcome);
                continue;
            }
            let before = at;
            for write in &item.writes {
                for event in &write.events {
                    at += 1;
                    if event.configures {
                        done.configurations.push((write.stream.tenant.clone(), Position(at)));
                        done.configurations.push((TenantId(String::new()), Position(at)));
                    }
                }
            }
            let first = Position(at.min(before + 1));
            done.outcomes.push(Outcome::Appended { first, last: Position(at), stamp });
        }
        let head = Head { position: Position(at), stamp };
        done.head = (i64::try_from(at) != Ok(self.before)).then_some(head);
        Some(done)
    }
}

fn refusal(reason: i64, value: u64) -> Option<Outcome> {
    match reason {
        1 => Some(Outcome::Fenced),
        2 => Some(Outcome::Duplicate(Position(value))),
        3 => Some(Outcome::Stale(Position(value))),
        4 => Some(Outcome::Conflict(value)),
        5 => Some(Outcome::KeyTaken),
        _ => None,
    }
}
