//! Reactions: what was done about matches, step by step, and how to stop one.

mod steps;

use domain::ids::{PatternId, ReactionId};
use domain::json::Json;
use domain::pattern;
use domain::reaction::Event;
use eventlog::record::{Recorded, Select, StreamId, StreamKind};
use notifier::runtime::Cancelled;
use projections::{ReactionFilter, ReactionState, ReactionView, TimelineEntry};

use super::answer::Answer;
use super::call::Call;
use super::change;
use super::list;
use super::problem::Problem;
use super::trail::{self, Entry};

/// How many rows of a stream are read at a time.
const ROWS: usize = 1_000;

/// GET /tenants/{tid}/reactions
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let filter = filter(&call).await?;
    page(&call, "reactions", filter, TimelineEntry::Reaction).await
}

/// A page of matches or of their reactions.
///
/// # Errors
/// The read models' and the record's.
pub async fn page(
    call: &Call,
    list: &str,
    filter: ReactionFilter,
    entry: impl Fn(ReactionView) -> TimelineEntry,
) -> Result<Answer, Problem> {
    let page = list::page(call, list)?;
    let views = call.state.views.reactions(&call.tenant, filter, page.ask()).await?;
    let (views, next) = page.cut(call, views, |view| view.position);
    let entries = views.into_iter().map(|view| Entry::Known(entry(view))).collect();
    Ok(list::answer(trail::show(&call.state, entries).await?, next))
}

/// What the query asks of matches and reactions.
///
/// # Errors
/// 400 for what is no state or no time.
pub async fn filter(call: &Call) -> Result<ReactionFilter, Problem> {
    let state = call.query.get("state").map(|word| {
        let known = ReactionState::ALL.map(ReactionState::name).join(", ");
        ReactionState::from_name(word)
            .ok_or_else(|| Problem::bad_field("state", &format!("has to be one of {known}")))
    });
    let customer = match call.query.get("customer") {
        Some(key) => Some(call.state.vault.customer(&call.tenant, key).await?.id),
        None => None,
    };
    Ok(ReactionFilter {
        state: state.transpose()?,
        customer,
        pattern: call.query.get("pattern").map(PatternId::from),
        from: call.query.time("from")?,
        to: call.query.time("to")?,
    })
}

/// GET /tenants/{tid}/reactions/{id}
pub async fn show(call: Call) -> Result<Answer, Problem> {
    answer(&call, id(&call)?).await
}

/// POST /tenants/{tid}/reactions/{id}/cancel
pub async fn cancel(call: Call) -> Result<Answer, Problem> {
    let id = id(&call)?;
    let by = call.metadata().by.unwrap_or_default();
    match call.state.notifier.cancel(&call.tenant, id, &by).await? {
        Cancelled::Missing => Err(missing()),
        Cancelled::Finished => Err(Problem::conflict("the reaction is over: it is done or has failed")),
        Cancelled::Cancelled | Cancelled::Already => {
            change::settle_all(&call.state).await;
            answer(&call, id).await
        }
    }
}

fn missing() -> Problem {
    Problem::missing("there is no such reaction")
}

fn id(call: &Call) -> Result<ReactionId, Problem> {
    call.param("id").parse().map_err(|_| missing())
}

async fn answer(call: &Call, id: ReactionId) -> Result<Answer, Problem> {
    let view = call.state.views.reaction(&call.tenant, id).await?.ok_or_else(missing)?;
    let rows = stream(call, id).await?;
    let matched = rows.iter().find_map(|(_, event)| match event {
        Event::Matched(matched) => Some(matched),
        _ => None,
    });
    let at = view.start.and_then(|start| rows.iter().find(|(row, _)| row.position == start));
    let mut shown = trail::reaction_entry(id, at.map_or(view.at, |(row, _)| row.stamp), &view);
    if let Some(matched) = matched {
        let program = program(call, matched.program).await?;
        shown.set("program", program.map_or(Json::Null, Json::from));
    }
    let events = trail::event_ids(&call.state, &steps::outside(&rows)).await?;
    shown.set("steps", steps::steps(&rows, &events));
    Ok(Answer::ok(shown))
}

/// The reaction's stream, opened; without what belongs to an erased customer.
async fn stream(call: &Call, id: ReactionId) -> Result<Vec<(Recorded, Event)>, Problem> {
    let stream = StreamId::new(&call.tenant, StreamKind::Reaction, id.to_string());
    let (mut read, mut after) = (Vec::new(), domain::ids::Position(0));
    loop {
        let rows = call.state.record.read_after(Select::Stream(stream.clone()), after, ROWS).await?;
        let Some(last) = rows.last() else { return Ok(read) };
        after = last.position;
        let opened = call.state.vault.open_all(&rows).await?;
        for (row, opened) in rows.into_iter().zip(opened) {
            if let Some(event) = trail::read(&row, opened)? {
                read.push((row, event));
            }
        }
    }
}

/// The `then` of the pattern event at a position.
async fn program(call: &Call, position: domain::ids::Position) -> Result<Option<String>, Problem> {
    let rows = call.state.record.read_at(&[position]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let event: pattern::Event = serde_json::from_slice(&row.payload)
        .map_err(|error| Problem::internal(format!("pattern at {position}: {error}")))?;
    Ok(match event {
        pattern::Event::Created(definition) | pattern::Event::Updated(definition) => definition.then,
        pattern::Event::Deleted => None,
    })
}
