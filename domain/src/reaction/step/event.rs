//! `event`: a new customer event, through the same door as every other.

use std::sync::Arc;

use super::Run;
use crate::dsl::then::Params;
use crate::ids::EventId;
use crate::json::Object;
use crate::reaction::state::TaskId;
use crate::reaction::{Append, Effect, StepId};

impl Run<'_> {
    pub(super) fn begin_event(&mut self, task: TaskId, params: &Params) {
        let event = match self.lookup(task, |lookup| lookup.params(params, None)) {
            Some(Ok(event)) => event,
            Some(Err(reason)) => return self.fail(task, false, reason),
            None => return,
        };
        let Some(place) = self.state.tasks.get(&task).map(|task| task.path.clone()) else { return };
        let id = self.number();
        self.open(id, task, Effect::AppendEvent(Append { id, place, event }));
    }

    /// `success` sees the new event's id as `$id`.
    pub(super) fn appended(&mut self, append: StepId, event: EventId) {
        if let Some(id) = self.close(append, |effect| matches!(effect, Effect::AppendEvent(_))) {
            let mut receipt = Object::new();
            receipt.set("id", event.to_string());
            self.succeed(id, Some(Arc::new(receipt)));
        }
    }

    pub(super) fn refused(&mut self, append: StepId, reason: &str) {
        if let Some(id) = self.close(append, |effect| matches!(effect, Effect::AppendEvent(_))) {
            self.fail(id, false, format!("the event was refused: {reason}"));
        }
    }
}
