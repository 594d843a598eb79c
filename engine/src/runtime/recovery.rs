//! From a checkpoint back to states.
//!
//! The configuration is not part of it: it is made anew from the record, up to the checkpoint's position. A checkpoint
//! that cannot be used, for whatever reason, is said, forgotten, and made anew from the whole record.

use std::sync::Arc;

use domain::ids::Position;
use eventlog::checkpoint::Checkpoints;
use eventlog::record::{Error, Record, Select};

use super::keeping::Said;
use super::matcher::Matcher;
use super::rows::{self, lost};

/// How many rows are read at a time.
const ROWS: usize = 1_000;

/// The states of the last checkpoint of that name, or none at the record's beginning if there is none that can be used. What does
/// not fit into `limit` bytes stays in the checkpoint.
pub(super) async fn recover(
    record: &dyn Record,
    checkpoints: &Checkpoints,
    name: &str,
    limit: usize,
) -> Result<(Matcher, Position), Error> {
    match load(record, checkpoints, name, limit).await {
        Ok(Some(loaded)) => return Ok(loaded),
        Ok(None) => {}
        Err(Error::Damaged(error)) => {
            tracing::warn!(
                error,
                "the checkpoint cannot be used: matching is made anew from the whole record"
            );
        }
        Err(error) => return Err(error),
    }
    checkpoints.forget(name).await?;
    let mut matcher = Matcher::new();
    matcher.spill_to(Arc::new(checkpoints.rows(name)?));
    Ok((matcher, Position(0)))
}

async fn load(
    record: &dyn Record,
    checkpoints: &Checkpoints,
    name: &str,
    limit: usize,
) -> Result<Option<(Matcher, Position)>, Error> {
    let Some(position) = checkpoints.position(name).await? else { return Ok(None) };
    let end = record.head().borrow().position;
    if position > end {
        return Err(Error::Damaged(format!("it is of position {position}, and the record ends at {end}")));
    }
    let mut matcher = configured(record, position).await?;
    matcher.spill_to(Arc::new(checkpoints.rows(name)?));
    let restore = move |(matcher, said): &mut (Matcher, Said), key: &[u8], row: &[u8]| {
        matcher.restore(said, key, row, limit).map_err(|error| Error::Damaged(error.to_string()))
    };
    let loaded = checkpoints.fold(name, (matcher, Said::default()), restore).await?;
    Ok(loaded.map(|(position, (matcher, _))| (matcher, position)))
}

/// A matcher with the configuration of a position.
async fn configured(record: &dyn Record, position: Position) -> Result<Matcher, Error> {
    let mut matcher = Matcher::new();
    let mut after = Position(0);
    loop {
        let rows = record.read_after(Select::Configuration(None), after, ROWS).await?;
        let Some(last) = rows.last().map(|row| row.position) else { return Ok(matcher) };
        for row in rows.iter().filter(|row| row.position <= position) {
            matcher.step(rows::configure(row)?, &mut Vec::new()).map_err(lost)?;
        }
        if last >= position {
            return Ok(matcher);
        }
        after = last;
    }
}
