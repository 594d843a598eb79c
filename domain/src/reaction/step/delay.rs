//! `delay`: wait.

use super::Run;
use crate::reaction::Purpose;
use crate::reaction::state::TaskId;
use crate::time::Span;

impl Run<'_> {
    pub(super) fn begin_delay(&mut self, id: TaskId, span: Span) {
        self.set_timer(id, Purpose::Delay, u64::try_from(span.millis()).unwrap_or(0));
    }
}
