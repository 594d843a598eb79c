//! What can be asked about sends.

use domain::ids::{CustomerId, Position, ReactionId, TenantId};
use domain::time::Stamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params_from_iter};

use super::{SendId, SendState, SendView};
use crate::model::{Conditions, unknown_word};
use crate::{Error, Page, Views};

/// Which sends; `None`: whichever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendFilter {
    /// In this state.
    pub state: Option<SendState>,
    /// To this endpoint.
    pub endpoint: Option<String>,
    /// Of this reaction.
    pub reaction: Option<ReactionId>,
    /// Not made once more on somebody's request.
    pub not_redriven: bool,
    /// Begun at this time or later.
    pub from: Option<Stamp>,
    /// Begun before this time.
    pub to: Option<Stamp>,
}

pub(crate) const COLUMNS: &str = "position, reaction, customer, key, endpoint, verb, state, attempts, twice, begun, ended, at, updated, \
     redriven, receipts";

pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<SendView> {
    let state: String = row.get(6)?;
    Ok(SendView {
        position: Position(row.get(0)?),
        reaction: ReactionId(row.get(1)?),
        customer: CustomerId(row.get(2)?),
        key: row.get(3)?,
        endpoint: row.get(4)?,
        verb: row.get(5)?,
        state: SendState::from_name(&state).ok_or_else(|| unknown_word(6, &state))?,
        attempts: row.get(7)?,
        possibly_sent_twice: row.get(8)?,
        begun: Position(row.get(9)?),
        ended: row.get::<_, Option<u64>>(10)?.map(Position),
        at: Stamp(row.get(11)?),
        updated: Stamp(row.get(12)?),
        redriven: row.get(13)?,
        receipts: from_text(&row.get::<_, String>(14)?).map_err(|text| unknown_word(14, text))?,
    })
}

/// Positions as a column holds them.
pub(super) fn in_text(positions: &[Position]) -> String {
    positions.iter().map(|position| position.0.to_string()).collect::<Vec<_>>().join(" ")
}

/// Positions from a column, or what is none.
fn from_text(text: &str) -> Result<Vec<Position>, &str> {
    text.split_whitespace().map(|word| word.parse().map(Position).map_err(|_| word)).collect()
}

impl Views {
    /// A tenant's sends, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn sends(
        &self,
        tenant: &TenantId,
        filter: SendFilter,
        page: Page,
    ) -> Result<Vec<SendView>, Error> {
        let mut conditions = Conditions::page(tenant, page);
        conditions.and("state = ?", filter.state.map(|state| Value::from(state.name().to_owned())));
        conditions.and("endpoint = ?", filter.endpoint.map(Value::from));
        conditions.and("reaction = ?", filter.reaction.map(|id| Value::from(id.0.to_vec())));
        conditions.and("redriven = ?", filter.not_redriven.then_some(Value::from(0)));
        conditions.and("at >= ?", filter.from.map(|stamp| Value::from(stamp.0)));
        conditions.and("at < ?", filter.to.map(|stamp| Value::from(stamp.0)));
        self.ask(move |connection| {
            let (sql, values) = conditions.newest_first(COLUMNS, "send_v3");
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map(params_from_iter(values), read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// A tenant's send.
    ///
    /// # Errors
    /// The store's.
    pub async fn send(&self, tenant: &TenantId, id: SendId) -> Result<Option<SendView>, Error> {
        let tenant = tenant.0.clone();
        self.ask(move |connection| {
            let sql =
                format!("SELECT {COLUMNS} FROM send_v3 WHERE reaction = ?1 AND key = ?2 AND tenant = ?3");
            let values = (id.reaction.0, id.key, tenant);
            Ok(connection.prepare_cached(&sql)?.query_row(values, read).optional()?)
        })
        .await
    }
}
