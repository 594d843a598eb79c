//! Faults on order, for the proofs of what survives them. Compiled only with the feature `faults`, which no build
//! that is shipped has: elsewhere [`fault_point!`](crate::fault_point) and [`broken!`](crate::broken) are nothing.
//!
//! - A *point* is a place at an I/O boundary where the process can be made to die, to wait, or to fail.
//! - A *break* is a promise that is broken on purpose: a proof that does not notice it proves nothing.
//!
//! The variable `CXENGAGE_FAULTS` orders them, separated by commas: `NAME=crash` (abort at the first passage),
//! `NAME=crash@7` (at the seventh), `NAME=delay:50` (wait 50 ms at each), `NAME=error` (fail at each),
//! `NAME=error@3` (at the third), `break:NAME`, `clock:MS` (the wall clock is so many milliseconds off). What it does not
//! know ends the process with exit code 2.

mod order;
mod record;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use order::{Action, Order};
pub use record::{Bent, Faulty};

/// The variable that orders faults.
pub const VARIABLE: &str = "CXENGAGE_FAULTS";

/// Every point, in the order in which an event meets them.
pub const POINTS: &[&str] = &[
    // Around an append, by what is appended.
    "event.append.before",
    "event.append.after",
    "mark.append.before",
    "mark.append.after",
    "match.append.before",
    "match.append.after",
    "step.append.before",
    "step.append.after",
    "command.append.before",
    "command.append.after",
    "leases.before",
    "leases.after",
    "erase.before",
    "erase.after",
    // In the writer's transaction, before its commit, and before it is acknowledged.
    "record.rows",
    "record.commit.before",
    "record.commit.after",
    // Engine and notifier keeping their place.
    "checkpoint.before",
    "checkpoint.rows",
    "checkpoint.after",
    // Read models.
    "views.rows",
    "views.commit.after",
    "rebuild.swap.before",
    "rebuild.swap.after",
    // Between "send begun" and the request, and between the answer and its record.
    "send.begun",
    "send.answered",
];

/// Every promise that can be broken on purpose.
pub const BREAKS: &[&str] = &[
    // A customer event is answered before its commit.
    "acknowledge-before-commit",
    // The engine keeps its place before the matches up to it are committed.
    "checkpoint-before-match",
    // An idempotency key is not looked at.
    "no-dedup",
    // A token opens every tenant.
    "no-tenant-check",
    // Stamps follow a clock that is set back.
    "stamp-falls",
    // A timer fires half a second before its time.
    "timers-early",
    // A read model's place is committed before its rows.
    "place-before-rows",
    // A request goes out before "send begun" is in the record.
    "send-before-record",
    // What was sent perhaps is sent again without a word about it.
    "resend-silently",
    // A commit does not wait for the disk.
    "commit-without-fsync",
    // An engine that stands by runs ahead of the one at work.
    "stand-by-ahead",
    // Who has been taken over from writes on: neither the fence nor where a reaction has got to is looked at.
    "no-fence",
    // Who has been taken over from is not told by its next beat; the fences alone have to do.
    "deaf-to-its-term",
    // Rows that JetStream lost are not missed.
    "no-gap-check",
    // The version that a client saw is not looked at.
    "no-version-check",
    // That a client was deleted is not heeded by the other servers.
    "no-revocation",
    // A checksum that does not fit is passed over.
    "no-checksum",
];

/// No promise: checkpoints at short intervals, so that a kill meets them.
pub const OFTEN: &str = "checkpoints-often";

struct Plan {
    orders: Vec<(Order, AtomicU64)>,
    broken: Vec<String>,
    clock: i64,
}

fn plan() -> &'static Plan {
    static PLAN: OnceLock<Plan> = OnceLock::new();
    PLAN.get_or_init(|| {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        match order::parse(&text) {
            Ok(orders) => Plan {
                orders: orders.points.into_iter().map(|order| (order, AtomicU64::new(0))).collect(),
                broken: orders.broken,
                clock: orders.clock,
            },
            Err(error) => {
                tracing::error!("{VARIABLE}: {error}");
                std::process::exit(2)
            }
        }
    })
}

/// A point is passed: whether it is ordered to fail. A crash does not return.
pub fn reach(name: &str) -> bool {
    let mut fails = false;
    for (order, passages) in plan().orders.iter().filter(|(order, _)| order.point == name) {
        let passage = passages.fetch_add(1, Ordering::Relaxed) + 1;
        match order.action {
            Action::Delay(pause) => std::thread::sleep(pause),
            Action::Crash if passage == order.passage.unwrap_or(1) => std::process::abort(),
            Action::Error if order.passage.is_none_or(|n| n == passage) => fails = true,
            Action::Crash | Action::Error => {}
        }
    }
    fails
}

/// By how many milliseconds the wall clock is off.
pub fn clock_off() -> i64 {
    plan().clock
}

/// Whether that promise is broken.
pub fn is_broken(name: &str) -> bool {
    plan().broken.iter().any(|broken| broken == name)
}
