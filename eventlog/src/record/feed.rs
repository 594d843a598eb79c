//! Following the record from a position on.

use std::sync::Arc;

use domain::ids::Position;

use super::queue::closed;
use super::{Error, Head, Record, Recorded, Select};

/// A reader that follows the record in order.
pub struct Feed {
    record: Arc<dyn Record>,
    select: Select,
    reached: Head,
}

impl Feed {
    /// Follows `select` after a position.
    pub fn new(record: Arc<dyn Record>, select: Select, after: Position) -> Self {
        Self { record, select, reached: Head { position: after, ..Head::default() } }
    }

    /// The last position delivered (or passed over).
    pub fn position(&self) -> Position {
        self.reached.position
    }

    /// The same, with the stamp of the row there. (Where it began: 0.)
    pub fn reached(&self) -> Head {
        self.reached
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
        let mut head = match self.select {
            Select::Domain => self.record.domain_head(),
            _ => self.record.head(),
        };
        loop {
            let end = *head.borrow_and_update();
            if end.position > self.reached.position {
                let rows = self.record.read_after(self.select.clone(), self.reached.position, limit).await?;
                let last = rows.last().map(|row| Head { position: row.position, stamp: row.stamp });
                let all = rows.len() < limit;
                let further = last.filter(|last| !all || last.position > end.position);
                self.reached = further.unwrap_or(end);
                return Ok(rows);
            }
            if head.changed().await.is_err() {
                return Err(closed());
            }
        }
    }
}
