//! Where readers of the record keep their place, with what they need to go on from there.
//!
//! Lives in `views.db`: all of it can be thrown away and is then made anew from the record.

use domain::ids::Position;

use crate::record::Error;

/// Keyed rows and a position, committed together.
pub struct Checkpoints {}

/// A row of a checkpoint: key and value.
pub type Row = (Vec<u8>, Vec<u8>);

impl Checkpoints {
    /// The last position committed under `name`, and its rows.
    ///
    /// # Errors
    /// The store's; damaged rows are [`Error::Damaged`].
    pub async fn load(&self, name: &str) -> Result<Option<(Position, Vec<Row>)>, Error> {
        let _ = name;
        todo!("eventlog")
    }

    /// Sets rows (`None` deletes) and the position in one transaction.
    ///
    /// # Errors
    /// The store's.
    pub async fn commit(
        &self,
        name: &str,
        position: Position,
        changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), Error> {
        let _ = (name, position, changes);
        todo!("eventlog")
    }

    /// Forgets all of `name`.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        todo!("eventlog")
    }
}
