//! Reading the record: one statement a page, each led by an index.

use std::borrow::Cow;

use domain::ids::{CustomerId, Position, TenantId};
use sha2::{Digest, Sha256};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row as _};

use super::failed;
use crate::record::row::{COLUMNS, Row, aggregate_id, integer, nothing_is_missing, reacting};
use crate::record::{Error, Recorded, Select, StreamId, StreamKind};

/// Which end of the selected rows a page is taken from.
#[derive(Clone, Copy)]
pub(super) enum Page {
    /// After a position, ascending.
    After(Position),
    /// Before a position, descending.
    Before(Option<Position>),
}

/// One page of rows.
pub(super) async fn page(
    connection: &mut PgConnection,
    select: &Select,
    page: Page,
    limit: usize,
) -> Result<Vec<Recorded>, Error> {
    let (sql, values) = statement(select, page);
    let (bound, limit) = (bound(page), i64::try_from(limit).unwrap_or(i64::MAX));
    let query = bound_to(&sql, &values).bind(bound).bind(limit);
    let rows = query.fetch_all(connection).await.map_err(failed)?;
    let found = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    if let Page::After(after) = page {
        nothing_is_missing(select, after, &found)?;
    }
    Ok(found)
}

fn bound_to<'q>(sql: &'q str, values: &'q [String]) -> Query<'q, Postgres, PgArguments> {
    values.iter().fold(sqlx::query(sql), |query, value| query.bind(value))
}

fn bound(page: Page) -> i64 {
    match page {
        Page::After(after) => integer(after.0),
        Page::Before(before) => before.map_or(i64::MAX, |before| integer(before.0)),
    }
}

/// The statement of a page, and the values of its first places; the bound and the limit follow them.
fn statement(select: &Select, page: Page) -> (String, Vec<String>) {
    let Plan { filter, place, values } = plan(select);
    let (sign, direction) = match page {
        Page::After(_) => ('>', "ASC"),
        Page::Before(_) => ('<', "DESC"),
    };
    let (at, most) = (values.len() + 1, values.len() + 2);
    let sql = format!(
        "SELECT {COLUMNS} FROM cxengage.events WHERE {filter} AND {place} {sign} ${at} \
         ORDER BY {place} {direction} LIMIT ${most}"
    );
    (sql, values)
}

/// How a selection is found.
struct Plan {
    filter: Cow<'static, str>,
    place: &'static str,
    values: Vec<String>,
}

fn plan(select: &Select) -> Plan {
    let text = |tenant: &TenantId| tenant.0.clone();
    match select {
        Select::All => by("true", vec![]),
        Select::Domain => by("aggregate_type NOT IN ('customer', 'mark')", vec![]),
        Select::Configuration(None) => by("configures", vec![]),
        Select::Configuration(Some(tenant)) => by("configures AND tenant = $1", vec![text(tenant)]),
        Select::Matching(share) => {
            let (of, number) = (share.of(), share.number());
            let theirs = format!("(configures OR (previous IS NOT NULL AND partition % {of} = {number}))");
            by(theirs, vec![])
        }
        Select::Reacting => by(reacting(), vec![]),
        Select::Tenant(tenant) => by("tenant = $1", vec![text(tenant)]),
        Select::CustomerEvents(tenant) => {
            by("tenant = $1 AND aggregate_type = 'customer'", vec![text(tenant)])
        }
        Select::Customer(tenant, customer) => {
            stream(&StreamId::new(tenant, StreamKind::Customer, customer.to_string()))
        }
        Select::Stream(id) => stream(id),
    }
}

fn by(filter: impl Into<Cow<'static, str>>, values: Vec<String>) -> Plan {
    Plan { filter: filter.into(), place: "position", values }
}

fn stream(id: &StreamId) -> Plan {
    // A customer's and a mark's number in the stream is its position: the index finds the page directly.
    let by_position = matches!(id.kind, StreamKind::Customer | StreamKind::Mark);
    Plan {
        filter: "aggregate_type = $1 AND aggregate_id = $2".into(),
        place: if by_position { "sequence" } else { "position" },
        values: vec![id.kind.name().to_owned(), aggregate_id(id)],
    }
}

