//! What a reaction's stream holds, and the names under which it is stored.

use super::{Answer, Effect, Input, InputKind, Match, Outcome};

/// An entry of a reaction's stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The match that it is the reaction to.
    Matched(Match),
    /// Something came in.
    Input(Input),
    /// Something was decided.
    Effect(Effect),
}

/// A stored entry that this program cannot read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The name or the version of its shape is not known.
    #[error("no entry of a reaction is called {name:?} in version {version}")]
    Unknown {
        /// The stored name.
        name: String,
        /// The stored version.
        version: u16,
    },
    /// The payload is not what the name says.
    #[error("the payload of a {name:?} cannot be read")]
    Malformed {
        /// The stored name.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The payload is of another kind than the name says.
    #[error("a {name:?} with the payload of a {found:?}")]
    Mislabelled {
        /// The stored name.
        name: String,
        /// The name that the payload would be stored under.
        found: &'static str,
    },
}

/// Names by which an entry is known to be an input; hand-written, and never to be changed.
const INPUTS: [&str; 16] = [
    "reaction-started",
    "send-succeeded",
    "send-failed",
    "poll-answered",
    "send-resumed",
    "send-released",
    "send-discarded",
    "send-redriven",
    "timer-fired",
    "expect-met",
    "expect-missed",
    "expect-refused",
    "event-sent",
    "event-refused",
    "receipt-came",
    "cancel-requested",
];

/// Names by which an entry is known to be an effect.
const EFFECTS: [&str; 10] = [
    "send-begun",
    "poll-begun",
    "timer-set",
    "expect-opened",
    "event-begun",
    "variable-set",
    "noted",
    "reaction-done",
    "reaction-failed",
    "reaction-cancelled",
];

impl Event {
    /// The stored name of the input that makes a reaction send again, also one that is over.
    pub const REDRIVEN: &str = "send-redriven";

    /// The version of the stored shapes.
    pub const VERSION: u16 = 1;

