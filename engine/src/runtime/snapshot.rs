//! A snapshot: what has changed since the last checkpoint, as it is now, to be written while matching goes on.
//!
//! It shares the buckets with the matcher, which copies one when it changes it meanwhile; taking a snapshot costs a
//! reference a bucket. Rows are made where they are written. Keys: two bytes, partition and bucket; none for the row
//! that says which pattern's version each slot is.

use std::sync::Arc;

use eventlog::checkpoint::{Change, Rows};
use eventlog::record::Error;

use super::bucket::Bucket;
use super::store;

/// The key of the row that says what the slots are: the first of all.
pub(super) const SLOTS: [u8; 0] = [];

/// What a checkpoint has to change.
pub struct Snapshot {
    pub(super) number: u32,
    pub(super) slots: Option<Vec<u8>>,
    pub(super) buckets: Vec<([u8; 2], Arc<Bucket>)>,
    pub(super) rows: Option<Arc<Rows>>,
}

impl Snapshot {
    /// Which snapshot it is.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The rows to set, each made when it is asked for.
    pub fn changes(self) -> impl Iterator<Item = Result<Change, Error>> + Send + 'static {
        let Self { slots, buckets, rows, .. } = self;
        let slots = slots.into_iter().map(|slots| Ok((SLOTS.to_vec(), Some(slots))));
        slots.chain(buckets.into_iter().map(move |(key, bucket)| {
            if bucket.is_empty() {
                return Ok((key.to_vec(), None));
            }
            let row = bucket.row(|| store::row(rows.as_deref(), key))?;
            Ok((key.to_vec(), Some(row)))
        }))
    }
}