/// The rows at these positions, in the order asked for.
pub(super) async fn rows_at(
    connection: &mut PgConnection,
    positions: &[Position],
) -> Result<Vec<Recorded>, Error> {
    let places: Vec<i64> = positions.iter().map(|position| integer(position.0)).collect();
    let columns = COLUMNS.replace("position,", "events.position,");
    let sql = format!(
        "SELECT {columns} FROM unnest($1::bigint[]) WITH ORDINALITY asked(place, n) \
         JOIN cxengage.events ON events.position = asked.place ORDER BY asked.n"
    );
    let rows = sqlx::query(&sql).bind(&places).fetch_all(connection).await.map_err(failed)?;
    rows.iter().map(decode).collect()
}

/// The wrapped keys of customers of a tenant; of the tenant itself for `None`.
pub(super) async fn keys(
    connection: &mut PgConnection,
    tenant: &TenantId,
    customers: &[Option<CustomerId>],
) -> Result<Vec<Option<Vec<u8>>>, Error> {
    let asked: Vec<&[u8]> =
        customers.iter().map(|customer| customer.as_ref().map_or(&[][..], |id| &id.0[..])).collect();
    sqlx::query_scalar(
        "SELECT k.wrapped FROM unnest($2::bytea[]) WITH ORDINALITY asked(customer, n) \
         LEFT JOIN cxengage.keys k ON k.tenant = $1 AND k.customer = asked.customer ORDER BY asked.n",
    )
    .bind(tenant.as_str())
    .bind(&asked)
    .fetch_all(connection)
    .await
    .map_err(failed)
}

/// By which position an idempotency key was used within 24 hours before `now`.
pub(super) async fn used(
    connection: &mut PgConnection,
    hash: &[u8; 32],
    now: i64,
) -> Result<Option<Position>, Error> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT position FROM cxengage.idempotency WHERE day IN ($2 / 86400000, $2 / 86400000 - 1) \
         AND hash = $1 AND $2 - stamp <= 86400000 ORDER BY day DESC LIMIT 1",
    )
    .bind(&hash[..])
    .bind(now)
    .fetch_optional(connection)
    .await
    .map_err(failed)?;
    Ok(found.map(|position| Position(position.unsigned_abs())))
}

/// Reads a row and holds it against its checksum.
fn decode(row: &PgRow) -> Result<Recorded, Error> {
    let position: i64 = row.try_get(0).map_err(failed)?;
    let damaged = |what: &str| Error::Damaged(format!("position {position}: {what}"));
    let (stored, checksum) = read(row).map_err(|error| damaged(&error.to_string()))?;
    if place_and_content(&stored)[..8] != *checksum {
        return Err(damaged("its checksum does not fit"));
    }
    stored.recorded().ok_or_else(|| damaged("not a row of this record"))
}

fn read(row: &PgRow) -> Result<(Row<'_>, &[u8]), sqlx::Error> {
    let stored = Row {
        position: row.try_get(0)?,
        stamp: row.try_get(1)?,
        tenant: row.try_get(2)?,
        aggregate_type: row.try_get(3)?,
        aggregate_id: row.try_get(4)?,
        sequence: row.try_get(5)?,
        event_type: row.try_get(6)?,
        event_version: row.try_get(7)?,
        payload: row.try_get(8)?,
        metadata: row.try_get(9)?,
        customer: row.try_get(10)?,
        partition: row.try_get(11)?,
        previous: row.try_get(12)?,
        config: row.try_get(13)?,
        event_id: row.try_get(14)?,
        configures: row.try_get(15)?,
    };
    Ok((stored, row.try_get(16)?))
}

/// What the database's function `checksum` makes of a row, of which the content was summed up before it was sent.
fn place_and_content(row: &Row<'_>) -> [u8; 32] {
    let content = Row { position: 0, stamp: 0, sequence: 0, previous: None, config: None, ..*row }.checksum();
    let numbers = [
        row.position,
        row.stamp,
        row.sequence,
        row.previous.unwrap_or(-1),
        row.config.unwrap_or(-1),
        i64::from(content),
    ];
    let mut hash = Sha256::new();
    numbers.iter().for_each(|number| hash.update(number.to_be_bytes()));
    hash.finalize().into()
}
