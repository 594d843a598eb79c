//! The live engine: follows the record in order of position, appends the matches, keeps checkpoints.
//!
//! It decides nothing by a clock. The record's clock is looked at only to append marks when deadlines are due and
//! nothing later is there; a deadline passes when a row of its partition stamped later is read, live as in a replay.
//! A checkpoint at p is written only when every match up to p is committed. Read next: [`matcher`] (pure but for what
//! it reads back), `partition`, `bucket` and `spill` (states in bounded memory), `snapshot` and `keeping` (the
//! checkpoint), then [`engine`] (the loop), `emit` and `saving` (what it has under way), `standby` (ready to take over).

mod bucket;
mod emit;
mod engine;
mod items;
mod keeping;
pub(crate) mod matcher;
mod partition;
mod recovery;
pub(crate) mod rows;
mod saving;
mod slots;
mod snapshot;
mod spill;
mod standby;
mod store;
#[cfg(test)]
mod tests;

pub use engine::{Engine, Error, Options};
pub use keeping::{Said, Unusable};
pub use matcher::{Completed, Matcher, Place};
pub use snapshot::Snapshot;
pub use store::Lost;
