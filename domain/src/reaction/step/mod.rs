//! The pure step: (program, state, input) → effects.
//!
//! A command that runs is a task; a task that ends tells the one around it. Both beginnings and endings wait on an
//! agenda (a stack, so that what one brings about comes before its neighbours), not on the call stack. Here is what
//! all commands share; each kind has a file of its own, `control` has attempts, retries and options.

mod branch;
mod control;
mod delay;
mod event;
mod expect;
mod hold;
mod poll;
mod send;
mod seq_par;
mod set;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::resolve::Lookup;
use super::state::{Open, Stage, Start, Task, TaskId};
use super::{
    Effect, Input, InputKind, Note, Outcome, Pinned, Purpose, Receipt, Remark, Rules, SetTimer, Started,
};
use super::{State, StepId};
use crate::dsl::then::{Command, Path};
use crate::json::Object;
use crate::time::Stamp;

pub(super) use poll::matters as poll_matters;

/// Takes one input in and says what is decided about it. Total and deterministic: the same inputs in the same order
/// give the same state and the same effects, on any machine.
///
/// An input for something that has not begun or is over changes nothing; the late answer of a send that was let go
/// is noted.
pub fn step(pinned: &Pinned, state: &mut State, input: &Input) -> Vec<Effect> {
    let mut run = Run {
        pinned,
        state,
        at: input.at,
        jitter: u64::from(input.jitter.min(MOST_JITTER)),
        effects: Vec::new(),
        agenda: Vec::new(),
    };
    run.take(&input.kind);
    run.work();
    run.effects
}

/// A retry waits longer by at most this many per mille.
const MOST_JITTER: u16 = 200;

/// One step under way.
struct Run<'a> {
    pinned: &'a Pinned,
    state: &'a mut State,
    at: Stamp,
    jitter: u64,
    effects: Vec<Effect>,
    agenda: Vec<Work>,
}

/// Something to be done before the step is over.
enum Work {
    Begin(Beginning),
    End(TaskId, Result<(), Broken>),
}

/// A command about to begin.
struct Beginning {
    parent: Option<TaskId>,
    path: Path,
    group: u32,
    scope: Option<Arc<Object>>,
}

/// Why a command failed.
#[derive(Clone, Debug)]
struct Broken {
    /// Where it came from.
    place: Path,
    reason: String,
    /// Whether a `send` may try again.
    retryable: bool,
    /// Whether it may have been carried out all the same.
    ambiguous: bool,
    /// How long the endpoint asks to wait.
    retry_after_ms: u64,
}

impl<'a> Run<'a> {
    fn take(&mut self, kind: &InputKind) {
        match kind {
            InputKind::Started(started) if self.may_start() => self.start(started),
            InputKind::Cancelled { by } if self.state.finished.is_none() => {
                self.finish(Outcome::Cancelled { by: by.clone() });
            }
            InputKind::Started(_) | InputKind::Cancelled { .. } => {}
            InputKind::Answered { send, answer } => self.answered(*send, answer),
            InputKind::Polled { poll, answer, .. } => self.polled(*poll, answer),
            InputKind::SendResumed { send } => self.resumed(*send),
            InputKind::SendReleased { send, by: _ } => self.released(*send),
            InputKind::SendDiscarded { send, by } => self.discarded(*send, by),
            InputKind::SendRedriven { key, place, params, by: _ } => self.redriven(key, place, params),
            InputKind::TimerFired { timer } => self.fired(*timer),
            InputKind::ExpectMet { expect, event, .. } => self.expect_met(*expect, event),
            InputKind::ExpectMissed { expect } => self.expect_missed(*expect),
            InputKind::ExpectRefused { expect, reason } => self.expect_refused(*expect, reason),
            InputKind::EventAppended { append, event } => self.appended(*append, *event),
            InputKind::EventRefused { append, reason } => self.refused(*append, reason),
            InputKind::ReceiptCame(receipt) => self.receipt(receipt),
        }
    }

    /// What a provider says later changes nothing in the program: it is kept, once.
    fn receipt(&mut self, receipt: &Receipt) {
        if self.state.takes_receipt(receipt) {
            self.state.receipts.insert((receipt.key.clone(), receipt.id.clone()));
        }
    }

    /// A reaction that was cancelled before it started never does.
    fn may_start(&self) -> bool {
        self.state.started.is_none() && self.state.finished.is_none()
    }

    fn start(&mut self, started: &Started) {
        self.state.started = Some(Start {
            reaction: started.reaction,
            context: Arc::new(started.context.clone()),
            rules: started.rules,
        });
        self.agenda.push(Work::Begin(Beginning { parent: None, path: Path::root(), group: 0, scope: None }));
    }

    fn work(&mut self) {
        while let Some(work) = self.agenda.pop() {
            match work {
                Work::Begin(beginning) => self.begin(beginning),
                Work::End(task, result) => self.end(task, result),
            }
        }
    }

