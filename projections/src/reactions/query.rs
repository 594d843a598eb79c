//! What can be asked about matches and reactions.

use domain::ids::{CustomerId, PatternId, Position, ReactionId, TenantId};
use domain::time::Stamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::{ReactionState, ReactionView};
use crate::model::{Conditions, unknown_word};
use crate::{Error, Page, Views};

/// Which matches and reactions; `None`: whichever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReactionFilter {
    /// In this state.
    pub state: Option<ReactionState>,
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// Of this pattern.
    pub pattern: Option<PatternId>,
    /// Recorded at this time or later.
    pub from: Option<Stamp>,
    /// Recorded before this time.
    pub to: Option<Stamp>,
}

pub(crate) const COLUMNS: &str =
    "id, pattern, version, customer, position, matched, at, start, state, updated";

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<ReactionView> {
    let state: String = row.get(8)?;
    Ok(ReactionView {
        id: ReactionId(row.get(0)?),
        pattern: PatternId(row.get(1)?),
        version: row.get(2)?,
        customer: CustomerId(row.get(3)?),
        position: Position(row.get(4)?),
        matched: Stamp(row.get(5)?),
        at: Stamp(row.get(6)?),
        start: row.get::<_, Option<u64>>(7)?.map(Position),
        state: ReactionState::from_name(&state).ok_or_else(|| unknown_word(8, &state))?,
        updated: Stamp(row.get(9)?),
    })
}

impl Views {
    /// A tenant's matches and their reactions, newest match first.
    ///
    /// # Errors
    /// The store's.
    pub async fn reactions(
        &self,
        tenant: &TenantId,
        filter: ReactionFilter,
        page: Page,
    ) -> Result<Vec<ReactionView>, Error> {
        let mut conditions = Conditions::page(tenant, page);
        conditions.and("state = ?", filter.state.map(|state| Value::from(state.name().to_owned())));
        conditions.and("customer = ?", filter.customer.map(|id| Value::from(id.0.to_vec())));
        conditions.and("pattern = ?", filter.pattern.map(|id| Value::from(id.0)));
        conditions.and("at >= ?", filter.from.map(|stamp| Value::from(stamp.0)));
        conditions.and("at < ?", filter.to.map(|stamp| Value::from(stamp.0)));
        self.ask(move |connection| {
            let (sql, values) = conditions.newest_first(COLUMNS, "reaction_v1");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map(params_from_iter(values), read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// A tenant's match and its reaction.
    ///
    /// # Errors
    /// The store's.
    pub async fn reaction(&self, tenant: &TenantId, id: ReactionId) -> Result<Option<ReactionView>, Error> {
        let tenant = tenant.0.clone();
        self.ask(move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM reaction_v1 WHERE id = ?1 AND tenant = ?2");
            Ok(connection.prepare_cached(&sql)?.query_row((id.0, tenant), read).optional()?)
        })
        .await
    }
}
