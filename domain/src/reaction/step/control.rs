//! What goes for every command: attempts, retries, `within`, `success` and `failure`, and how an end is passed on.

use std::sync::Arc;

use super::{Beginning, Broken, Run, Work};
use crate::dsl::then::{Command, CommandKind};
use crate::json::Object;
use crate::reaction::state::{Stage, TaskId};
use crate::reaction::{Effect, Outcome, Purpose, Remark, StepId};

impl Run<'_> {
    /// Begins one attempt of a task's command.
    pub(super) fn attempt(&mut self, id: TaskId) {
        let most = self.rules().commands;
        // What somebody asks for is asked for once each time.
        if self.state.commands >= most && !self.is_again(id) {
            let reason = format!("more than {most} commands in one reaction");
            return self.finish(Outcome::Failed { reason });
        }
        self.state.commands += 1;
        let Some((_, command)) = self.task(id) else {
            // The shell gave another program than the one that it started with.
            let reason = "the program has no such place".to_owned();
            return self.finish(Outcome::Failed { reason });
        };
        match &command.kind {
            CommandKind::Seq(members) => self.begin_seq(id, command, members),
            CommandKind::Par(members) => self.begin_par(id, command, members),
            CommandKind::Send(call) => self.begin_send(id, command, call),
            CommandKind::Event(params) => self.begin_event(id, params),
            CommandKind::Delay(span) => self.begin_delay(id, *span),
            CommandKind::Expect(predicate) => self.begin_expect(id, command, predicate),
            CommandKind::Await { call, .. } => self.begin_await(id, command, call),
            CommandKind::If { condition, then, otherwise } => {
                self.begin_if(id, condition, then.is_some(), otherwise.is_some());
            }
            CommandKind::Set(name, value) => self.begin_set(id, name, value),
        }
    }

    /// Puts a command inside a task on the agenda; it sees `scope`.
    pub(super) fn begin_inside(&mut self, id: TaskId, index: u16, scope: Option<Arc<Object>>) {
        let Some(task) = self.state.tasks.get(&id) else { return };
        let beginning =
            Beginning { parent: Some(id), path: task.path.child(index), group: task.group, scope };
        self.agenda.push(Work::Begin(beginning));
    }

    /// The bound of one attempt, where there is one.
    pub(super) fn bound(&mut self, id: TaskId, command: &Command) {
        if let Some(within) = command.within {
            self.set_timer(id, Purpose::Within, u64::try_from(within.millis()).unwrap_or(0));
        }
    }

    /// A timer's time has come.
    pub(super) fn fired(&mut self, timer: StepId) {
        let Some(Effect::SetTimer(set)) = self.state.open(timer) else { return };
        let purpose = set.purpose;
        let Some(id) = self.close(timer, |_| true) else { return };
        match purpose {
            Purpose::Delay => self.succeed(id, None),
            Purpose::Retry => self.retry(id),
            Purpose::Within => match self.task(id) {
                Some((_, Command { kind: CommandKind::Await { .. }, .. })) => self.await_over(id),
                Some((_, Command { within: Some(within), .. })) => {
                    let reason = format!("not done within {within}");
                    self.fail(id, true, reason);
                }
                _ => {}
            },
        }
    }

    /// An attempt of the command succeeded; `got` is what its `success` sees.
    pub(super) fn succeed(&mut self, id: TaskId, got: Option<Arc<Object>>) {
        self.let_go_under(id);
        if self.is_again(id) {
            return self.again_over(id);
        }
        let Some((task, command)) = self.task(id) else { return };
        if command.success.is_some() {
            let scope = got.or_else(|| task.scope.clone());
            self.stage(id, Stage::Success);
            self.begin_inside(id, command.success_index(), scope);
        } else {
            self.agenda.push(Work::End(id, Ok(())));
        }
    }

    /// An attempt of the command failed, for a reason of its own.
    pub(super) fn fail(&mut self, id: TaskId, retryable: bool, reason: impl Into<String>) {
        let Some(place) = self.state.tasks.get(&id).map(|task| task.path.clone()) else { return };
        let reason = reason.into();
        self.break_off(id, Broken { place, reason, retryable, ambiguous: false, retry_after_ms: 0 });
    }

    /// An attempt of the command failed.
    pub(super) fn break_off(&mut self, id: TaskId, broken: Broken) {
        self.let_go_under(id);
        let Some((task, command)) = self.task(id) else { return };
        let scope = task.scope.clone();
        let left = command.retries.saturating_sub(task.attempt - 1);
        // What no retry can mend is hopeless for a send alone; a block around it may get another answer.
        if left > 0 && (broken.retryable || !matches!(command.kind, CommandKind::Send(_))) {
            return self.wait(id, broken);
        }
        if left > 0 {
            self.note(id, Remark::RetriesDropped { left });
        }
        if self.is_again(id) {
            self.note(id, Remark::CommandFailed { reason: broken.reason });
            return self.again_over(id);
        }
        if command.failure.is_some() {
            self.note(id, Remark::FailureTaken { reason: broken.reason });
            self.stage(id, Stage::Failure);
            self.begin_inside(id, command.failure_index(), scope);
        } else {
            self.give_up(id, broken);
        }
    }

    fn give_up(&mut self, id: TaskId, broken: Broken) {
        self.note(id, Remark::CommandFailed { reason: broken.reason.clone() });
        self.agenda.push(Work::End(id, Err(broken)));
    }

    /// Waits before the next attempt: doubling, with jitter, and never less than the endpoint asks.
    fn wait(&mut self, id: TaskId, broken: Broken) {
        let rules = self.rules();
        let Some(task) = self.state.tasks.get_mut(&id) else { return };
        task.ambiguous |= broken.ambiguous;
        task.stage = Stage::Waiting;
        let attempt = task.attempt;
        let doubled = 1_u64.checked_shl(attempt - 1).unwrap_or(u64::MAX);
        let base = rules.retry_first_ms.saturating_mul(doubled).min(rules.retry_most_ms);
        let wait = base.saturating_add(base.saturating_mul(self.jitter) / 1_000).max(broken.retry_after_ms);
        self.note(id, Remark::AttemptFailed { attempt, reason: broken.reason });
        self.set_timer(id, Purpose::Retry, wait);
    }

    fn retry(&mut self, id: TaskId) {
        let Some((_, command)) = self.task(id) else { return };
        let Some(task) = self.state.tasks.get_mut(&id) else { return };
        task.attempt += 1;
        task.stage = Stage::Attempt;
        let attempt = task.attempt;
        // A send's retries share one idempotency key; what a block does again is meant to be done again.
        if !matches!(command.kind, CommandKind::Send(_)) {
            self.state.groups += 1;
            let group = self.state.groups;
            task.group = group;
            self.note(id, Remark::BlockRestarted { attempt, group });
        }
        self.attempt(id);
    }

    /// A command has ended: tells the one around it.
    pub(super) fn end(&mut self, id: TaskId, result: Result<(), Broken>) {
        let Some(task) = self.state.tasks.remove(&id) else { return };
        let Some(parent) = task.parent else {
            return self.finish(match result {
                Ok(()) => Outcome::Done,
                Err(broken) => Outcome::Failed { reason: format!("at {}: {}", broken.place, broken.reason) },
            });
        };
        let Some((around, command)) = self.task(parent) else { return };
        match (&around.stage, result) {
            (Stage::Success | Stage::Failure, Ok(())) => self.agenda.push(Work::End(parent, Ok(()))),
            // The command has failed with it; nothing takes that, nothing tries again.
            (Stage::Success | Stage::Failure, Err(broken)) => self.give_up(parent, broken),
            (_, Err(broken)) => self.break_off(parent, broken),
            (Stage::Branch(got), Ok(())) => {
                let got = got.clone();
                self.succeed(parent, got);
            }
            (_, Ok(())) => match &command.kind {
                CommandKind::Seq(members) => self.seq_goes_on(parent, members, task.path.index()),
                CommandKind::Par(_) => self.par_goes_on(parent),
                _ => self.succeed(parent, None),
            },
        }
    }
}
