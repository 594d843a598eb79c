//! One open reaction, as the runtime holds it: where it stands, and what has come in for it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use domain::ids::{CustomerId, EventId, Partition, Position, ReactionId, TenantId};
use domain::json::Json;
use domain::reaction::{Answer, InputKind, Outcome, Pinned, Receipt, State, StepId};
use eventlog::record::{Item, StreamId, StreamKind};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::{Cancelled, Decided, Taken};

/// Whose a reaction is: what is kept of it in the table of open reactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Owner {
    pub(super) tenant: TenantId,
    pub(super) customer: CustomerId,
    pub(super) partition: Partition,
}

impl Owner {
    pub(super) fn stream(&self, reaction: ReactionId) -> StreamId {
        StreamId::new(&self.tenant, StreamKind::Reaction, reaction.to_string())
    }
}

/// An open reaction.
pub(super) struct Slot {
    pub(super) id: ReactionId,
    pub(super) owner: Owner,
    /// The match's events.
    pub(super) witness: Vec<Position>,
    /// What it runs, once that is known.
    pub(super) pinned: Option<Arc<Pinned>>,
    pub(super) state: State,
    /// How many entries its stream has.
    pub(super) version: u64,
    /// Where what is outstanding was recorded: the cause of what comes of it.
    pub(super) begun: HashMap<StepId, Position>,
    /// What has come in and is not in the log yet, in order.
    pub(super) inbox: VecDeque<Letter>,
    /// A step of it is being appended: the next waits for that.
    pub(super) in_air: bool,
    /// Sends and polls that wait in a lane, are under way, or whose late answer is waited for.
    pub(super) flights: HashSet<StepId>,
    pub(super) polls: HashMap<StepId, Poll>,
    /// Expects that are in the index, and under which equality.
    pub(super) expects: HashMap<StepId, Option<(String, Json)>>,
    /// Events that are being prepared at the door.
    pub(super) preparing: HashSet<StepId>,
    /// How many receipts are.
    pub(super) receipts: usize,
    /// The events that met its expects.
    pub(super) met: Vec<Position>,
    /// How long the longest chain of events behind its witness is, once that has been looked up.
    pub(super) depth: Option<u32>,
    /// It is over, whatever the state says.
    pub(super) broken_off: bool,
}

/// How a poll goes.
#[derive(Default)]
pub(super) struct Poll {
    /// How often it was asked.
    pub(super) asked: u32,
    /// How many answers since the last recorded one were no news.
    pub(super) unchanged: u32,
    /// The last of those.
    pub(super) last: Option<Answer>,
}

/// Something that came in for a reaction.
pub(super) struct Letter {
    pub(super) what: What,
    pub(super) cause: Option<Position>,
    pub(super) reply: Option<Reply>,
}

/// Who waits for what becomes of an order.
pub(super) enum Reply {
    Cancel(oneshot::Sender<Cancelled>),
    Send(oneshot::Sender<Decided>),
    Receipt(oneshot::Sender<Taken>),
}

impl Reply {
    /// It is in the log.
    pub(super) fn done(self) {
        // Whoever asked may have gone away.
        match self {
            Self::Cancel(reply) => drop(reply.send(Cancelled::Cancelled)),
            Self::Send(reply) => drop(reply.send(Decided::Done)),
            Self::Receipt(reply) => drop(reply.send(Taken::Recorded)),
        }
    }

    /// It has no place any more.
    pub(super) fn refused(self, ending: Option<&Outcome>) {
        match self {
            Self::Cancel(reply) => drop(reply.send(match ending {
                Some(Outcome::Cancelled { .. }) => Cancelled::Already,
                _ => Cancelled::Finished,
            })),
            Self::Send(reply) => drop(reply.send(Decided::NotSo)),
            Self::Receipt(reply) => drop(reply.send(Taken::Known)),
        }
    }
}

pub(super) enum What {
    /// An input of the interpreter.
    Input(InputKind),
    /// An event of its own, ready to be appended together with the step.
    Append { append: StepId, event: EventId, item: Box<Item> },
    /// What a provider says, ready to be appended together with the event that it becomes.
    Receipt { receipt: Box<Receipt>, item: Box<Item> },
    /// It cannot go on, for this reason.
    BreakOff(String),
}

impl Letter {
    pub(super) fn new(what: What, cause: Option<Position>) -> Self {
        Self { what, cause, reply: None }
    }

    pub(super) fn input(kind: InputKind, cause: Option<Position>) -> Self {
        Self::new(What::Input(kind), cause)
    }
}

impl Slot {
    /// A reaction of which only the match is in the log.
    pub(super) fn new(id: ReactionId, owner: Owner) -> Self {
        Self {
            id,
            owner,
            witness: Vec::new(),
            pinned: None,
            state: State::default(),
            version: 1,
            begun: HashMap::new(),
            inbox: VecDeque::new(),
            in_air: false,
            flights: HashSet::new(),
            polls: HashMap::new(),
            expects: HashMap::new(),
            preparing: HashSet::new(),
            receipts: 0,
            met: Vec::new(),
            depth: None,
            broken_off: false,
        }
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.broken_off || self.state.is_over()
    }

    /// Whether an input would still change anything or belongs into the audit.
    pub(super) fn takes(&self, kind: &InputKind) -> bool {
        match kind {
            InputKind::Started(_) => !self.state.is_started(),
            InputKind::Answered { .. } | InputKind::EventAppended { .. } => true,
            InputKind::Polled { poll, .. } => self.state.is_open(*poll),
            InputKind::SendResumed { send } => self.state.is_open(*send),
            InputKind::SendReleased { send, .. } | InputKind::SendDiscarded { send, .. } => {
                self.state.held().any(|held| held.id == *send)
            }
            InputKind::SendRedriven { key, .. } => self.state.may_redrive(key),
            InputKind::ReceiptCame(receipt) => self.state.takes_receipt(receipt),
            InputKind::TimerFired { timer } => self.state.is_open(*timer),
            InputKind::ExpectMet { expect, .. }
            | InputKind::ExpectMissed { expect }
            | InputKind::ExpectRefused { expect, .. } => self.state.is_open(*expect),
            InputKind::EventRefused { append, .. } => self.state.is_open(*append),
            InputKind::Cancelled { .. } => !self.broken_off && self.state.finished().is_none(),
        }
    }
}
