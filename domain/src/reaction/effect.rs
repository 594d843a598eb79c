//! What a reaction decides and wants done, as data. The shell records it, then does it.

use serde::{Deserialize, Serialize};

use super::{Condition, StepId};
use crate::dsl::then::Path;
use crate::json::{Json, Object};
use crate::time::Stamp;

/// One thing decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Ask an endpoint to do something; answered by `Answered` (or `Polled`).
    Send(Request),
    /// Wake the reaction at a time; answered by `TimerFired`.
    SetTimer(SetTimer),
    /// Watch for an event of the tenant; answered by `ExpectMet`, `ExpectMissed` or `ExpectRefused`.
    OpenExpect(Expectation),
    /// Put an event in at the door; answered by `EventAppended` or `EventRefused`.
    AppendEvent(Append),
    /// A variable has this value now. Nothing to do.
    SetVariable(Assignment),
    /// A word for the audit. Nothing to do.
    Note(Note),
    /// The reaction is over. Nothing to do but to let go of what is still open.
    Finished(Outcome),
}

/// A request of an endpoint, as it goes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Request {
    /// Its number.
    pub id: StepId,
    /// Whose command it is.
    pub place: Path,
    /// The endpoint.
    pub endpoint: String,
    /// What it is to do.
    pub verb: String,
    /// With what: values looked up, templates rendered, nulls left out.
    pub params: Object,
    /// Whether this is a poll: made at once, then again one second after each answer that does not end it, until it
    /// is no longer outstanding. Answers that are no news are counted by the shell, not recorded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub poll: bool,
    /// Which attempt of its command, from 1.
    pub attempt: u32,
    /// The attempt group: another one each time that a block around it starts again.
    pub group: u32,
    /// The idempotency key: reaction id, place and attempt group. A poll's is followed by the shell's count.
    pub key: String,
    /// How long it may take, in ms; over that it has failed as timed out.
    pub limit_ms: u64,
    /// Whether it may have been done already under the same key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub possibly_sent_twice: bool,
    /// Whether a person has looked at it and lets it go out all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// The key of the failed send that this one is made in place of, on somebody's request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again_of: Option<String>,
}

/// A timer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SetTimer {
    /// Its number.
    pub id: StepId,
    /// Whose command it is.
    pub place: Path,
    /// What for.
    pub purpose: Purpose,
    /// When it is due.
    pub due: Stamp,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A `delay`.
    Delay,
    /// The bound of one attempt of a `seq`, `par` or `await`.
    Within,
    /// The wait before the next attempt.
    Retry,
}

/// An `expect`: an event of the tenant, after this effect's own record, that meets the condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Expectation {
    /// Its number.
    pub id: StepId,
    /// Whose command it is.
    pub place: Path,
    /// What the event has to be like: everything but `$…` is looked up already.
    pub condition: Condition,
    /// The last stamp that such an event may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Stamp>,
    /// An attribute and the value that it equals in every event that meets the condition, to index it by
    /// ([`equality_key`](super::equality_key)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub equality: Option<(String, Json)>,
}

/// A customer event to append.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Append {
    /// Its number.
    pub id: StepId,
    /// Whose command it is.
    pub place: Path,
    /// The event.
    pub event: Object,
}

/// A variable's value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Assignment {
    /// Whose command it is.
    pub place: Path,
    /// The variable.
    pub name: String,
    /// Its value.
    pub value: Json,
}

/// A word for the audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Note {
    /// About which command.
    pub place: Path,
    /// What.
    pub remark: Remark,
}

/// What there is to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    /// An `if` or an `await` took its branch: whether the condition held.
    Condition {
        /// Whether it held.
        held: bool,
    },
    /// One attempt failed, and another one follows after a wait.
    AttemptFailed {
        /// Which one, from 1.
        attempt: u32,
        /// Why.
        reason: String,
    },
    /// The command has failed.
    CommandFailed {
        /// Why.
        reason: String,
    },
    /// Trying again cannot help: the retries that were left are dropped.
    RetriesDropped {
        /// How many.
        left: u32,
    },
    /// The command failed, and its `failure` option takes that.
    FailureTaken {
        /// Why it failed.
        reason: String,
    },
    /// A block starts again from its first member, under a new attempt group.
    BlockRestarted {
        /// Which attempt it is, from 1.
        attempt: u32,
        /// The new group.
        group: u32,
    },
    /// A send was found begun and not ended, and is made again under the same key: possibly sent twice.
    PossiblySentTwice {
        /// Which send.
        send: StepId,
    },
    /// A send failed before it could begin: a parameter that has to be there is not.
    NotSent {
        /// To which endpoint.
        endpoint: String,
        /// What it was to do.
        verb: String,
        /// Which attempt of its command, from 1.
        attempt: u32,
        /// The idempotency key that it would have had.
        key: String,
        /// What was missing.
        reason: String,
    },
    /// Nobody knows whether a send was done: it waits for a person, who releases or discards it.
    Held {
        /// Which send.
        send: StepId,
        /// Why nobody knows.
        reason: String,
    },
    /// The command around a held send is over: it waits no more.
    HeldNoMore {
        /// Which send.
        send: StepId,
    },
    /// An answer came after its command was over: recorded and ignored.
    Late {
        /// To which send, poll or append.
        step: StepId,
    },
}

/// How a reaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It ran to its end.
    Done,
    /// A command failed and nothing took the failure.
    Failed {
        /// Which one and why.
        reason: String,
    },
    /// It was cancelled.
    Cancelled {
        /// By whom.
        by: String,
    },
}
