//! What a server knows of the record without asking: where it ends, the configuration positions, the time.
//!
//! All of it only ever lags. An append that was decided on too old a configuration is refused by the database, and
//! the refusal brings the new position along.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Instant;

use domain::ids::{Position, TenantId};
use domain::time::Stamp;
use sqlx::PgConnection;
use tokio::sync::watch;

use crate::record::Head;
use crate::record::row::integer;

pub(super) struct Shared {
    head: watch::Sender<Head>,
    configurations: RwLock<HashMap<TenantId, Position>>,
    /// Up to where all tenants' configuration positions have been read.
    read_to: Mutex<i64>,
    /// The database's clock when it was last asked, and when that was.
    clock: RwLock<(i64, Instant)>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            head: watch::channel(Head::default()).0,
            configurations: RwLock::default(),
            read_to: Mutex::default(),
            clock: RwLock::new((i64::MIN, Instant::now())),
        }
    }

    pub(super) fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    pub(super) fn advance(&self, to: Head) {
        to.advance(&self.head);
    }

    pub(super) fn configured(&self, positions: Vec<(TenantId, Position)>) {
        if positions.is_empty() {
            return;
        }
        let mut known = self.configurations.write().unwrap_or_else(PoisonError::into_inner);
        for (tenant, position) in positions {
            let at = known.entry(tenant).or_default();
            *at = position.max(*at);
        }
    }

    pub(super) fn config_position(&self, tenant: &TenantId) -> Position {
        let known = self.configurations.read().unwrap_or_else(PoisonError::into_inner);
        known.get(tenant).copied().unwrap_or_default()
    }

    /// The database's time, by this machine's pace since it was last asked: never ahead of it by more than that
    /// pace differs.
    pub(super) fn now(&self) -> Stamp {
        let (clock, asked) = *self.clock.read().unwrap_or_else(PoisonError::into_inner);
        let since = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
        Stamp(clock.saturating_add(since)).max(self.head.borrow().stamp)
    }

    /// Asks the database where the record ends, and for the configurations that moved.
    pub(super) async fn refresh(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (position, stamp, clock): (i64, i64, i64) = sqlx::query_as(
            "SELECT position, stamp, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint \
             FROM cxengage.head",
        )
        .fetch_one(&mut *connection)
        .await?;
        *self.clock.write().unwrap_or_else(PoisonError::into_inner) = (clock, Instant::now());
        if self.head.borrow().position.0 < position.unsigned_abs() || position == 0 {
            self.read_configurations(connection).await?;
            self.advance(Head { position: Position(position.unsigned_abs()), stamp: Stamp(stamp) });
        }
        Ok(())
    }

    async fn read_configurations(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let read_to = *self.read_to.lock().unwrap_or_else(PoisonError::into_inner);
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT tenant, position FROM cxengage.configurations WHERE position > $1")
                .bind(read_to)
                .fetch_all(connection)
                .await?;
        let furthest = rows.iter().map(|(_, position)| *position).max().unwrap_or(read_to);
        let positions = rows.into_iter().map(|(tenant, at)| (TenantId(tenant), Position(at.unsigned_abs())));
        self.configured(positions.collect());
        let mut read_to = self.read_to.lock().unwrap_or_else(PoisonError::into_inner);
        *read_to = furthest.max(*read_to);
        Ok(())
    }

    /// Whether the record is known to reach at least so far.
    pub(super) fn reaches(&self, position: u64) -> bool {
        integer(self.head.borrow().position.0) >= integer(position)
    }
}
