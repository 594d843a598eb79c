//! One customer: everything that happened to them, newest first; and how they are forgotten.
//!
//! Events are read from the record itself, so that an event is in here at once; matches, reactions and sends come
//! from the read models. The two are merged by position.

use std::cmp::Reverse;

use domain::ids::{CustomerId, Position, ReactionId};
use eventlog::record::Select;
use projections::{Page, ReactionFilter, ReactionState};

use super::answer::Answer;
use super::call::Call;
use super::change;
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

/// How often reactions that began in between are ended, and their customer erased again.
const ROUNDS: usize = 5;

/// DELETE /tenants/{tid}/customers/{key}: destroys the customer's key, and with it all that was ever sealed under it.
///
/// Reactions of theirs that still run are cancelled first: what they went on to write would be of a forgotten one.
/// An unknown customer is answered as one who has been erased: nothing of them can be read.
pub async fn erase(call: Call) -> Result<Answer, Problem> {
    let state = &call.state;
    let customer = state.vault.customer(&call.tenant, call.param("key")).await?.id;
    for _ in 0..ROUNDS {
        cancel_all(&call, customer).await?;
        let erased = state.vault.erase(&call.tenant, customer, call.metadata()).await?;
        if let Some(position) = erased {
            change::settle(state, position).await;
        }
        if running(&call, customer).await?.is_empty() {
            return Ok(Answer::no_content());
        }
    }
    Err(Problem::unavailable("reactions of this customer keep beginning; try again"))
}

async fn cancel_all(call: &Call, customer: CustomerId) -> Result<(), Problem> {
    let by = call.metadata().by.unwrap_or_default();
    for reaction in running(call, customer).await? {
        call.state.notifier.cancel(&call.tenant, reaction, &by).await?;
    }
    Ok(())
}

/// The customer's reactions that are not over, as far as the record goes now.
async fn running(call: &Call, customer: CustomerId) -> Result<Vec<ReactionId>, Problem> {
    change::settle_all(&call.state).await;
    let filter = ReactionFilter {
        customer: Some(customer),
        state: Some(ReactionState::Running),
        ..ReactionFilter::default()
    };
    let all = Page { before: None, limit: usize::MAX };
    let views = call.state.views.reactions(&call.tenant, filter, all).await?;
    Ok(views.into_iter().map(|view| view.id).collect())
}
