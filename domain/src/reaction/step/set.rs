//! `set`: a reaction variable.

use super::Run;
use crate::dsl::then::Value;
use crate::reaction::resolve::{HEAVIEST, weight};
use crate::reaction::state::TaskId;
use crate::reaction::{Assignment, Effect};

impl Run<'_> {
    pub(super) fn begin_set(&mut self, id: TaskId, name: &str, value: &Value) {
        let value = match self.lookup(id, |lookup| lookup.value(value)) {
            Some(Ok(value)) => value,
            Some(Err(reason)) => return self.fail(id, false, reason),
            None => return,
        };
        let before = self.state.variables.get(name).map_or(0, weight);
        let heavy = (self.state.variables_weight - before).saturating_add(weight(&value));
        if heavy > HEAVIEST {
            return self.fail(id, false, format!("the variables are over {HEAVIEST} bytes"));
        }
        let Some(place) = self.state.tasks.get(&id).map(|task| task.path.clone()) else { return };
        self.state.variables_weight = heavy;
        self.state.variables.set(name, value.clone());
        self.effects.push(Effect::SetVariable(Assignment { place, name: name.to_owned(), value }));
        self.succeed(id, None);
    }
}
