//! `set`: a reaction variable.

use super::Run;
use crate::dsl::then::Value;
use crate::reaction::state::TaskId;
use crate::reaction::{Assignment, Effect};

impl Run<'_> {
    pub(super) fn begin_set(&mut self, id: TaskId, name: &str, value: &Value) {
        let value = match self.lookup(id, |lookup| lookup.value(value)) {
            Some(Ok(value)) => value,
            Some(Err(reason)) => return self.fail(id, false, reason),
            None => return,
        };
        let Some(place) = self.state.tasks.get(&id).map(|task| task.path.clone()) else { return };
        self.state.variables.set(name, value.clone());
        self.effects.push(Effect::SetVariable(Assignment { place, name: name.to_owned(), value }));
        self.succeed(id, None);
    }
}
