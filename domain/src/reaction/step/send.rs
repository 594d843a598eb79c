//! `send`: one notification.

use std::sync::Arc;

use super::{Broken, Run};
use crate::dsl::then::{Call, Command, catalogue};
use crate::json::Object;
use crate::reaction::state::TaskId;
use crate::reaction::{Answer, Effect, Remark, Request, StepId};

impl Run<'_> {
    pub(super) fn begin_send(&mut self, id: TaskId, command: &Command, call: &Call) {
        let limit = command
            .within
            .map_or(self.rules().send_limit_ms, |within| u64::try_from(within.millis()).unwrap_or(u64::MAX));
        let params = match self.state.again.get(&id) {
            Some((_, params)) => Ok(params.clone()),
            None => self.call_params(id, call),
        };
        match params {
            Ok(params) => self.request(id, call, params, false, limit),
            Err(reason) => {
                self.not_sent(id, call, &reason);
                self.fail(id, false, reason);
            }
        }
    }

    /// A send that cannot begin is one in the audit all the same.
    fn not_sent(&mut self, id: TaskId, call: &Call, reason: &str) {
        let (Some(start), Some(task)) = (&self.state.started, self.state.tasks.get(&id)) else { return };
        let remark = Remark::NotSent {
            endpoint: call.endpoint.clone(),
            verb: call.verb.clone(),
            attempt: task.attempt,
            key: start.key(&task.path, task.group),
            reason: reason.to_owned(),
        };
        self.note(id, remark);
    }

    pub(super) fn call_params(&self, id: TaskId, call: &Call) -> Result<Object, String> {
        let verb = catalogue::find(&call.endpoint, &call.verb);
        self.lookup(id, |lookup| lookup.params(&call.params, verb)).unwrap_or_else(|| Ok(Object::new()))
    }

    /// Begins a request, or the requests of a poll.
    pub(super) fn request(&mut self, task: TaskId, call: &Call, params: Object, poll: bool, limit_ms: u64) {
        let id = self.number();
        let (Some(start), Some(sender)) = (&self.state.started, self.state.tasks.get(&task)) else { return };
        let request = Request {
            id,
            place: sender.path.clone(),
            endpoint: call.endpoint.clone(),
            verb: call.verb.clone(),
            params,
            poll,
            attempt: sender.attempt,
            group: sender.group,
            key: start.key(&sender.path, sender.group),
            limit_ms,
            possibly_sent_twice: sender.ambiguous,
            released: false,
            again_of: self.state.again.get(&task).map(|(of, _)| of.clone()),
        };
        self.open(id, task, Effect::Send(request));
    }

    pub(super) fn answered(&mut self, send: StepId, answer: &Answer) {
        if let Answer::Failed(failure) = answer
            && failure.held
            && self.hold(send, failure)
        {
            return;
        }
        let is_send = |effect: &Effect| matches!(effect, Effect::Send(request) if !request.poll);
        let Some(id) = self.close(send, is_send) else { return };
        let Some(task) = self.state.tasks.get(&id) else { return };
        match answer {
            Answer::Succeeded(success) => self.succeed(id, Some(Arc::new(success.response.clone()))),
            Answer::Failed(failure) => {
                let broken = Broken {
                    place: task.path.clone(),
                    reason: failure.error.clone(),
                    retryable: failure.retryable,
                    ambiguous: failure.ambiguous,
                    retry_after_ms: failure.retry_after_ms.unwrap_or(0),
                };
                self.break_off(id, broken);
            }
        }
    }

    /// A send is made again after a crash, and nobody knows whether it was made before.
    pub(super) fn resumed(&mut self, send: StepId) {
        let Some(open) = self.state.open.get(&send) else { return };
        // A held one was answered: it is not made again by itself.
        if self.held_for(open.task).is_some() {
            return;
        }
        let Some(open) = self.state.open.get_mut(&send) else { return };
        let Effect::Send(request) = &mut open.effect else { return };
        if request.poll {
            return;
        }
        request.possibly_sent_twice = true;
        // It was let out once, not twice.
        request.released = false;
        let id = open.task;
        if let Some(task) = self.state.tasks.get_mut(&id) {
            task.ambiguous = true;
        }
        self.note(id, Remark::PossiblySentTwice { send });
    }
}
