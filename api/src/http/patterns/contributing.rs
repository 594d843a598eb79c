//! GET /tenants/{tid}/patterns/{id}/contributing: what a customer has so far contributed towards a match.

use domain::json::{Json, Object};
use engine::contributing::{Contributed, contributing};

use super::view;
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::problem::Problem;

/// GET /tenants/{tid}/patterns/{id}/contributing
pub async fn show(call: Call) -> Result<Answer, Problem> {
    let key = call.query.get("key").filter(|key| !key.is_empty());
    let key =
        key.ok_or_else(|| Problem::bad_field("key", "is missing: the customer's key attribute value"))?;
    let view = view(&call, call.param("id")).await?;
    let state = &call.state;
    let found = contributing(&state.record, &state.vault, &call.tenant, &view.id, key).await?;
    // What is not matched has nothing contributed to it.
    let version = found.as_ref().map_or(view.definition.version, |found| found.version);
    let events = found.into_iter().flat_map(|found| found.events).map(shown).collect::<Vec<_>>();
    let mut answer = Object::new();
    answer.set("pattern", view.id.as_str());
    answer.set("version", u64::from(version));
    answer.set("key", key);
    answer.set("events", events);
    Ok(Answer::ok(answer))
}

fn shown(contributed: Contributed) -> Json {
    let mut shown = Object::new();
    shown.set("id", contributed.event.id.to_string());
    shown.set("at", contributed.stamp.to_string());
    shown.set("event", contributed.event.event);
    shown.into()
}
