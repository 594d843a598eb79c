//! GET /tenants/{tid}/customers/{key}: everything that happened to one customer, newest first.
//!
//! Events are read from the record itself, so that an event is in here at once; matches, reactions and sends come
//! from the read models. The two are merged by position.

use std::cmp::Reverse;

use domain::ids::Position;
use eventlog::record::Select;

use super::answer::Answer;
use super::call::Call;
use super::events::history;
use super::list;
use super::problem::Problem;
use super::trail::{self, Entry};

/// GET /tenants/{tid}/customers/{key}
pub async fn timeline(call: Call) -> Result<Answer, Problem> {
    let state = &call.state;
    // A cursor of one customer's timeline is none of another's.
    let page = list::page(&call, format!("customers/{}", call.param("key")))?;
    let customer = state.vault.customer(&call.tenant, call.param("key")).await?.id;
    let known = state.views.timeline(&call.tenant, customer, page.ask()).await?;
    let mut entries: Vec<(Position, Entry)> =
        known.into_iter().map(|entry| (entry.position(), Entry::Known(entry))).collect();
    let select = Select::Customer(call.tenant.clone(), customer);
    let rows = state.record.read_before(select, page.before(), page.ask().limit).await?;
    for (row, event) in rows.iter().zip(history::open(state, &rows).await?) {
        entries.extend(event.map(|event| (row.position, Entry::Event(row.stamp, event))));
    }
    entries.sort_by_key(|(position, _)| Reverse(*position));
    let (entries, next) = page.cut(&call, entries, |(position, _)| *position);
    let entries = entries.into_iter().map(|(_, entry)| entry).collect();
    Ok(list::answer(trail::show(state, entries).await?, next))
}
