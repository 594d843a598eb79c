//! GET /tenants/{tid}/event/history: the tenant's last events, read from the record itself.

use domain::customer_event::CustomerEvent;
use domain::json::Json;
use eventlog::crypto::Opened;
use eventlog::record::{Recorded, Select};

use super::shown;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::state::State;

/// GET /tenants/{tid}/event/history
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let limit = call.query.limit(10, 1_000)?;
    let mut history = Vec::new();
    let mut before = None;
    // Erased customers' events are passed over, so there may be more than one page to read.
    while history.len() < limit {
        let select = Select::CustomerEvents(call.tenant.clone());
        let rows = call.state.record.read_before(select, before, limit).await?;
        let Some(last) = rows.last() else { break };
        before = Some(last.position);
        let events = open(&call.state, &rows).await?.into_iter().flatten();
        history.extend(events.map(|event| Json::Object(shown(event))));
    }
    history.truncate(limit);
    Ok(Answer::ok(Json::object([("history", history)])))
}

/// The events of rows of the customer event stream; none where the customer was erased.
///
/// # Errors
/// The record's.
pub async fn open(state: &State, rows: &[Recorded]) -> Result<Vec<Option<CustomerEvent>>, Problem> {
    let opened = state.vault.open_all(rows).await?;
    let events = rows.iter().zip(opened).map(|(row, opened)| match opened {
        Opened::Erased => Ok(None),
        Opened::Clear(payload) => serde_json::from_slice(&payload)
            .map(Some)
            .map_err(|error| Problem::internal(format!("event at {}: {error}", row.position))),
    });
    events.collect()
}
