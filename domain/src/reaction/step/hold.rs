//! Sends that wait for a person, and sends that somebody makes once more.
//!
//! A held send stays open under its number until it is released (it goes out again under its key), discarded (it has
//! failed), or its answer comes after all. One that failed for good is made once more by a command of its own beside
//! the program: the same call with the same parameters under a new key, and whatever comes of it changes nothing in
//! the program, which went its way.

use super::{Broken, Run, Work};
use crate::dsl::then::{CommandKind, Path};
use crate::json::Object;
use crate::reaction::state::{Stage, Task, TaskId};
use crate::reaction::{Effect, Failure, Remark, Request, StepId};

impl Run<'_> {
    /// Holds a send, if it is open; whether it is held now.
    pub(super) fn hold(&mut self, send: StepId, failure: &Failure) -> bool {
        let Some(id) = self.sender(send) else { return false };
        // A late answer that says no more than the first.
        if self.held_for(id).is_none() {
            self.stage(id, Stage::Held(failure.error.clone()));
            self.note(id, Remark::Held { send, reason: failure.error.clone() });
        }
        true
    }

    /// The command whose open send this is.
    fn sender(&self, send: StepId) -> Option<TaskId> {
        let open = self.state.open.get(&send)?;
        matches!(&open.effect, Effect::Send(request) if !request.poll).then_some(open.task)
    }

    /// Why a command's send is held, if it is.
    pub(super) fn held_for(&self, id: TaskId) -> Option<String> {
        match &self.state.tasks.get(&id)?.stage {
            Stage::Held(reason) => Some(reason.clone()),
            _ => None,
        }
    }

    /// A held send goes out again: a further attempt under its key.
    pub(super) fn released(&mut self, send: StepId) {
        let Some(id) = self.sender(send).filter(|id| self.held_for(*id).is_some()) else { return };
        let Some(open) = self.state.open.remove(&send) else { return };
        let (Effect::Send(request), Some(task)) = (open.effect, self.state.tasks.get_mut(&id)) else {
            return;
        };
        task.stage = Stage::Attempt;
        task.ambiguous = true;
        task.attempt += 1;
        let attempt = task.attempt;
        let next = self.number();
        let request = Request { id: next, attempt, possibly_sent_twice: true, released: true, ..request };
        self.open(next, id, Effect::Send(request));
    }

    /// A held send is not sent again: it has failed, and no retry can mend that.
    pub(super) fn discarded(&mut self, send: StepId, by: &str) {
        let Some(id) = self.sender(send) else { return };
        let Some(held) = self.held_for(id) else { return };
        let Some(place) = self.state.tasks.get(&id).map(|task| task.path.clone()) else { return };
        self.state.open.remove(&send);
        let reason = format!("{held}; discarded by {by}");
        self.break_off(id, Broken { place, reason, retryable: false, ambiguous: false, retry_after_ms: 0 });
    }

    /// A send that failed for good is made once more.
    pub(super) fn redriven(&mut self, key: &str, place: &Path, params: &Object) {
        let is_send =
            self.pinned.program.at(place).is_some_and(|command| matches!(command.kind, CommandKind::Send(_)));
        if !is_send || !self.state.may_redrive(key) {
            return;
        }
        self.state.redriven.insert(key.to_owned());
        let id = TaskId(self.state.next_task);
        self.state.next_task += 1;
        self.state.groups += 1;
        let task = Task {
            parent: None,
            path: place.clone(),
            group: self.state.groups,
            attempt: 1,
            scope: None,
            ambiguous: false,
            stage: Stage::Attempt,
        };
        self.state.tasks.insert(id, task);
        self.state.again.insert(id, (key.to_owned(), params.clone()));
        self.attempt(id);
    }

    /// Whether a command is one that somebody made send again: then its options do not run.
    pub(super) fn is_again(&self, id: TaskId) -> bool {
        self.state.again.contains_key(&id)
    }

    /// Such a command has ended.
    pub(super) fn again_over(&mut self, id: TaskId) {
        self.state.again.remove(&id);
        self.state.tasks.remove(&id);
        self.agenda.retain(|work| !matches!(work, Work::End(task, _) if *task == id));
    }
}
