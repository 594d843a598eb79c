//! The live engine: follows the record in order of position, appends the matches, keeps checkpoints.
//!
//! It decides nothing by a clock. The record's clock is looked at only to append marks when deadlines are due and
//! nothing later is there; a deadline passes when a row of its partition stamped later is read, live as in a replay.
//! A checkpoint at p is written only when every match up to p is committed. Read next: [`matcher`] (pure), then
//! [`engine`] (the loop).

mod checkpoint;
mod engine;
mod items;
pub(crate) mod matcher;
mod partition;
mod recovery;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

pub use engine::{Engine, Error, Options};
pub use matcher::Completed;
