//! Is it alive, should work be sent here, and what has it done: for operators, unauthenticated.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use domain::ids::Position;
use domain::json::{Json, Object};
use tokio::time::{Instant, timeout};

use super::answer::Answer;
use super::call::Call;
use super::problem::Problem;
use crate::shares::Reached;

/// How long the record may take to take a write.
const WRITE: Duration = Duration::from_secs(2);
/// The lease that is taken to see whether the record takes a write; nobody else wants it.
const PROBE: &str = "readyz";
/// How far behind in time a follower of the record may be.
const BEHIND: Duration = Duration::from_secs(5);

/// What was noticed to be late.
#[derive(Default)]
pub struct Readiness(Mutex<Followers>);

#[derive(Default)]
struct Followers {
    views: Follower,
    engine: Follower,
}

/// A follower of the record: where it has to come, and since when.
#[derive(Default)]
struct Follower(Option<(Position, Instant)>);

impl Follower {
    /// Whether it has not come, for longer than it may take, to where the record once was.
    fn is_late(&mut self, reached: Position, head: Position) -> bool {
        let now = Instant::now();
        match self.0 {
            Some((wanted, since)) if reached < wanted => now >= since + BEHIND,
            _ => {
                self.0 = Some((head, now));
                false
            }
        }
    }
}

impl Readiness {
    fn followers(&self) -> MutexGuard<'_, Followers> {
        // Whole at every moment, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The read models had not reached a position in time.
    pub fn views_are_late(&self, position: Position) {
        self.followers().views = Follower(Some((position, Instant::now() - BEHIND)));
    }
}

/// GET /healthz
pub async fn live(_: Call) -> Result<Answer, Problem> {
    Ok(Answer::ok(Json::object([("status", "ok")])))
}

/// GET /readyz
pub async fn ready(call: Call) -> Result<Answer, Problem> {
    let state = &call.state;
    let mut reasons: Vec<Json> = Vec::new();
    // A write like any other, though it adds no entry: that the writer answers does not say that the disk takes it.
    let probe = [PROBE.to_owned()];
    if !matches!(timeout(WRITE, state.record.take_leases(&probe, PROBE)).await, Ok(Ok(_))) {
        reasons.push("the record takes no writes".into());
    }
    let head = state.record.head().borrow().position;
    let theirs = state.record.domain_head().borrow().position;
    if state.readiness.followers().views.is_late(*state.views.progress().borrow(), theirs) {
        reasons.push("the read models are behind".into());
    }
    let engine = state.engine.as_ref().and_then(Reached::at_work);
    if engine.is_some_and(|engine| state.readiness.followers().engine.is_late(engine, head)) {
        reasons.push("the engine is behind".into());
    }
    let ready = reasons.is_empty();
    let mut body = Object::new();
    body.set("status", if ready { "ready" } else { "not ready" });
    if !ready {
        body.set("error", "not ready");
        body.set("details", reasons);
    }
    Ok(Answer::json(if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, &body.into()))
}

/// GET /metrics
pub async fn metrics(call: Call) -> Result<Answer, Problem> {
    let head = call.state.record.head().borrow().position;
    // Up to the end, once they have all that is theirs.
    let reached = *call.state.views.progress().borrow();
    let reached =
        if reached < call.state.record.domain_head().borrow().position { reached } else { head.max(reached) };
    let mut positions = vec![
        ("cxengage_record_position", "The record's last position.", head.0),
        ("cxengage_views_position", "The position up to which the read models have come.", reached.0),
    ];
    if let Some(engine) = call.state.engine.as_ref().and_then(Reached::at_all) {
        positions.push((
            "cxengage_engine_position",
            "The position up to which matches are committed.",
            engine.0,
        ));
    }
    let text = call.state.metrics.render(&positions);
    Ok(Answer::text(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_follower_is_late_when_it_has_not_come_in_time_to_where_the_record_was() {
        let mut follower = Follower::default();
        assert!(!follower.is_late(Position(0), Position(7)));
        tokio::time::advance(BEHIND).await;
        assert!(follower.is_late(Position(6), Position(9)));
        assert!(!follower.is_late(Position(7), Position(9)), "it came to where the record was");
        tokio::time::advance(BEHIND).await;
        assert!(!follower.is_late(Position(9), Position(12)));

        let readiness = Readiness::default();
        tokio::time::advance(BEHIND).await;
        readiness.views_are_late(Position(20));
        assert!(readiness.followers().views.is_late(Position(19), Position(20)), "at once");
    }
}
