//! A reaction step by step, as its stream has it: each step with its place in the program and its cause.
//!
//! Pure: rows in, JSON out. A step's cause is the number of an earlier step, or the id of the customer event that
//! came from outside.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::dsl::then::Path;
use domain::ids::Position;
use domain::json::{Json, Object};
use domain::reaction::{Answer, Effect, Event, InputKind, Outcome, Purpose, Remark, StepId};
use eventlog::record::Recorded;

use crate::http::trail::{augmented, receipt_described};

/// The steps of a stream's rows; `events` has the ids of customer events that caused some of them.
pub fn steps(rows: &[(Recorded, Event)], events: &HashMap<Position, String>) -> Vec<Json> {
    let numbers: HashMap<Position, u64> = rows.iter().map(|(row, _)| (row.position, row.version)).collect();
    let places = places(rows);
    let event_id = |position: &Position| events.get(position).map(|id| Json::from(id.as_str()));
    let mut last_input = None;
    let mut steps = Vec::with_capacity(rows.len());
    for (row, event) in rows {
        let mut step = Object::new();
        step.set("step", row.version);
        step.set("kind", row.event_type.as_str());
        step.set("at", row.stamp.to_string());
        if let Some(place) = place(event, &places) {
            step.set("place", place.to_string());
        }
        let said = row.metadata.cause;
        let said =
            said.and_then(|cause| numbers.get(&cause).map(|n| Json::from(*n)).or_else(|| event_id(&cause)));
        // What was decided was decided upon the input before it.
        let decided = matches!(event, Event::Effect(_)).then_some(last_input).flatten().map(Json::from);
        if let Some(cause) = brought_by(event).and_then(|position| event_id(&position)).or(said).or(decided) {
            step.set("cause", cause);
        }
        if matches!(event, Event::Input(_)) {
            last_input = Some(row.version);
        }
        step.merge(&described(event));
        steps.push(step.into());
    }
    steps
}

/// The customer event that an entry is about.
fn brought_by(event: &Event) -> Option<Position> {
    match event {
        Event::Matched(matched) => matched.witness.last().copied(),
        Event::Input(input) => match &input.kind {
            InputKind::ExpectMet { position, .. } => Some(*position),
            _ => None,
        },
        Event::Effect(_) => None,
    }
}

/// The positions outside a stream that its rows name as causes.
pub fn outside(rows: &[(Recorded, Event)]) -> Vec<Position> {
    let within: HashSet<Position> = rows.iter().map(|(row, _)| row.position).collect();
    let named = rows.iter().flat_map(|(row, event)| row.metadata.cause.into_iter().chain(brought_by(event)));
    let outside: HashSet<Position> = named.filter(|position| !within.contains(position)).collect();
    outside.into_iter().collect()
}

/// Where in the program each numbered step stands.
fn places(rows: &[(Recorded, Event)]) -> BTreeMap<StepId, Path> {
    let numbered = rows.iter().filter_map(|(_, event)| match event {
        Event::Effect(Effect::Send(request)) => Some((request.id, request.place.clone())),
        Event::Effect(Effect::SetTimer(timer)) => Some((timer.id, timer.place.clone())),
        Event::Effect(Effect::OpenExpect(expect)) => Some((expect.id, expect.place.clone())),
        Event::Effect(Effect::AppendEvent(append)) => Some((append.id, append.place.clone())),
        _ => None,
    });
    numbered.collect()
}

fn place<'a>(event: &'a Event, places: &'a BTreeMap<StepId, Path>) -> Option<&'a Path> {
    match event {
        Event::Matched(_) | Event::Effect(Effect::Finished(_)) => None,
        Event::Effect(Effect::Send(request)) => Some(&request.place),
        Event::Effect(Effect::SetTimer(timer)) => Some(&timer.place),
        Event::Effect(Effect::OpenExpect(expect)) => Some(&expect.place),
        Event::Effect(Effect::AppendEvent(append)) => Some(&append.place),
        Event::Effect(Effect::SetVariable(assignment)) => Some(&assignment.place),
        Event::Effect(Effect::Note(note)) => Some(&note.place),
        Event::Input(input) => match &input.kind {
            InputKind::Started(_) | InputKind::Cancelled { .. } => None,
            InputKind::SendRedriven { place, .. } => Some(place),
            InputKind::ReceiptCame(receipt) => Some(&receipt.place),
            InputKind::Answered { send: id, .. }
            | InputKind::Polled { poll: id, .. }
            | InputKind::SendResumed { send: id }
            | InputKind::SendReleased { send: id, .. }
            | InputKind::SendDiscarded { send: id, .. }
            | InputKind::TimerFired { timer: id }
            | InputKind::ExpectMet { expect: id, .. }
            | InputKind::ExpectMissed { expect: id }
            | InputKind::ExpectRefused { expect: id, .. }
            | InputKind::EventAppended { append: id, .. }
            | InputKind::EventRefused { append: id, .. } => places.get(id),
        },
    }
}