    fn begin(&mut self, beginning: Beginning) {
        let id = TaskId(self.state.next_task);
        self.state.next_task += 1;
        let Beginning { parent, path, group, scope } = beginning;
        let task = Task { parent, path, group, attempt: 1, scope, ambiguous: false, stage: Stage::Attempt };
        self.state.tasks.insert(id, task);
        self.attempt(id);
    }

    /// The task and its command; `None` for a task that is gone.
    fn task(&self, id: TaskId) -> Option<(&Task, &'a Command)> {
        let task = self.state.tasks.get(&id)?;
        Some((task, self.pinned.program.at(&task.path)?))
    }

    fn stage(&mut self, id: TaskId, stage: Stage) {
        if let Some(task) = self.state.tasks.get_mut(&id) {
            task.stage = stage;
        }
    }

    fn rules(&self) -> Rules {
        self.state.started.as_ref().map(|start| start.rules).unwrap_or_default()
    }

    /// Looks values up as the task sees them.
    fn lookup<T>(&self, id: TaskId, look: impl FnOnce(&Lookup<'_>) -> T) -> Option<T> {
        let scope = self.state.tasks.get(&id)?.scope.as_deref();
        let context = &self.state.started.as_ref()?.context;
        Some(look(&Lookup::new(self.pinned, context, &self.state.variables, scope)))
    }

    /// A number for something that begins.
    fn number(&mut self) -> StepId {
        let id = StepId(self.state.next_step);
        self.state.next_step += 1;
        id
    }

    /// Begins something whose end comes as an input.
    fn open(&mut self, id: StepId, task: TaskId, effect: Effect) {
        self.effects.push(effect.clone());
        self.state.open.insert(id, Open { task, effect });
    }

    fn set_timer(&mut self, task: TaskId, purpose: Purpose, millis: u64) {
        let Some(place) = self.state.tasks.get(&task).map(|task| task.path.clone()) else { return };
        let id = self.number();
        let due = self.at.after(i64::try_from(millis).unwrap_or(i64::MAX));
        self.open(id, task, Effect::SetTimer(SetTimer { id, place, purpose, due }));
    }

    fn note(&mut self, task: TaskId, remark: Remark) {
        if let Some(task) = self.state.tasks.get(&task) {
            self.effects.push(Effect::Note(Note { place: task.path.clone(), remark }));
        }
    }

    /// Takes out what is open under this number, if it is of the kind that `is` says; else it is over, and the answer
    /// of a send or append that was let go is noted.
    fn close(&mut self, step: StepId, is: impl FnOnce(&Effect) -> bool) -> Option<TaskId> {
        match self.state.open.get(&step) {
            Some(open) if is(&open.effect) => self.state.open.remove(&step).map(|open| open.task),
            Some(_) => None,
            None => {
                if let Some(place) = self.state.let_go.remove(&step) {
                    self.effects.push(Effect::Note(Note { place, remark: Remark::Late { step } }));
                }
                None
            }
        }
    }

    /// Lets go of all that a task has begun, but not of the task: commands in it, timers, sends in flight.
    fn let_go_under(&mut self, id: TaskId) {
        let mut doomed = BTreeSet::from([id]);
        // A task is numbered after the one around it, so one pass finds all.
        for (inner, task) in self.state.tasks.range(id..) {
            if task.parent.is_some_and(|parent| doomed.contains(&parent)) {
                doomed.insert(*inner);
            }
        }
        self.agenda.retain(|work| match work {
            Work::Begin(beginning) => beginning.parent.is_none_or(|parent| !doomed.contains(&parent)),
            Work::End(task, _) => !doomed.contains(task),
        });
        self.let_go_of_steps(|task| doomed.contains(&task));
        self.state.tasks.retain(|task, _| *task == id || !doomed.contains(task));
    }

    fn let_go_of_steps(&mut self, of: impl Fn(TaskId) -> bool) {
        let State { let_go, open, tasks, .. } = &mut *self.state;
        let effects = &mut self.effects;
        open.retain(|step, open| {
            if !of(open.task) {
                return true;
            }
            if let (Some(Task { stage: Stage::Held(_), path, .. }), Effect::Send(_)) =
                (tasks.get(&open.task), &open.effect)
            {
                let remark = Remark::HeldNoMore { send: *step };
                effects.push(Effect::Note(Note { place: path.clone(), remark }));
                return false;
            }
            let place = match &open.effect {
                Effect::Send(request) => Some(&request.place),
                Effect::AppendEvent(append) => Some(&append.place),
                _ => None,
            };
            if let Some(place) = place {
                let_go.insert(*step, place.clone());
            }
            false
        });
    }

    fn finish(&mut self, outcome: Outcome) {
        self.agenda.clear();
        // What somebody made send again goes on beside the program.
        let again: BTreeSet<TaskId> = self.state.again.keys().copied().collect();
        self.let_go_of_steps(|task| !again.contains(&task));
        self.state.tasks.retain(|task, _| again.contains(task));
        self.state.finished = Some(outcome.clone());
        self.effects.push(Effect::Finished(outcome));
    }
}
