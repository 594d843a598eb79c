//! From a checkpoint back to states, and from states to the next checkpoint's rows.
//!
//! The configuration is not part of it: it is made anew from the record, up to the checkpoint's position.

use domain::ids::Position;
use eventlog::checkpoint::Checkpoints;
use eventlog::record::{Error, Record, Select};

use super::checkpoint;
use super::matcher::Matcher;
use super::rows;

/// The checkpoint's name.
pub(super) const NAME: &str = "engine";

/// How many rows are read at a time.
const ROWS: usize = 1_000;

/// The states of the last checkpoint, or none at the record's beginning if there is none that can be used.
pub(super) async fn recover(
    record: &dyn Record,
    checkpoints: &Checkpoints,
) -> Result<(Matcher, Position), Error> {
    let loaded = match checkpoints.load(NAME).await {
        Err(Error::Damaged(error)) => {
            tracing::warn!(error, "the checkpoint is damaged");
            None
        }
        other => other?,
    };
    let end = record.head().borrow().position;
    if let Some((position, rows)) = loaded
        && position <= end
    {
        let mut matcher = configured(record, position).await?;
        match matcher.restore(&rows) {
            Ok(()) => return Ok((matcher, position)),
            Err(error) => tracing::warn!(%error, %position, "matching is made anew from the whole record"),
        }
    }
    checkpoints.forget(NAME).await?;
    Ok((Matcher::new(), Position(0)))
}

/// A matcher with the configuration of a position.
async fn configured(record: &dyn Record, position: Position) -> Result<Matcher, Error> {
    let mut matcher = Matcher::new();
    let mut after = Position(0);
    loop {
        let rows = record.read_after(Select::Configuration(None), after, ROWS).await?;
        let Some(last) = rows.last().map(|row| row.position) else { return Ok(matcher) };
        for row in rows.iter().filter(|row| row.position <= position) {
            matcher.step(rows::configure(row)?, &mut Vec::new());
        }
        if last >= position {
            return Ok(matcher);
        }
        after = last;
    }
}

impl Matcher {
    /// The checkpoint's rows that have changed.
    pub(super) fn changed_rows(&self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let mut rows = Vec::new();
        for (id, partition) in self.partitions() {
            if partition.dirty {
                let empty = partition.states().len() == 0;
                let row = (!empty).then(|| checkpoint::encode(partition, self.slots()));
                rows.push((vec![id.0], row));
            }
        }
        rows
    }

    pub(super) fn saved(&mut self) {
        self.partitions_mut().for_each(|(_, partition)| partition.dirty = false);
    }

    fn restore(&mut self, rows: &[eventlog::checkpoint::Row]) -> Result<(), checkpoint::Unusable> {
        for (key, value) in rows {
            let [partition] = key.as_slice() else { return Err(checkpoint::Unusable) };
            checkpoint::decode(value, self, *partition)?;
        }
        Ok(())
    }
}
