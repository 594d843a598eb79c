//! The record's clock: where stamps come from. Nothing that decides about matching reads it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use domain::time::Stamp;

/// Tells the time to the record.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since 1970-01-01 UTC. The record holds it so that stamps never fall, whatever this says.
    fn now(&self) -> Stamp;
}

/// The wall clock as it was at start, moved on by the monotonic clock: it never steps back, and a wall clock that
/// is set while the server runs does not touch it.
#[derive(Debug)]
pub struct SystemClock {
    wall: i64,
    started: Instant,
}

impl SystemClock {
    /// A clock anchored now.
    pub fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { wall: i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX), started: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Stamp {
        Stamp(self.wall).after(i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}