    /// The stored name.
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Matched(_) => Match::TYPE,
            Self::Input(input) => match &input.kind {
                InputKind::Started(_) => "reaction-started",
                InputKind::Answered { answer: Answer::Succeeded(_), .. } => "send-succeeded",
                InputKind::Answered { answer: Answer::Failed(_), .. } => "send-failed",
                InputKind::Polled { .. } => "poll-answered",
                InputKind::SendResumed { .. } => "send-resumed",
                InputKind::SendReleased { .. } => "send-released",
                InputKind::SendDiscarded { .. } => "send-discarded",
                InputKind::SendRedriven { .. } => Self::REDRIVEN,
                InputKind::TimerFired { .. } => "timer-fired",
                InputKind::ExpectMet { .. } => "expect-met",
                InputKind::ExpectMissed { .. } => "expect-missed",
                InputKind::ExpectRefused { .. } => "expect-refused",
                InputKind::EventAppended { .. } => "event-sent",
                InputKind::EventRefused { .. } => "event-refused",
                InputKind::ReceiptCame(_) => "receipt-came",
                InputKind::Cancelled { .. } => "cancel-requested",
            },
            Self::Effect(effect) => match effect {
                Effect::Send(request) if request.poll => "poll-begun",
                Effect::Send(_) => "send-begun",
                Effect::SetTimer(_) => "timer-set",
                Effect::OpenExpect(_) => "expect-opened",
                Effect::AppendEvent(_) => "event-begun",
                Effect::SetVariable(_) => "variable-set",
                Effect::Note(_) => "noted",
                Effect::Finished(Outcome::Done) => "reaction-done",
                Effect::Finished(Outcome::Failed { .. }) => "reaction-failed",
                Effect::Finished(Outcome::Cancelled { .. }) => "reaction-cancelled",
            },
        }
    }

    /// The payload, as it is stored.
    ///
    /// # Errors
    /// Never, for what this crate makes: serde's signature leaves it open.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Matched(matched) => serde_json::to_vec(matched),
            Self::Input(input) => serde_json::to_vec(input),
            Self::Effect(effect) => serde_json::to_vec(effect),
        }
    }

    /// Reads a stored entry back.
    ///
    /// # Errors
    /// A name or version that is not known, or a payload that does not fit it.
    pub fn from_json(event_type: &str, version: u16, payload: &[u8]) -> Result<Self, Unreadable> {
        let malformed = |source| Unreadable::Malformed { name: event_type.to_owned(), source };
        let event = match event_type {
            _ if version != Self::VERSION => None,
            Match::TYPE => Some(Self::Matched(serde_json::from_slice(payload).map_err(malformed)?)),
            name if INPUTS.contains(&name) => {
                Some(Self::Input(serde_json::from_slice(payload).map_err(malformed)?))
            }
            name if EFFECTS.contains(&name) => {
                Some(Self::Effect(serde_json::from_slice(payload).map_err(malformed)?))
            }
            _ => None,
        };
        let event = event.ok_or_else(|| Unreadable::Unknown { name: event_type.to_owned(), version })?;
        let found = event.event_type();
        if found == event_type {
            Ok(event)
        } else {
            Err(Unreadable::Mislabelled { name: event_type.to_owned(), found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_entry_is_what_its_name_says_or_is_refused() {
        let done = Event::Effect(Effect::Finished(Outcome::Done));
        let json = done.to_json().unwrap();
        assert_eq!(Event::from_json("reaction-done", 1, &json).unwrap(), done);
        assert!(matches!(Event::from_json("reaction-done", 2, &json), Err(Unreadable::Unknown { .. })));
        assert!(matches!(Event::from_json("reaction-over", 1, &json), Err(Unreadable::Unknown { .. })));
        assert!(matches!(Event::from_json("reaction-failed", 1, &json), Err(Unreadable::Mislabelled { .. })));
        assert!(matches!(Event::from_json("timer-fired", 1, &json), Err(Unreadable::Malformed { .. })));
    }

    /// Stored shapes never change: this is how version 1 looks.
    #[test]
    fn version_1_reads_what_was_stored() {
        for (name, json) in [
            ("timer-fired", r#"{"at":5,"jitter":0,"kind":{"timer-fired":{"timer":3}}}"#),
            (
                "send-succeeded",
                r#"{"at":5,"jitter":20,"kind":{"answered":{"send":1,"answer":{"succeeded":{"status":200,"response":{"sid":"SM1"},"message-id":"SM1","took-ms":12}}}}}"#,
            ),
            (
                "send-begun",
                r#"{"send":{"id":1,"place":"0.1","endpoint":"echo","verb":"message","params":{"message":"a"},"attempt":1,"group":0,"key":"RE/0.1/0","limit-ms":15000}}"#,
            ),
            (
                "receipt-came",
                r#"{"at":5,"jitter":0,"kind":{"receipt-came":{"key":"RE/0/0","place":"0","endpoint":"twilio","id":"SM1/sent","status":"sent","message-id":"SM1","said":{"MessageStatus":"sent"},"event":"EV00000000000000000000000000000001"}}}"#,
            ),
            (
                "poll-begun",
                r#"{"send":{"id":1,"place":"0.1","endpoint":"salesforce","verb":"await","params":{},"poll":true,"attempt":1,"group":0,"key":"RE/0.1/0","limit-ms":15000}}"#,
            ),
            (
                Match::TYPE,
                r#"{"pattern":"PT1","version":1,"point":{"event":7},"at":5,"witness":[4,7],"program":3}"#,
            ),
            ("timer-set", r#"{"set-timer":{"id":2,"place":"0","purpose":"within","due":9}}"#),
            (
                "expect-opened",
                r#"{"open-expect":{"id":2,"place":"0","condition":[{"compare":["=",{"attribute":"a"},{"literal":1.50}]}],"deadline":9,"equality":["a",1.50]}}"#,
            ),
            ("noted", r#"{"note":{"place":"0","remark":{"retries-dropped":{"left":2}}}}"#),
            ("reaction-failed", r#"{"finished":{"failed":{"reason":"no"}}}"#),
        ] {
            let event = Event::from_json(name, 1, json.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(event.to_json().unwrap()).unwrap(), json);
        }
    }
}
