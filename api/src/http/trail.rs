//! Entries of the trail: events, matches, reactions and sends, as every list shows them.
//!
//! Read models know ids, states and positions; what was said stands, sealed, in the record. A page's rows are read
//! and opened together. What belongs to an erased customer is left out.

use std::collections::HashMap;

use domain::customer_event::{Augmentations, Augmented, CustomerEvent, Origin};
use domain::dsl::then::Path;
use domain::ids::{Position, ReactionId};
use domain::json::{Json, Object};
use domain::reaction::{Answer, Effect, Event, InputKind, Note, Receipt, Remark, Request};
use domain::time::Stamp;
use eventlog::crypto::Opened;
use eventlog::record::Recorded;
use projections::{ReactionView, SendId, SendView, TimelineEntry};

use super::problem::Problem;
use super::state::State;

/// An entry to be shown.
pub enum Entry {
    /// A customer event.
    Event(Stamp, CustomerEvent),
    /// What a read model knows of.
    Known(TimelineEntry),
}

/// Shows entries, in order.
///
/// # Errors
/// The record's.
pub async fn show(state: &State, entries: Vec<Entry>) -> Result<Vec<Json>, Problem> {
    let rows = Rows::read(state, entries.iter().flat_map(positions).collect()).await?;
    let mut shown = Vec::with_capacity(entries.len());
    for entry in &entries {
        match entry {
            Entry::Event(at, event) => shown.push(self::event(*at, event)),
            Entry::Known(TimelineEntry::Match(view)) => shown.extend(matched(state, view, &rows).await?),
            Entry::Known(TimelineEntry::Reaction(view)) => shown.push(reaction(view, rows.at(view.start))),
            Entry::Known(TimelineEntry::Send(view)) => shown.extend(send(view, &rows)),
        }
    }
    Ok(shown)
}

/// The rows of the record that an entry is made from.
fn positions(entry: &Entry) -> Vec<Position> {
    match entry {
        Entry::Event(..) => Vec::new(),
        Entry::Known(TimelineEntry::Match(view)) => vec![view.position],
        Entry::Known(TimelineEntry::Reaction(view)) => view.start.into_iter().collect(),
        Entry::Known(TimelineEntry::Send(view)) => {
            [view.begun].into_iter().chain(view.ended).chain(view.receipts.iter().copied()).collect()
        }
    }
}

/// Rows of reactions' streams, opened.
struct Rows(HashMap<Position, (Stamp, Event)>);

impl Rows {
    async fn read(state: &State, positions: Vec<Position>) -> Result<Self, Problem> {
        let rows = state.record.read_at(&positions).await?;
        let opened = state.vault.open_all(&rows).await?;
        let mut read = HashMap::new();
        for (row, opened) in rows.iter().zip(opened) {
            if let Some(event) = self::read(row, opened)? {
                read.insert(row.position, (row.stamp, event));
            }
        }
        Ok(Self(read))
    }

    fn at(&self, position: Option<Position>) -> Option<&(Stamp, Event)> {
        self.0.get(&position?)
    }
}

/// An entry of a reaction's stream; none if its customer was erased.
///
/// # Errors
/// 500: it is not what it says.
pub fn read(row: &Recorded, opened: Opened) -> Result<Option<Event>, Problem> {
    let Opened::Clear(clear) = opened else { return Ok(None) };
    let event = Event::from_json(&row.event_type, row.event_version, &clear);
    event.map(Some).map_err(|error| Problem::internal(format!("entry at {}: {error}", row.position)))
}

/// The ids of the customer events at these positions.
///
/// # Errors
/// The record's.
pub async fn event_ids(state: &State, positions: &[Position]) -> Result<HashMap<Position, String>, Problem> {
    let rows = state.record.read_at(positions).await?;
    Ok(rows.iter().filter_map(|row| Some((row.position, row.event_id?.to_string()))).collect())
}

fn entry(kind: &str, id: String, at: Stamp, cause: Option<String>) -> Object {
    let mut entry = Object::new();
    entry.set("kind", kind);
    entry.set("id", id);
    entry.set("at", at.to_string());
    if let Some(cause) = cause {
        entry.set("cause", cause);
    }
    entry
}

fn event(at: Stamp, event: &CustomerEvent) -> Json {
    let cause = match &event.origin {
        Origin::Reaction { reaction, .. } => Some(reaction.to_string()),
        Origin::Rest | Origin::Nats | Origin::Listener(_) => None,
    };
    let mut shown = entry("event", event.id.to_string(), at, cause);
    shown.set("event", event.event.clone());
    if !event.augmented.is_empty() {
        shown.set("augmented", augmented(&event.augmented));
    }
    shown.into()
}

/// What augments did, by their ids.
pub fn augmented(augmentations: &Augmentations) -> Object {
    let each = augmentations.iter().map(|(id, what)| {
        let what = match what {
            Augmented::Added(added) => Json::object([("added", added.clone())]),
            Augmented::Error(error) => Json::object([("error", error.as_str())]),
        };
        (id.to_string(), what)
    });
    each.collect()
}

