//! `seq` and `par`: the blocks.

use super::{Run, Work};
use crate::dsl::then::Command;
use crate::reaction::state::TaskId;

impl Run<'_> {
    pub(super) fn begin_seq(&mut self, id: TaskId, command: &Command, members: &[Command]) {
        self.bound(id, command);
        self.seq_member(id, members, 0);
    }

    /// The member `index` of a `seq` has succeeded.
    pub(super) fn seq_goes_on(&mut self, id: TaskId, members: &[Command], index: u16) {
        self.seq_member(id, members, index.saturating_add(1));
    }

    fn seq_member(&mut self, id: TaskId, members: &[Command], index: u16) {
        if usize::from(index) < members.len() {
            let scope = self.state.tasks.get(&id).and_then(|task| task.scope.clone());
            self.begin_inside(id, index, scope);
        } else {
            self.succeed(id, None);
        }
    }

    /// All members go on the agenda; if one fails at once, those behind it are taken off before they have begun.
    pub(super) fn begin_par(&mut self, id: TaskId, command: &Command, members: &[Command]) {
        self.bound(id, command);
        let scope = self.state.tasks.get(&id).and_then(|task| task.scope.clone());
        let count = u16::try_from(members.len()).unwrap_or(u16::MAX);
        for index in (0..count).rev() {
            self.begin_inside(id, index, scope.clone());
        }
    }

    /// A member of a `par` has succeeded: it is done when none is left, neither running nor about to.
    pub(super) fn par_goes_on(&mut self, id: TaskId) {
        let running = self.state.tasks.values().any(|task| task.parent == Some(id));
        let waiting = self
            .agenda
            .iter()
            .any(|work| matches!(work, Work::Begin(beginning) if beginning.parent == Some(id)));
        if !running && !waiting {
            self.succeed(id, None);
        }
    }
}
