//! What comes in from outside: all that a reaction learns, so all that a replay needs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StepId;
use crate::customer_event::Augmentations;
use crate::dsl::then::Path;
use crate::ids::{EventId, Position, ReactionId, TemplateId};
use crate::json::Object;
use crate::time::Stamp;

/// One input, with what the shell drew for it outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Input {
    /// When it came, by the record's clock; timers are set from it.
    pub at: Stamp,
    /// By how many per mille a retry that begins to wait now waits longer: 0 to 200, drawn at random outside.
    pub jitter: u16,
    /// What came.
    pub kind: InputKind,
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// The reaction starts.
    Started(Box<Started>),
    /// An endpoint answered a send.
    Answered {
        /// Which send.
        send: StepId,
        /// What it answered.
        answer: Answer,
    },
    /// An endpoint answered a poll with something that [`State::poll_matters`](super::State::poll_matters) says is
    /// news, or this is the last answer before the poll is over.
    Polled {
        /// Which poll.
        poll: StepId,
        /// What it answered.
        answer: Answer,
        /// How many answers since the one recorded before were no news.
        unchanged: u32,
    },
    /// A send was found begun and not ended after a crash, and is made again under the same key.
    SendResumed {
        /// Which send.
        send: StepId,
    },
    /// Somebody has looked at a held send and lets it go out again, under the same key.
    SendReleased {
        /// Which send.
        send: StepId,
        /// Who: an API client's id.
        by: String,
    },
    /// Somebody has looked at a held send, and it is not sent again: it has failed.
    SendDiscarded {
        /// Which send.
        send: StepId,
        /// Who: an API client's id.
        by: String,
    },
    /// Somebody wants a send that failed for good made once more: a new send with a key of its own, beside the
    /// program, which may be over.
    SendRedriven {
        /// The key of the failed send.
        key: String,
        /// Whose command it was.
        place: Path,
        /// With what it was sent.
        params: Object,
        /// Who: an API client's id.
        by: String,
    },
    /// A timer's time has come.
    TimerFired {
        /// Which timer.
        timer: StepId,
    },
    /// The event that an `expect` waits for came in.
    ExpectMet {
        /// Which `expect`.
        expect: StepId,
        /// The event's position: the cause of what follows.
        position: Position,
        /// The event, with what augments added.
        event: Object,
    },
    /// The deadline of an `expect` passed.
    ExpectMissed {
        /// Which `expect`.
        expect: StepId,
    },
    /// An `expect` cannot be watched for: too many that no equality indexes are open in the tenant.
    ExpectRefused {
        /// Which `expect`.
        expect: StepId,
        /// Why.
        reason: String,
    },
    /// The event of an `event` command is in the customer event stream.
    EventAppended {
        /// Which one.
        append: StepId,
        /// The id that it was given.
        event: EventId,
    },
    /// The event of an `event` command was refused at the door, or the chain of events was cut.
    EventRefused {
        /// Which one.
        append: StepId,
        /// Why.
        reason: String,
    },
    /// A provider says later what became of a send.
    ReceiptCame(Box<Receipt>),
    /// Somebody cancels the reaction.
    Cancelled {
        /// Who: an API client's id.
        by: String,
    },
}

/// What a provider says later about a send: it was delivered, it could not be, somebody has opened it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Receipt {
    /// The send's idempotency key.
    pub key: String,
    /// Whose command it was.
    pub place: Path,
    /// The endpoint.
    pub endpoint: String,
    /// What tells this receipt from others of the send: one that comes again counts once.
    pub id: String,
    /// What has become of it, in the provider's word.
    pub status: String,
    /// The provider's id of the message.
    pub message_id: String,
    /// All that it says, as it says it.
    pub said: Object,
    /// The customer event that it has become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventId>,
    /// Why it has become none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// What a reaction starts with; all of it fixed from then on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Started {
    /// The reaction's id: part of its idempotency keys.
    pub reaction: ReactionId,
    /// The pattern event whose definition has the program.
    pub program: Position,
    /// The template events whose sources are used, partials included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<TemplateId, Position>,
    /// The attributes of the match's events merged, later ones over earlier ones, and augments over that.
    pub context: Object,
    /// What the augments of reactions added to it, or why they did not.
    #[serde(default, skip_serializing_if = "Augmentations::is_empty")]
    pub augmented: Augmentations,
    /// The operator's settings in force at the start.
    pub rules: Rules,
}

/// An operator's settings as they were when the reaction started: recorded, so that a replay decides alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Rules {
    /// The wait before the first retry, in ms; doubled for each further one.
    pub retry_first_ms: u64,
    /// The longest such wait before jitter, in ms.
    pub retry_most_ms: u64,
    /// How long an attempt of a send without a `within` may take, in ms.
    pub send_limit_ms: u64,
    /// How many commands (attempts counted one by one) a reaction may run.
    pub commands: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self { retry_first_ms: 1_000, retry_most_ms: 60_000, send_limit_ms: 15_000, commands: 10_000 }
    }
}

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It did what was asked.
    Succeeded(Success),
    /// It did not, or nobody knows.
    Failed(Failure),
}

/// An answer that is a success.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Success {
    /// The provider's status, where it has one (HTTP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The response values that `$…` names.
    pub response: Object,
    /// The provider's id of the message, for the audit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// How long it took, in ms.
    pub took_ms: u64,
}

/// An answer that is a failure, or that did not come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Failure {
    /// What went wrong, for a person.
    pub error: String,
    /// The provider's status, where there is one (HTTP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Whether trying again can help.
    pub retryable: bool,
    /// Whether it may have been done all the same.
    pub ambiguous: bool,
    /// How long the endpoint asks to wait, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether it is to be held for a person to look at.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    /// Whether the attempt's time was over.
    pub timed_out: bool,
    /// How long it took, in ms.
    pub took_ms: u64,
}