async fn matched(state: &State, view: &ReactionView, rows: &Rows) -> Result<Option<Json>, Problem> {
    let Some((_, Event::Matched(matched))) = rows.at(Some(view.position)) else { return Ok(None) };
    let ids = event_ids(state, &matched.witness).await?;
    let events: Vec<&String> = matched.witness.iter().filter_map(|position| ids.get(position)).collect();
    let mut shown = entry("match", view.id.to_string(), view.matched, events.last().map(|id| (*id).clone()));
    shown.set("pattern", view.pattern.as_str());
    shown.set("version", u64::from(view.version));
    shown.set("events", events.into_iter().map(|id| Json::from(id.as_str())).collect::<Vec<_>>());
    Ok(Some(shown.into()))
}

fn reaction(view: &ReactionView, start: Option<&(Stamp, Event)>) -> Json {
    let at = start.map_or(view.at, |(stamp, _)| *stamp);
    reaction_entry(view.id, at, view).into()
}

/// A reaction's entry, to which its steps may be added.
pub fn reaction_entry(id: ReactionId, at: Stamp, view: &ReactionView) -> Object {
    // Its cause is its match, which has the same id.
    let mut shown = entry("reaction", id.to_string(), at, Some(id.to_string()));
    shown.set("pattern", view.pattern.as_str());
    shown.set("version", u64::from(view.version));
    shown.set("state", view.state.name());
    shown.set("updated", view.updated.to_string());
    shown
}

/// The requests of sends, by where they began; without those that never did, or of erased customers.
///
/// # Errors
/// The record's.
pub async fn requests(state: &State, sends: &[SendView]) -> Result<HashMap<Position, Request>, Problem> {
    let rows = Rows::read(state, sends.iter().map(|view| view.begun).collect()).await?;
    let request = |(position, (_, event))| match event {
        Event::Effect(Effect::Send(request)) => Some((position, request)),
        _ => None,
    };
    Ok(rows.0.into_iter().filter_map(request).collect())
}

/// A send's last attempt: the place of its command, its parameters, the send that it is made in place of, and why it
/// could not begin, if that is so.
fn attempt(event: &Event) -> Option<(&Path, Object, Option<&str>, Option<&str>)> {
    match event {
        Event::Effect(Effect::Send(request)) => {
            Some((&request.place, request.params.clone(), request.again_of.as_deref(), None))
        }
        Event::Effect(Effect::Note(Note { place, remark: Remark::NotSent { reason, .. } })) => {
            Some((place, Object::new(), None, Some(reason)))
        }
        _ => None,
    }
}

/// What a provider said later about a send.
fn receipt((at, event): &(Stamp, Event)) -> Option<Json> {
    let Event::Input(input) = event else { return None };
    let InputKind::ReceiptCame(receipt) = &input.kind else { return None };
    let mut shown = Object::new();
    shown.set("at", at.to_string());
    shown.merge(&receipt_described(receipt));
    Some(shown.into())
}

/// A receipt, in the provider's words.
pub fn receipt_described(receipt: &Receipt) -> Object {
    let mut said = Object::new();
    said.set("status", receipt.status.as_str());
    said.set("message-id", receipt.message_id.as_str());
    if let Some(event) = receipt.event {
        said.set("event", event.to_string());
    }
    if let Some(reason) = &receipt.refused {
        said.set("error", reason.as_str());
    }
    said.set("receipt", receipt.said.clone());
    said
}

fn send(view: &SendView, rows: &Rows) -> Option<Json> {
    let (place, params, again_of, not_sent) = attempt(&rows.at(Some(view.begun))?.1)?;
    // One that is made again has the send that failed for its cause.
    let failed = again_of.and_then(|key| SendId::of_key(view.reaction, key));
    let cause = failed.map_or_else(|| view.reaction.to_string(), |failed| failed.to_string());
    let mut shown = entry("send", view.id().to_string(), view.at, Some(cause));
    shown.set("endpoint", view.endpoint.as_str());
    shown.set("verb", view.verb.as_str());
    shown.set("params", params);
    shown.set("state", view.state.name());
    shown.set("attempts", u64::from(view.attempts));
    if view.possibly_sent_twice {
        shown.set("possibly-sent-twice", true);
    }
    if let Some((_, Event::Input(input))) = rows.at(view.ended)
        && let InputKind::Answered { answer, .. } | InputKind::Polled { answer, .. } = &input.kind
    {
        match answer {
            Answer::Succeeded(success) => shown.set("response", success.response.clone()),
            Answer::Failed(failure) => shown.set("error", failure.error.as_str()),
        }
    }
    if let Some(reason) = not_sent {
        shown.set("error", reason);
    }
    if view.redriven {
        shown.set("redriven", true);
    }
    let receipts: Vec<Json> = view.receipts.iter().filter_map(|at| receipt(rows.at(Some(*at))?)).collect();
    if !receipts.is_empty() {
        shown.set("receipts", receipts);
    }
    shown.set("reaction", view.reaction.to_string());
    shown.set("place", place.to_string());
    shown.set("idempotency-key", view.key.as_str());
    shown.set("updated", view.updated.to_string());
    Some(shown.into())
}
