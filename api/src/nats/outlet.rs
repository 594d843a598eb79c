//! `cxengage.matches.<tenant>` and `cxengage.reactions.<tenant>`: what happened, for those who want to listen.
//!
//! Told at least once, in order, from where it was told last; what belongs to an erased customer is not told.

use domain::ids::{Position, ReactionId, TenantId};
use domain::json::{Json, Object};
use domain::reaction::Match;
use eventlog::checkpoint::Places;
use eventlog::nats::Nats;
use eventlog::record::{Feed, Recorded, Select, StreamKind};
use projections::{ReactionView, TimelineEntry};

use super::Failed;
use crate::http::events::history::open;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::trail::{self, Entry};

/// Its place in the record is kept under this name.
const NAME: &str = "nats-outlet";

/// How many rows are read at a time.
const ROWS: usize = 500;

/// Tells what happens.
pub async fn run(nats: &Nats, state: &State, checkpoints: &dyn Places) -> Result<(), Failed> {
    // The first time, what was before is not told.
    let from = match checkpoints.load(NAME).await? {
        Some((position, _)) => position,
        None => state.record.head().borrow().position,
    };
    let mut feed = Feed::new(state.record.clone(), Select::Domain, from);
    loop {
        let rows = feed.next(ROWS).await?;
        let last = rows.last().map_or(feed.position(), |row| row.position);
        state.views.wait_for(last).await?;
        for row in &rows {
            if let Some((subject, body)) = told(state, row).await.map_err(|problem| format!("{problem:?}"))? {
                nats.client.publish(subject, body.to_string().into()).await?;
            }
        }
        nats.client.flush().await?;
        checkpoints.commit(NAME, last, Vec::new()).await?;
    }
}

/// The subject and the text of a row that is told.
async fn told(state: &State, row: &Recorded) -> Result<Option<(String, Json)>, Problem> {
    let (StreamKind::Reaction, Ok(id)) = (row.stream.kind, row.stream.id.parse::<ReactionId>()) else {
        return Ok(None);
    };
    let reached = match row.event_type.as_str() {
        Match::TYPE => None,
        "reaction-started" => Some("running"),
        "reaction-done" => Some("done"),
        "reaction-failed" => Some("failed"),
        "reaction-cancelled" => Some("cancelled"),
        _ => return Ok(None),
    };
    let tenant = &row.stream.tenant;
    let Some(view) = state.views.reaction(tenant, id).await? else { return Ok(None) };
    let Some(key) = key(state, tenant, &view).await? else { return Ok(None) };
    let (subject, entry): (_, fn(ReactionView) -> TimelineEntry) = match reached {
        None => ("matches", TimelineEntry::Match),
        Some(_) => ("reactions", TimelineEntry::Reaction),
    };
    let shown = trail::show(state, vec![Entry::Known(entry(view))]).await?.pop();
    Ok(shown.map(|shown| {
        let mut shown = shown.as_object().cloned().unwrap_or_default();
        if let Some(reached) = reached {
            // The read model may be further on already: this row is what is told.
            shown.set("state", reached);
            shown.set("at", row.stamp.to_string());
            shown.remove("updated");
        }
        shown.set("key", key);
        (format!("cxengage.{subject}.{tenant}"), Object::into(shown))
    }))
}

/// The key of the customer whose match it is, from the last event of its witness; none if they were erased.
async fn key(state: &State, tenant: &TenantId, view: &ReactionView) -> Result<Option<String>, Problem> {
    let Some(row) = state.record.read_at(&[view.position]).await?.pop() else { return Ok(None) };
    let opened = state.vault.open(&row).await?;
    let Some(domain::reaction::Event::Matched(matched)) = trail::read(&row, opened)? else { return Ok(None) };
    let last: Vec<Position> = matched.witness.last().copied().into_iter().collect();
    let rows = state.record.read_at(&last).await?;
    debug_assert!(rows.iter().all(|row| row.stream.tenant == *tenant));
    Ok(open(state, &rows).await?.pop().flatten().map(|event| event.key))
}
