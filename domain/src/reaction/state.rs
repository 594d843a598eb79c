//! What a reaction has come to: the fold of [`step`](super::step()) over its inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Answer, Effect, Outcome, Pinned, Receipt, Request, Rules, StepId};
use crate::dsl::then::Path;
use crate::ids::ReactionId;
use crate::json::Object;

/// The state of one reaction; the default one has not started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub(super) started: Option<Start>,
    pub(super) variables: Object,
    /// The sum of their weights.
    pub(super) variables_weight: usize,
    pub(super) tasks: BTreeMap<TaskId, Task>,
    pub(super) open: BTreeMap<StepId, Open>,
    /// Sends, polls and appends that were let go: their answers may still come.
    pub(super) let_go: BTreeMap<StepId, Path>,
    pub(super) next_task: u32,
    pub(super) next_step: u32,
    pub(super) groups: u32,
    pub(super) commands: u32,
    pub(super) finished: Option<Outcome>,
    /// Commands that somebody has made send again, beside the program: the failed send's key, and what it sent.
    pub(super) again: BTreeMap<TaskId, (String, Object)>,
    /// The keys of the failed sends of which that is so, over or not.
    pub(super) redriven: BTreeSet<String>,
    /// What providers have said later: the send's key, and what tells the receipt from others of it.
    pub(super) receipts: BTreeSet<(String, String)>,
}

/// How many receipts a reaction takes: no provider has that much to say.
const RECEIPTS: usize = 1_000;

/// What was fixed when it started.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Start {
    pub(super) reaction: ReactionId,
    pub(super) context: Arc<Object>,
    pub(super) rules: Rules,
}

impl Start {
    /// The idempotency key of what a command sends in a run of the blocks around it.
    pub(super) fn key(&self, path: &Path, group: u32) -> String {
        format!("{}/{path}/{group}", self.reaction)
    }
}

/// A command that has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId(pub(super) u32);

/// Where a command stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Task {
    pub(super) parent: Option<TaskId>,
    pub(super) path: Path,
    /// The run of the blocks around it that it belongs to.
    pub(super) group: u32,
    /// Which attempt, from 1.
    pub(super) attempt: u32,
    /// The response or event that `$…` sees.
    pub(super) scope: Option<Arc<Object>>,
    /// Whether an attempt before may have been carried out.
    pub(super) ambiguous: bool,
    pub(super) stage: Stage,
}

/// What a command is busy with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// An attempt.
    Attempt,
    /// An `await` that asks; the last answer recorded.
    Polling(Option<Answer>),
    /// A branch of an `await`; what it will have got when that is done.
    Branch(Option<Arc<Object>>),
    /// A send of which nobody knows whether it was done, and why; a person decides.
    Held(String),
    /// The wait before the next attempt.
    Waiting,
    /// Its `success` option.
    Success,
    /// Its `failure` option.
    Failure,
}

/// Something begun whose end comes as an input.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Open {
    pub(super) task: TaskId,
    pub(super) effect: Effect,
}

impl State {
    /// How it ended, if it has.
    pub fn finished(&self) -> Option<&Outcome> {
        self.finished.as_ref()
    }

    /// Whether it has started.
    pub fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// What was begun and has not ended, in the order in which it began: sends in flight, polls, timers, `expect`s,
    /// events to append. Whatever the shell still holds beyond these is let go. Held sends are not among them.
    pub fn outstanding(&self) -> impl Iterator<Item = &Effect> {
        self.open.values().filter(|open| !self.holds(open.task)).map(|open| &open.effect)
    }

    /// The sends that wait for a person.
    pub fn held(&self) -> impl Iterator<Item = &Request> {
        self.open.values().filter(|open| self.holds(open.task)).filter_map(|open| match &open.effect {
            Effect::Send(request) => Some(request),
            _ => None,
        })
    }

    fn holds(&self, task: TaskId) -> bool {
        self.tasks.get(&task).is_some_and(|task| matches!(task.stage, Stage::Held(_)))
    }

    /// Whether nothing more comes of it: it has ended, and so has all that somebody made it send again.
    pub fn is_over(&self) -> bool {
        self.finished.is_some() && self.again.is_empty()
    }

    /// Whether the send of this key has failed for good and nobody has made it once more yet.
    pub fn may_redrive(&self, key: &str) -> bool {
        let Some(start) = &self.started else { return false };
        let sends = |task: &Task| {
            matches!(task.stage, Stage::Attempt | Stage::Waiting | Stage::Held(_))
                && start.key(&task.path, task.group) == key
        };
        !self.redriven.contains(key) && !self.tasks.values().any(sends)
    }

    /// Whether a receipt is news.
    pub fn takes_receipt(&self, receipt: &Receipt) -> bool {
        let place = (receipt.key.clone(), receipt.id.clone());
        self.started.is_some() && self.receipts.len() < RECEIPTS && !self.receipts.contains(&place)
    }

    /// Whether what has this number was begun and has not ended.
    pub fn is_open(&self, step: StepId) -> bool {
        self.open.contains_key(&step)
    }

    /// What has this number, while it is open.
    pub fn open(&self, step: StepId) -> Option<&Effect> {
        self.open.get(&step).map(|open| &open.effect)
    }

    /// The variables set so far.
    pub fn variables(&self) -> &Object {
        &self.variables
    }

    /// The poll that this timer ends, if it is one's `within`: its last answer is to be given as an input first,
    /// if it was not recorded.
    pub fn poll_ended_by(&self, timer: StepId) -> Option<StepId> {
        let task = self.open.get(&timer)?.task;
        self.open
            .iter()
            .find(|(_, open)| open.task == task && matches!(&open.effect, Effect::Send(send) if send.poll))
            .map(|(id, _)| *id)
    }

    /// Whether an answer to a poll is news: other than the one recorded last, or what was waited for. Only news
    /// becomes an input; what is not is counted.
    pub fn poll_matters(&self, pinned: &Pinned, poll: StepId, answer: &Answer) -> bool {
        super::step::poll_matters(pinned, self, poll, answer)
    }
}
