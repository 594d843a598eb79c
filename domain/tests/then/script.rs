//! Plays a reaction: inputs and effects as lines of text.
//!
//! Inputs: `start {context}`, `ok N {response}`, `fail N why`, `fatal N why` (no retry can mend it), `unsure N why`
//! (ambiguous), `busy N MS why` (Retry-After), `poll N {response}`, `down N why` (a poll that failed), `resume N`,
//! `fire N`, `met N {event}`, `missed N`, `turned-away N why`, `sent N`, `refused N why`, `cancel`, `hold N why`, `release N`, `discard N`, `redrive PLACE/GROUP`.

use std::collections::BTreeMap;

use domain::dsl::{Limits, then};
use domain::ids::{EventId, Position, ReactionId, TemplateId};
use domain::json::{self, Object};
use domain::mustache::Template;
use domain::reaction::*;
use domain::time::Stamp;

/// A reaction being played.
pub struct Script {
    pub pinned: Pinned,
    pub state: State,
    pub inputs: Vec<Input>,
    pub rules: Rules,
    pub jitter: u16,
    at: Stamp,
}

/// The program of a source that has to be good.
pub fn program(source: &str) -> then::Program {
    then::parse(source, &Limits::default()).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(|problem| problem.render(source)).collect();
        panic!("{}", problems.join("\n"))
    })
}

/// Plays `lines` (input, effects joined by ` | `) from `start {}` on.
pub fn plays(source: &str, lines: &[(&str, &str)]) {
    Script::new(source, &[]).plays(lines);
}

impl Script {
    pub fn new(source: &str, templates: &[(&str, &str)]) -> Self {
        let templates = templates
            .iter()
            .map(|(id, source)| (TemplateId::from(*id), Template::parse(source).unwrap()))
            .collect::<BTreeMap<_, _>>();
        Self { pinned: Pinned { program: program(source), templates }, ..Self::of(program(source)) }
    }

    pub fn of(program: then::Program) -> Self {
        Self {
            pinned: Pinned { program, templates: BTreeMap::new() },
            state: State::default(),
            inputs: Vec::new(),
            rules: Rules::default(),
            jitter: 0,
            at: Stamp(1_000_000),
        }
    }

    pub fn plays(&mut self, lines: &[(&str, &str)]) {
        for (input, effects) in lines {
            assert_eq!(self.play(input), *effects, "after {input:?} of\n{}", self.pinned.program);
        }
    }

    /// Plays one line and says what came of it. That a send could not begin is not said: its failure is.
    pub fn play(&mut self, line: &str) -> String {
        let kind = self.kind(line);
        let mut effects = self.take(kind);
        effects.retain(|effect| !matches!(effect, Effect::Note(Note { remark: Remark::NotSent { .. }, .. })));
        effects.iter().map(|effect| self.shown(effect)).collect::<Vec<_>>().join(" | ")
    }

    /// Takes an input in, and checks what must hold of every step.
    pub fn take(&mut self, kind: InputKind) -> Vec<Effect> {
        if let InputKind::TimerFired { timer } = &kind
            && let Some(Effect::SetTimer(set)) = self.state.open(*timer)
        {
            self.at = self.at.max(set.due);
        }
        let input = Input { at: self.at, jitter: self.jitter, kind };
        let mut again = self.state.clone();
        let effects = step(&self.pinned, &mut self.state, &input);
        assert_eq!(step(&self.pinned, &mut again, &input), effects, "a step depends on its arguments only");
        assert_eq!(again, self.state);
        for event in effects.iter().cloned().map(Event::Effect).chain([Event::Input(input.clone())]) {
            let json = event.to_json().unwrap();
            let read = Event::from_json(event.event_type(), Event::VERSION, &json).unwrap();
            assert_eq!(read, event, "{}", String::from_utf8_lossy(&json));
        }
        if self.state.is_over() {
            assert_eq!(self.state.outstanding().count(), 0, "what is over waits for nothing");
        } else {
            assert!(
                !self.state.is_started()
                    || self.state.outstanding().count() > 0
                    || self.state.held().count() > 0,
                "a reaction that has not ended waits for something\n{}",
                self.pinned.program
            );
        }
        self.inputs.push(input);
        effects
    }

