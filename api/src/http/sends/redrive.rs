//! `POST …/sends/redrive`: what failed for good is sent again, as new sends with a trail of their own.

use domain::ids::ReactionId;
use domain::json::{Json, Object};
use domain::reaction::Request;
use domain::time::Stamp;
use futures_util::future::try_join_all;
use notifier::runtime::{Decided, Redrive};
use projections::{Page, SendFilter, SendId, SendState, SendView, TimelineEntry};

use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::change;
use crate::http::fields::Fields;
use crate::http::problem::Problem;
use crate::http::trail::{self, Entry};

/// How many sends one request makes once more at most.
const MOST: usize = 1_000;

/// How many of them are asked for at a time, so that they are appended together.
const AT_ONCE: usize = 64;

/// What is asked for.
struct Asked {
    filter: SendFilter,
    id: Option<SendId>,
    dry_run: bool,
}

/// POST /tenants/{tid}/sends/redrive
pub async fn redrive(call: Call) -> Result<Answer, Problem> {
    let Asked { filter, id, dry_run } = asked(&call).await?;
    let page = Page { before: None, limit: MOST + 1 };
    let mut found = match id {
        None => call.state.views.sends(&call.tenant, filter, page).await?,
        Some(id) => call.state.views.send(&call.tenant, id).await?.into_iter().collect(),
    };
    let more = found.len() > MOST;
    found.truncate(MOST);
    let requests = trail::requests(&call.state, &found).await?;
    // The oldest first: they waited longest. One that never began has nothing that could be sent.
    let sent = found.iter().rev().filter_map(|view| Some((view, requests.get(&view.begun)?)));
    let sent: Vec<_> = sent.collect();
    let mut made = Vec::new();
    for some in sent.chunks(AT_ONCE) {
        let asked = some.iter().map(|(view, request)| again(&call, view, request, dry_run));
        for ((view, _), done) in some.iter().zip(try_join_all(asked).await?) {
            made.extend(done.then(|| SendView { redriven: !dry_run, ..(*view).clone() }));
        }
    }
    answer(&call, made, more).await
}

async fn again(call: &Call, view: &SendView, request: &Request, dry_run: bool) -> Result<bool, Problem> {
    if view.state != SendState::Failed {
        return Ok(false);
    }
    let redrive = Redrive {
        key: view.key.clone(),
        place: request.place.clone(),
        params: request.params.clone(),
        cause: view.begun,
        dry_run,
    };
    let by = call.metadata().by.unwrap_or_default();
    let reaction: ReactionId = view.reaction;
    Ok(call.state.notifier.redrive(&call.tenant, reaction, redrive, &by).await? == Decided::Done)
}

async fn answer(call: &Call, made: Vec<SendView>, more: bool) -> Result<Answer, Problem> {
    change::settle_all(&call.state).await;
    let entries: Vec<_> = made.into_iter().map(|view| Entry::Known(TimelineEntry::Send(view))).collect();
    let mut answer = Object::new();
    answer.set("count", entries.len() as u64);
    answer.set("sends", trail::show(&call.state, entries).await?);
    if more {
        // Ask again for the rest.
        answer.set("more", true);
    }
    Ok(Answer::ok(answer))
}

async fn asked(call: &Call) -> Result<Asked, Problem> {
    let mut fields = call.fields().await?;
    let dry_run = fields.boolean("dry-run").flatten().unwrap_or(false);
    let filter = fields.optional_object("filter");
    fields.end()?;
    let mut fields = Fields::of(Json::Object(filter.unwrap_or_default()))?;
    let endpoint = fields.optional_text("endpoint");
    let times = ["from", "to"].map(|name| {
        fields.typed(name, "a time such as 2026-01-31T12:00:00.000Z", |value| {
            Stamp::from_rfc3339(value.as_text()?)
        })
    });
    let state = fields.optional_text("state");
    let state_is_good = state.as_deref().is_none_or(|word| word == SendState::Failed.name());
    fields.check("state", state_is_good, "has to be \"failed\": held sends are released or discarded");
    let id = fields.optional_text("id");
    let parsed: Option<SendId> = id.as_deref().and_then(|id| id.parse().ok());
    fields.check("id", id.is_some() == parsed.is_some(), "has to be the id of a send");
    fields.end()?;
    let [from, to] = times.map(Option::flatten);
    let state = Some(SendState::Failed);
    let filter = SendFilter { state, endpoint, from, to, not_redriven: true, reaction: None };
    Ok(Asked { filter, id: parsed, dry_run })
}