/// What there is to say of a step beyond its name.
fn described(event: &Event) -> Object {
    let mut said = Object::new();
    match event {
        Event::Matched(matched) => {
            said.set("pattern", matched.pattern.as_str());
            said.set("version", u64::from(matched.version));
        }
        Event::Input(input) => input_described(&input.kind, &mut said),
        Event::Effect(effect) => effect_described(effect, &mut said),
    }
    said
}

fn input_described(input: &InputKind, said: &mut Object) {
    match input {
        InputKind::Started(started) => {
            said.set("context", started.context.clone());
            if !started.augmented.is_empty() {
                said.set("augmented", augmented(&started.augmented));
            }
        }
        InputKind::Answered { answer, .. } => answer_described(answer, said),
        InputKind::Polled { answer, unchanged, .. } => {
            answer_described(answer, said);
            said.set("unchanged", u64::from(*unchanged));
        }
        InputKind::ExpectMet { event, .. } => said.set("event", event.clone()),
        InputKind::EventAppended { event, .. } => said.set("event", event.to_string()),
        InputKind::EventRefused { reason, .. } | InputKind::ExpectRefused { reason, .. } => {
            said.set("error", reason.as_str())
        }
        InputKind::ReceiptCame(receipt) => said.merge(&receipt_described(receipt)),
        InputKind::Cancelled { by }
        | InputKind::SendReleased { by, .. }
        | InputKind::SendDiscarded { by, .. }
        | InputKind::SendRedriven { by, .. } => said.set("by", by.as_str()),
        InputKind::SendResumed { .. } | InputKind::TimerFired { .. } | InputKind::ExpectMissed { .. } => {}
    }
}

fn answer_described(answer: &Answer, said: &mut Object) {
    let (status, took) = match answer {
        Answer::Succeeded(success) => {
            said.set("response", success.response.clone());
            if let Some(id) = &success.message_id {
                said.set("message-id", id.as_str());
            }
            (success.status, success.took_ms)
        }
        Answer::Failed(failure) => {
            said.set("error", failure.error.as_str());
            said.set("retryable", failure.retryable);
            said.set("ambiguous", failure.ambiguous);
            said.set("timed-out", failure.timed_out);
            if failure.held {
                said.set("held", true);
            }
            (failure.status, failure.took_ms)
        }
    };
    if let Some(status) = status {
        said.set("status", u64::from(status));
    }
    said.set("took-ms", took);
}

fn effect_described(effect: &Effect, said: &mut Object) {
    match effect {
        Effect::Send(request) => {
            said.set("endpoint", request.endpoint.as_str());
            said.set("verb", request.verb.as_str());
            said.set("params", request.params.clone());
            said.set("attempt", u64::from(request.attempt));
            said.set("idempotency-key", request.key.as_str());
            if request.possibly_sent_twice {
                said.set("possibly-sent-twice", true);
            }
        }
        Effect::SetTimer(timer) => {
            let purpose = match timer.purpose {
                Purpose::Delay => "delay",
                Purpose::Within => "within",
                Purpose::Retry => "retry",
            };
            said.set("purpose", purpose);
            said.set("due", timer.due.to_string());
        }
        Effect::OpenExpect(expect) => {
            if let Some(deadline) = expect.deadline {
                said.set("deadline", deadline.to_string());
            }
        }
        Effect::AppendEvent(append) => said.set("event", append.event.clone()),
        Effect::SetVariable(assignment) => {
            said.set("name", assignment.name.as_str());
            said.set("value", assignment.value.clone());
        }
        Effect::Note(note) => remark_described(&note.remark, said),
        Effect::Finished(Outcome::Done) => {}
        Effect::Finished(Outcome::Failed { reason }) => said.set("error", reason.as_str()),
        Effect::Finished(Outcome::Cancelled { by }) => said.set("by", by.as_str()),
    }
}

