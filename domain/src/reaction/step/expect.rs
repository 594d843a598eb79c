//! `expect`: wait for an event of the tenant.

use std::sync::Arc;

use super::Run;
use crate::dsl::then::{Command, Predicate};
use crate::json::Object;
use crate::reaction::state::TaskId;
use crate::reaction::{Effect, Expectation, StepId};

impl Run<'_> {
    pub(super) fn begin_expect(&mut self, task: TaskId, command: &Command, predicate: &Predicate) {
        let condition = match self.lookup(task, |lookup| lookup.condition(predicate)) {
            Some(Ok(condition)) => condition,
            Some(Err(reason)) => return self.fail(task, false, reason),
            None => return,
        };
        let Some(place) = self.state.tasks.get(&task).map(|task| task.path.clone()) else { return };
        let id = self.number();
        let deadline = command.within.map(|within| self.at.after(within.millis()));
        let equality = condition.equality();
        self.open(id, task, Effect::OpenExpect(Expectation { id, place, condition, deadline, equality }));
    }

    pub(super) fn expect_met(&mut self, expect: StepId, event: &Object) {
        if let Some(id) = self.close(expect, |effect| matches!(effect, Effect::OpenExpect(_))) {
            self.succeed(id, Some(Arc::new(event.clone())));
        }
    }

    pub(super) fn expect_missed(&mut self, expect: StepId) {
        if let Some(id) = self.close(expect, |effect| matches!(effect, Effect::OpenExpect(_))) {
            let within = self.task(id).and_then(|(_, command)| command.within);
            let time = within.map_or_else(|| "its time".to_owned(), |within| within.to_string());
            self.fail(id, false, format!("no such event within {time}"));
        }
    }

    pub(super) fn expect_refused(&mut self, expect: StepId, reason: &str) {
        if let Some(id) = self.close(expect, |effect| matches!(effect, Effect::OpenExpect(_))) {
            self.fail(id, false, reason);
        }
    }
}
