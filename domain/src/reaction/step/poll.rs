//! `await`: ask an endpoint until a predicate holds of its answer, or the time is over.
//!
//! The shell asks; only what is news becomes an input. What is news is asked of [`matters`], which decides as
//! [`Run::polled`] would, so leaving the other answers out changes nothing.

use std::sync::Arc;

use super::{Lookup, Run};
use crate::dsl::then::{Call, Command, CommandKind};
use crate::json::Object;
use crate::reaction::state::{Stage, TaskId};
use crate::reaction::{Answer, Effect, Pinned, Remark, State, StepId};

impl Run<'_> {
    pub(super) fn begin_await(&mut self, id: TaskId, command: &Command, call: &Call) {
        let params = match self.call_params(id, call) {
            Ok(params) => params,
            Err(reason) => return self.fail(id, false, reason),
        };
        self.stage(id, Stage::Polling(None));
        self.bound(id, command);
        self.request(id, call, params, true, self.rules().send_limit_ms);
    }

    pub(super) fn polled(&mut self, poll: StepId, answer: &Answer) {
        let Some(id) = self.state.open.get(&poll).map(|open| open.task) else {
            self.close(poll, |_| false);
            return;
        };
        match holds(self.pinned, self.state, id, answer) {
            None => {}
            Some(Err(reason)) => self.fail(id, true, reason),
            Some(Ok(false)) => self.stage(id, Stage::Polling(Some(answer.clone()))),
            Some(Ok(true)) => {
                self.state.open.remove(&poll);
                self.take_branch(id, true, response(Some(answer)));
            }
        }
    }

    /// The time is over.
    pub(super) fn await_over(&mut self, id: TaskId) {
        let Some(Stage::Polling(last)) = self.state.tasks.get(&id).map(|task| &task.stage) else { return };
        let got = response(last.as_ref());
        self.take_branch(id, false, got);
    }

    fn take_branch(&mut self, id: TaskId, held: bool, got: Option<Arc<Object>>) {
        self.let_go_under(id);
        self.note(id, Remark::Condition { held });
        let Some((task, Command { kind: CommandKind::Await { success, failure, .. }, .. })) = self.task(id)
        else {
            return;
        };
        let (branch, index) = if held { (success, 0) } else { (failure, 1) };
        if branch.is_some() {
            let scope = got.clone().or_else(|| task.scope.clone());
            self.stage(id, Stage::Branch(got));
            self.begin_inside(id, index, scope);
        } else {
            self.succeed(id, got);
        }
    }
}

fn response(answer: Option<&Answer>) -> Option<Arc<Object>> {
    match answer {
        Some(Answer::Succeeded(success)) => Some(Arc::new(success.response.clone())),
        _ => None,
    }
}

/// Whether the predicate of the `await` holds of an answer; of a failure it never does. `None` if the task polls
/// no more.
fn holds(pinned: &Pinned, state: &State, id: TaskId, answer: &Answer) -> Option<Result<bool, String>> {
    let task = state.tasks.get(&id)?;
    let (Stage::Polling(_), CommandKind::Await { until, .. }) =
        (&task.stage, &pinned.program.at(&task.path)?.kind)
    else {
        return None;
    };
    let Answer::Succeeded(success) = answer else { return Some(Ok(false)) };
    let context = &state.started.as_ref()?.context;
    let lookup = Lookup::new(pinned, context, &state.variables, Some(&success.response));
    Some(lookup.holds(until))
}

/// Whether an answer to a poll is news: see [`State::poll_matters`].
pub(in crate::reaction) fn matters(pinned: &Pinned, state: &State, poll: StepId, answer: &Answer) -> bool {
    let Some(open) = state.open.get(&poll) else { return state.let_go.contains_key(&poll) };
    if !matches!(&open.effect, Effect::Send(request) if request.poll) {
        return false;
    }
    let last = match state.tasks.get(&open.task).map(|task| &task.stage) {
        Some(Stage::Polling(last)) => last.as_ref(),
        _ => return false,
    };
    let same = last.is_some_and(|last| same(last, answer));
    !same || !matches!(holds(pinned, state, open.task, answer), Some(Ok(false)))
}

/// Whether two answers say the same, however long they took.
fn same(a: &Answer, b: &Answer) -> bool {
    match (a, b) {
        (Answer::Succeeded(a), Answer::Succeeded(b)) => a.status == b.status && a.response == b.response,
        (Answer::Failed(a), Answer::Failed(b)) => a.status == b.status && a.error == b.error,
        _ => false,
    }
}
