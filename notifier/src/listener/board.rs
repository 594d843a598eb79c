//! How each listener is at this moment, as it says itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::{ListenerId, TenantId};

/// What a listener is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not enabled.
    Stopped,
    /// It is connecting.
    Starting,
    /// It hears what comes.
    Started,
    /// It hears nothing, and the message says why.
    Error,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Error => "error",
        })
    }
}

/// A state, and a sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// What it is doing.
    pub state: State,
    /// For a person.
    pub message: String,
}

impl Status {
    /// That of a listener that is not enabled.
    pub fn stopped() -> Self {
        Self { state: State::Stopped, message: "Not listening: the listener is not enabled".to_owned() }
    }

    /// That of a listener that is enabled and has not said anything yet.
    pub fn starting() -> Self {
        Self { state: State::Starting, message: "Starting".to_owned() }
    }
}

/// One listener of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) tenant: TenantId,
    pub(super) id: ListenerId,
}

/// Where listeners say how they are.
#[derive(Default)]
pub(super) struct Board(Mutex<HashMap<Key, Status>>);

impl Board {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Status>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self, tenant: &TenantId, id: &ListenerId) -> Option<Status> {
        self.lock().get(&Key { tenant: tenant.clone(), id: id.clone() }).cloned()
    }

    pub(super) fn say(&self, key: &Key, status: Status) {
        self.lock().insert(key.clone(), status);
    }

    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }
}
