//! How far a request has come, as seen from outside: for whoever runs out of patience with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Whether a request has gone out. Nothing is known of one whose endpoint does not say.
#[derive(Clone, Debug, Default)]
pub struct Sent {
    way: Arc<AtomicU8>,
    hold: Arc<AtomicBool>,
    waited: Arc<AtomicBool>,
}

const PENDING: u8 = 1;
const WRITTEN: u8 = 2;

impl Sent {
    /// It is on its way to being sent, and nothing of it has left.
    pub fn pending(&self) {
        self.way.store(PENDING, Ordering::Release);
    }

    /// It is being written: from now on the other side may have it.
    pub fn written(&self) {
        self.way.store(WRITTEN, Ordering::Release);
    }

    /// Whether it is certain that nothing of it has left.
    pub fn is_pending(&self) -> bool {
        self.way.load(Ordering::Acquire) == PENDING
    }

    /// What it needs of our own record cannot be read just now: the time that this takes is not the other side's.
    pub fn waits(&self) {
        self.waited.store(true, Ordering::Release);
    }

    /// Whether it has waited for our own record since this was last asked.
    pub fn has_waited(&self) -> bool {
        self.waited.swap(false, Ordering::AcqRel)
    }

    /// If nobody knows in the end whether it was done, it is not to be sent again.
    pub fn hold_if_ambiguous(&self) {
        self.hold.store(true, Ordering::Release);
    }

    /// Whether it is not to be sent again if nobody knows whether it was done.
    pub fn is_held_if_ambiguous(&self) -> bool {
        self.hold.load(Ordering::Acquire)
    }
}
