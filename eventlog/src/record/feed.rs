//! Following the record from a position on.

use std::sync::Arc;

use domain::ids::Position;

use super::queue::closed;
use super::{Error, Record, Recorded, Select};

/// A reader that follows the record in order.
pub struct Feed {
    record: Arc<dyn Record>,
    select: Select,
    after: Position,
}

impl Feed {
    /// Follows `select` after a position.
    pub fn new(record: Arc<dyn Record>, select: Select, after: Position) -> Self {
        Self { record, select, after }
    }

    /// The last position delivered (or passed over).
    pub fn position(&self) -> Position {
        self.after
    }

    /// The next rows, at most `limit`; waits until there is one. Cancel-safe.
    ///
    /// # Errors
    /// The record's.
    pub async fn next(&mut self, limit: usize) -> Result<Vec<Recorded>, Error> {
        loop {
            let rows = self.advance(limit).await?;
            if !rows.is_empty() {
                return Ok(rows);
            }
        }
    }

    /// The next rows, at most `limit`, once the record has moved; none if it has moved by others.
    /// [`Self::position`] is then where it ended, or the last of the rows. Cancel-safe.
    ///
    /// # Errors
    /// The record's.
    pub async fn advance(&mut self, limit: usize) -> Result<Vec<Recorded>, Error> {
        let mut head = self.record.head();
        loop {
            let end = head.borrow_and_update().position;
            if end > self.after {
                let rows = self.record.read_after(self.select.clone(), self.after, limit).await?;
                let all = rows.len() < limit;
                let last = rows.last().map_or(self.after, |row| row.position);
                self.after = if all { last.max(end) } else { last };
                return Ok(rows);
            }
            if head.changed().await.is_err() {
                return Err(closed());
            }
        }
    }
}
