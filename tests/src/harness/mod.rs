//! The real binary, run as an operator runs it, and spoken to as a customer speaks to it: over HTTP.
//!
//! Nothing in here knows what is inside the server. Read next: [`Server`], [`Client`], [`Tenant`].

mod client;
mod home;
mod server;
mod tenant;

pub use client::{Answer, Client, Request};
pub use home::{Home, TEST_HOME, on_database};
pub use server::{ADMIN, SHIPPED, Server, WITH_FAULTS, binary, command, faults};
pub use tenant::Tenant;

use std::time::{Duration, Instant};

/// How long a test waits for what has to come.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What `look` sees as soon as it sees something.
///
/// # Panics
/// When that takes longer than [`PATIENCE`]; `what` says what was waited for.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
