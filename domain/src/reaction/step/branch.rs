//! `if`: branch.

use super::Run;
use crate::dsl::then::Predicate;
use crate::reaction::Remark;
use crate::reaction::state::TaskId;

impl Run<'_> {
    pub(super) fn begin_if(&mut self, id: TaskId, condition: &Predicate, then: bool, otherwise: bool) {
        let held = match self.lookup(id, |lookup| lookup.holds(condition)) {
            Some(Ok(held)) => held,
            Some(Err(reason)) => return self.fail(id, false, reason),
            None => return,
        };
        self.note(id, Remark::Condition { held });
        let (branch, index) = if held { (then, 0) } else { (otherwise, 1) };
        if branch {
            let scope = self.state.tasks.get(&id).and_then(|task| task.scope.clone());
            self.begin_inside(id, index, scope);
        } else {
            self.succeed(id, None);
        }
    }
}
