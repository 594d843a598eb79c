//! Reading `log.db`: a few connections, each with a thread of its own.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::{CustomerId, Position, TenantId};
use rusqlite::types::Value;
use rusqlite::{Connection, InterruptHandle, OptionalExtension};

use super::codec::decode;
use super::{failed, schema, unavailable};
use crate::record::row::{COLUMNS, aggregate_id, integer, nothing_is_missing, reacting};
use crate::record::{Error, Recorded, Select, StreamId, StreamKind};
use crate::workers::Workers;

/// How long an idempotency key holds, in milliseconds.
pub(super) const KEY_HOLDS: i64 = 86_400_000;

/// The wrapped key of a customer of a tenant.
pub(super) const KEY: &str =
    "SELECT bytes FROM keys JOIN wrapped USING (place) WHERE tenant = ?1 AND customer = ?2";

/// The read connections.
pub(super) struct Readers(Workers<Connection>);

impl Readers {
    /// So many connections, opened at once: later there may be no room on the disk to open one.
    pub(super) fn open(path: &Path, count: usize) -> Result<Self, Error> {
        let connections: Result<Vec<_>, _> = (0..count.max(1)).map(|_| schema::open_reader(path)).collect();
        Workers::start("record-reader", connections?).map(Self).map_err(unavailable)
    }

    /// Runs a query on one of them.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let answer = self.0.run(|connection| query(connection)).await;
        answer.map_err(|error| Error::Unavailable(format!("a query: {error}")))?
    }
}

/// Which end of the selected rows a page is taken from.
#[derive(Clone, Copy)]
pub(super) enum Page {
    /// After a position, ascending.
    After(Position),
    /// Before a position, descending.
    Before(Option<Position>),
}

/// One page of rows.
pub(super) fn page(
    connection: &Connection,
    select: &Select,
    page: Page,
    limit: usize,
) -> Result<Vec<Recorded>, Error> {
    let (sql, values) = query(select, page, limit);
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(failed)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        found.push(decode(row)?);
    }
    if let Page::After(after) = page {
        nothing_is_missing(select, after, &found)?;
    }
    Ok(found)
}

fn query(select: &Select, page: Page, limit: usize) -> (String, Vec<Value>) {
    let Plan { index, filter, place, order, mut values } = plan(select);
    let (bound, sign, direction) = match page {
        Page::After(after) => (integer(after.0), '>', "ASC"),
        Page::Before(before) => (before.map_or(i64::MAX, |before| integer(before.0)), '<', "DESC"),
    };
    let (at, most) = (values.len() + 1, values.len() + 2);
    let sql = format!(
        "SELECT {COLUMNS} FROM events {index} WHERE {filter} AND {place} {sign} ?{at} \
         ORDER BY {order} {direction} LIMIT ?{most}"
    );
    values.push(Value::Integer(bound));
    values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    (sql, values)
}

/// How a selection is found. The index is named so that the plan never changes with the statistics.
struct Plan {
    index: &'static str,
    filter: Cow<'static, str>,
    place: &'static str,
    order: &'static str,
    values: Vec<Value>,
}

fn plan(select: &Select) -> Plan {
    let text = |tenant: &TenantId| Value::Text(tenant.0.clone());
    match select {
        Select::All => by("NOT INDEXED", "1", vec![]),
        Select::Domain => {
            by("INDEXED BY events_domain", "aggregate_type NOT IN ('customer', 'mark')", vec![])
        }
        Select::Configuration(None) => by("INDEXED BY events_configuring", "configures = 1", vec![]),
        Select::Configuration(Some(tenant)) => {
            by("INDEXED BY events_configuring_tenant", "tenant = ?1 AND configures = 1", vec![text(tenant)])
        }
        // Next to nothing else is there in a busy record but reactions, so nothing is gained by an index.
        Select::Matching(share) => by(
            "NOT INDEXED",
            "(configures = 1 OR (previous IS NOT NULL AND partition % ?1 = ?2))",
            vec![Value::Integer(share.of().into()), Value::Integer(share.number().into())],
        ),
        Select::Reacting => by("NOT INDEXED", reacting(), vec![]),
        Select::Tenant(tenant) => by("INDEXED BY events_tenant", "tenant = ?1", vec![text(tenant)]),
        Select::CustomerEvents(tenant) => {
            by("INDEXED BY events_tenant", "tenant = ?1 AND aggregate_type = 'customer'", vec![text(tenant)])
        }
        Select::Customer(tenant, customer) => {
            stream(&StreamId::new(tenant, StreamKind::Customer, customer.to_string()))
        }
        Select::Stream(id) => stream(id),
    }
}

fn by(index: &'static str, filter: impl Into<Cow<'static, str>>, values: Vec<Value>) -> Plan {
    Plan { index, filter: filter.into(), place: "position", order: "position", values }
}

