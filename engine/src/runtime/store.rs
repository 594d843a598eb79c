//! What is known of the checkpoint while states are in memory: which snapshots it has, and how its rows are read back.

use std::sync::Arc;

use eventlog::checkpoint::Rows;
use eventlog::record::Error;

/// A state that was spilled cannot be read back: what is in memory is of no use any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("a state that was spilled to the checkpoint cannot be read back: {0}")]
pub struct Lost(pub(super) Error);

/// The checkpoint, seen from memory.
pub(super) struct Store {
    /// Its rows; without them nothing is spilled.
    pub rows: Option<Arc<Rows>>,
    /// The number of the next snapshot.
    pub next: u32,
    /// The last snapshot that it has.
    pub saved: u32,
}

impl Default for Store {
    fn default() -> Self {
        Self { rows: None, next: 1, saved: 0 }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("next", &self.next).field("saved", &self.saved).finish_non_exhaustive()
    }
}

impl Store {
    /// A bucket's row.
    pub fn row(&self, key: [u8; 2]) -> Result<Vec<u8>, Lost> {
        row(self.rows.as_deref(), key).map_err(Lost)
    }
}

/// A bucket's row, which must be there.
pub(super) fn row(rows: Option<&Rows>, key: [u8; 2]) -> Result<Vec<u8>, Error> {
    let found = match rows {
        Some(rows) => rows.get(&key)?,
        None => None,
    };
    found.ok_or_else(|| Error::Damaged("a row of the engine's checkpoint is missing".into()))
}