fn remark_described(remark: &Remark, said: &mut Object) {
    let (word, reason) = match remark {
        Remark::Condition { held } => {
            said.set("held", *held);
            ("condition", None)
        }
        Remark::AttemptFailed { attempt, reason } => {
            said.set("attempt", u64::from(*attempt));
            ("attempt-failed", Some(reason))
        }
        Remark::CommandFailed { reason } => ("command-failed", Some(reason)),
        Remark::RetriesDropped { left } => {
            said.set("left", u64::from(*left));
            ("retries-dropped", None)
        }
        Remark::FailureTaken { reason } => ("failure-taken", Some(reason)),
        Remark::BlockRestarted { attempt, .. } => {
            said.set("attempt", u64::from(*attempt));
            ("block-restarted", None)
        }
        Remark::PossiblySentTwice { .. } => ("possibly-sent-twice", None),
        Remark::NotSent { endpoint, verb, key, reason, .. } => {
            said.set("endpoint", endpoint.as_str());
            said.set("verb", verb.as_str());
            said.set("idempotency-key", key.as_str());
            ("not-sent", Some(reason))
        }
        Remark::Held { reason, .. } => ("held", Some(reason)),
        Remark::HeldNoMore { .. } => ("held-no-more", None),
        Remark::Late { .. } => ("late", None),
    };
    said.set("remark", word);
    if let Some(reason) = reason {
        said.set("error", reason.as_str());
    }
}

#[cfg(test)]
mod tests {
    use domain::ids::TenantId;
    use domain::reaction::{Input, Request, Success};
    use domain::time::Stamp;
    use eventlog::record::{Metadata, StreamId, StreamKind};

    use super::*;

    fn row(version: u64, cause: Option<u64>, event: Event) -> (Recorded, Event) {
        let row = Recorded {
            position: Position(100 + version),
            stamp: Stamp(0),
            stream: StreamId::new(&TenantId::from("acme"), StreamKind::Reaction, "RE"),
            version,
            customer: None,
            partition: None,
            previous: None,
            config: None,
            event_type: event.event_type().to_owned(),
            event_version: 1,
            payload: Vec::new(),
            event_id: None,
            configures: false,
            metadata: Metadata { cause: cause.map(Position), ..Metadata::default() },
        };
        (row, event)
    }

    fn input(kind: InputKind) -> Event {
        Event::Input(Input { at: Stamp(0), jitter: 0, kind })
    }

    #[test]
    fn every_step_has_its_place_and_its_cause() {
        let send = Effect::Send(Request {
            id: StepId(1),
            place: Path::root().child(2),
            endpoint: "echo".into(),
            verb: "message".into(),
            params: Object::new(),
            poll: false,
            attempt: 1,
            group: 1,
            key: "RE/0.2/1".into(),
            limit_ms: 15_000,
            possibly_sent_twice: false,
            released: false,
            again_of: None,
        });
        let met = InputKind::ExpectMet { expect: StepId(9), position: Position(90), event: Object::new() };
        let answer = Answer::Succeeded(Success { took_ms: 3, ..Success::default() });
        let rows = [
            row(1, None, input(met)),
            row(2, None, Event::Effect(send)),
            row(3, Some(102), input(InputKind::Answered { send: StepId(1), answer })),
            row(4, Some(77), input(InputKind::Cancelled { by: "shop".into() })),
        ];
        assert_eq!(outside(&rows).into_iter().collect::<HashSet<_>>(), [90, 77].map(Position).into());
        let steps = steps(&rows, &HashMap::from([(Position(90), "EV1".to_owned())]));
        let get = |n: usize, name: &str| steps[n].get(name).map(ToString::to_string);
        assert_eq!(get(0, "cause").as_deref(), Some("\"EV1\""), "the event that met it");
        assert_eq!(get(1, "cause").as_deref(), Some("1"), "decided upon the input before it");
        assert_eq!((get(1, "place"), get(2, "place")), (Some("\"0.2\"".into()), Some("\"0.2\"".into())));
        assert_eq!(get(2, "cause").as_deref(), Some("2"), "as recorded");
        assert_eq!((get(3, "cause"), get(3, "place")), (None, None));
        assert_eq!(get(2, "kind").as_deref(), Some("\"send-succeeded\""));
    }
}