fn stream(id: &StreamId) -> Plan {
    // A customer's and a mark's number in the stream is its position: the index finds the page directly.
    let place =
        if matches!(id.kind, StreamKind::Customer | StreamKind::Mark) { "sequence" } else { "position" };
    Plan {
        index: "INDEXED BY events_stream",
        filter: "aggregate_type = ?1 AND aggregate_id = ?2".into(),
        place,
        order: "sequence",
        values: vec![Value::Text(id.kind.name().to_owned()), Value::Text(aggregate_id(id))],
    }
}

/// Holds the indexes and the pages of the file against each other. Takes as long as reading all of them, so it is broken
/// off when nobody waits for it any more.
#[derive(Default)]
pub(super) struct Check(Running);

/// What runs on the blocking thread.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<Option<InterruptHandle>>>);

impl Check {
    pub(super) fn running(&self) -> Running {
        self.0.clone()
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        if let Some(check) = self.0.handle().take() {
            check.interrupt();
        }
    }
}

impl Running {
    fn handle(&self) -> MutexGuard<'_, Option<InterruptHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn run(&self, connection: &Connection) -> Result<(), Error> {
        *self.handle() = Some(connection.get_interrupt_handle());
        let verdict = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get::<_, String>(0));
        // The connection goes on to another's query: nobody may interrupt that.
        self.handle().take();
        match verdict.map_err(failed)?.as_str() {
            "ok" => Ok(()),
            fault => Err(Error::Damaged(fault.to_owned())),
        }
    }
}

/// The rows at these positions.
pub(super) fn rows_at(connection: &Connection, positions: &[Position]) -> Result<Vec<Recorded>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE position = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
    let mut found = Vec::with_capacity(positions.len());
    for position in positions {
        let mut rows = statement.query([integer(position.0)]).map_err(failed)?;
        if let Some(row) = rows.next().map_err(failed)? {
            found.push(decode(row)?);
        }
    }
    Ok(found)
}

/// The wrapped keys of customers of a tenant; of the tenant itself for `None`.
pub(super) fn keys(
    connection: &Connection,
    tenant: &TenantId,
    customers: &[Option<CustomerId>],
) -> Result<Vec<Option<Vec<u8>>>, Error> {
    let mut statement = connection.prepare_cached(KEY).map_err(failed)?;
    let mut key = |customer: &Option<CustomerId>| {
        let customer = customer.as_ref().map_or(&[][..], |id| &id.0[..]);
        statement.query_row((tenant.as_str(), customer), |row| row.get(0)).optional().map_err(failed)
    };
    customers.iter().map(&mut key).collect()
}

/// By which position an idempotency key was used within 24 hours before `now`.
pub(super) fn used(
    connection: &Connection,
    hash: &[u8; 32],
    now: i64,
) -> Result<Option<Position>, rusqlite::Error> {
    let mut statement =
        connection.prepare_cached("SELECT position, stamp FROM idempotency WHERE day = ?1 AND hash = ?2")?;
    for day in [day(now), day(now) - 1] {
        let row: Option<(u64, i64)> =
            statement.query_row((day, &hash[..]), |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((position, stamp)) = row {
            return Ok((now - stamp <= KEY_HOLDS).then_some(Position(position)));
        }
    }
    Ok(None)
}

/// The day of a stamp: idempotency rows are kept by it.
pub(super) fn day(stamp: i64) -> i64 {
    stamp.div_euclid(KEY_HOLDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Share;

    /// However long the record is, a page costs what it shows.
    #[test]
    fn no_selection_is_sorted_or_searched_row_by_row() {
        let folder = tempfile::tempdir().unwrap();
        let connection = schema::open_writer(&folder.path().join("log.db")).unwrap();
        let tenant = TenantId::from("acme");
        let stream = |kind| Select::Stream(StreamId::new(&tenant, kind, "1"));
        for select in [
            Select::All,
            Select::Domain,
            Select::Configuration(None),
            Select::Configuration(Some(tenant.clone())),
            Select::Matching(Share::ALL),
            Select::Reacting,
            Select::Tenant(tenant.clone()),
            Select::Customer(tenant.clone(), CustomerId([0; 16])),
            Select::CustomerEvents(tenant.clone()),
            stream(StreamKind::Pattern),
            stream(StreamKind::Mark),
        ] {
            for page in [Page::After(Position(7)), Page::Before(Some(Position(7)))] {
                let (sql, values) = query(&select, page, 9);
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                let steps =
                    statement.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap();
                let steps: Vec<String> = steps.map(Result::unwrap).collect();
                assert_eq!(steps.len(), 1, "{select:?}: {steps:?}");
                assert!(steps[0].starts_with("SEARCH events USING "), "{select:?}: {steps:?}");
            }
        }
    }
}