    /// The input of a line.
    pub fn kind(&self, line: &str) -> InputKind {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (number, rest) = match word {
            "start" | "cancel" | "redrive" => ("0", rest),
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        let id = StepId(number.parse().unwrap());
        let failure =
            |error: &str| Failure { error: error.to_owned(), retryable: true, ..Failure::default() };
        let answered = |answer| InputKind::Answered { send: id, answer };
        let polled = |answer| InputKind::Polled { poll: id, answer, unchanged: 0 };
        let success = || Answer::Succeeded(Success { response: object(rest), ..Success::default() });
        match word {
            "start" => InputKind::Started(Box::new(Started {
                reaction: ReactionId([7; 16]),
                program: Position(1),
                templates: BTreeMap::new(),
                context: object(rest),
                augmented: Default::default(),
                rules: self.rules,
            })),
            "ok" => answered(success()),
            "fail" => answered(Answer::Failed(failure(rest))),
            "fatal" => answered(Answer::Failed(Failure { retryable: false, ..failure(rest) })),
            "unsure" => answered(Answer::Failed(Failure { ambiguous: true, ..failure(rest) })),
            "hold" => answered(Answer::Failed(Failure { ambiguous: true, held: true, ..failure(rest) })),
            "release" => InputKind::SendReleased { send: id, by: "somebody".to_owned() },
            "discard" => InputKind::SendDiscarded { send: id, by: "somebody".to_owned() },
            "redrive" => {
                let (place, _) = rest.split_once('/').unwrap();
                InputKind::SendRedriven {
                    key: format!("{}/{rest}", ReactionId([7; 16])),
                    place: place.parse().unwrap(),
                    params: object(r#"{"message":"as sent"}"#),
                    by: "somebody".to_owned(),
                }
            }
            "busy" => {
                let (ms, why) = rest.split_once(' ').unwrap();
                let retry_after_ms = Some(ms.parse().unwrap());
                answered(Answer::Failed(Failure { retry_after_ms, ..failure(why) }))
            }
            "poll" => polled(success()),
            "down" => polled(Answer::Failed(failure(rest))),
            "resume" => InputKind::SendResumed { send: id },
            "fire" => InputKind::TimerFired { timer: id },
            "met" => InputKind::ExpectMet { expect: id, position: Position(9), event: object(rest) },
            "missed" => InputKind::ExpectMissed { expect: id },
            "turned-away" => InputKind::ExpectRefused { expect: id, reason: rest.to_owned() },
            "sent" => InputKind::EventAppended { append: id, event: EventId([1; 16]) },
            "refused" => InputKind::EventRefused { append: id, reason: rest.to_owned() },
            "cancel" => InputKind::Cancelled { by: "somebody".to_owned() },
            other => panic!("no input is called {other}"),
        }
    }

    fn shown(&self, effect: &Effect) -> String {
        match effect {
            Effect::Send(r) => {
                let mut text = format!(
                    "{}#{} {} {} {} {}",
                    if r.poll { "poll" } else { "send" },
                    r.id,
                    r.place,
                    r.endpoint,
                    r.verb,
                    r.params
                );
                let key = format!("{}/{}/{}", ReactionId([7; 16]), r.place, r.group);
                assert_eq!(r.key, key);
                if r.attempt > 1 {
                    text += &format!(" attempt {}", r.attempt);
                }
                if r.group > 0 {
                    text += &format!(" group {}", r.group);
                }
                if r.limit_ms != 15_000 {
                    text += &format!(" limit {}", r.limit_ms);
                }
                if r.possibly_sent_twice {
                    text += " possibly twice";
                }
                if r.released {
                    text += " released";
                }
                if let Some(of) = &r.again_of {
                    text += &format!(" again of {}", of.split_once('/').unwrap().1);
                }
                text
            }
            Effect::SetTimer(timer) => {
                let purpose = format!("{:?}", timer.purpose).to_lowercase();
                format!("timer#{} {} {purpose} {}", timer.id, timer.place, timer.due.0 - self.at.0)
            }
            Effect::OpenExpect(expect) => {
                let condition = serde_json::to_string(&expect.condition).unwrap();
                let deadline =
                    expect.deadline.map_or(String::new(), |at| format!(" for {}", at.0 - self.at.0));
                let index = expect.equality.as_ref().map_or(String::new(), |(a, v)| format!(" by {a}={v}"));
                format!("expect#{} {} {condition}{deadline}{index}", expect.id, expect.place)
            }
            Effect::AppendEvent(append) => format!("event#{} {} {}", append.id, append.place, append.event),
            Effect::SetVariable(set) => format!("{} = {}", set.name, set.value),
            Effect::Note(note) => format!("note {} {}", note.place, remark(&note.remark)),
            Effect::Finished(Outcome::Done) => "done".to_owned(),
            Effect::Finished(Outcome::Failed { reason }) => format!("failed {reason}"),
            Effect::Finished(Outcome::Cancelled { by }) => format!("cancelled by {by}"),
        }
    }
}

fn remark(remark: &Remark) -> String {
    match remark {
        Remark::Condition { held } => format!("{held}"),
        Remark::AttemptFailed { attempt, reason } => format!("attempt {attempt} failed: {reason}"),
        Remark::CommandFailed { reason } => format!("failed: {reason}"),
        Remark::RetriesDropped { left } => format!("{left} retries dropped"),
        Remark::FailureTaken { reason } => format!("failure taken: {reason}"),
        Remark::BlockRestarted { attempt, group } => format!("restart {attempt} as group {group}"),
        Remark::PossiblySentTwice { send } => format!("possibly sent twice: {send}"),
        Remark::NotSent { reason, .. } => format!("not sent: {reason}"),
        Remark::Held { send, reason } => format!("held {send}: {reason}"),
        Remark::HeldNoMore { send } => format!("held no more: {send}"),
        Remark::Late { step } => format!("late: {step}"),
    }
}

pub fn object(text: &str) -> Object {
    let text = if text.is_empty() { "{}" } else { text };
    let json = json::parse(text.as_bytes(), json::Limits::STORED).unwrap();
    json.as_object().unwrap().clone()
}
