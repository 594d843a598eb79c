//! `cxengage backtest`: what would these patterns have matched in a file of events?
//!
//! The same [`matching`](crate::matching) as live, hosted without a server or a store: lines are read in blocks
//! ([`input`]), each line is checked in full and reduced to what matching needs ([`scan`]), a customer's events go to
//! one shard ([`shard`]), and matches are brought into the order of the output ([`order`]). Nothing is kept for
//! events that no pattern cares about but their customer's last time.

mod batch;
mod customers;
pub mod input;
mod order;
mod parallel;
pub mod patterns;
#[cfg(test)]
mod rough;
mod scan;
mod shard;
mod states;
#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::dsl::when::Trigger;

use crate::matching::{Machine, PatternSet};
use batch::Batch;
use input::{Block, Blocks};
use order::Order;
use scan::{Scanner, Tally};
use shard::Shard;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The patterns: id and checked `when`.
    pub patterns: Vec<(String, Trigger)>,
    /// The attribute that tells customers apart; dotted paths included.
    pub key: String,
    /// The attribute that holds an event's time; dotted paths included.
    pub time_field: String,
    /// Up to when deadlines fire at the end, in milliseconds; the greatest time of the events if left out.
    pub until: Option<i64>,
    /// How many threads match.
    pub jobs: usize,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of events read, after decompression.
    pub bytes: u64,
    /// Lines read.
    pub lines: u64,
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Events matched against the patterns.
    pub events: u64,
    /// Lines that were no event.
    pub skipped: u64,
    /// The first few of them: line number and reason.
    pub first_skipped: Vec<(u64, String)>,
    /// Events without a usable time, which counted as their line number.
    pub without_time: u64,
    /// Matches written.
    pub matches: u64,
    /// Different customers.
    pub customers: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The end is before an event.
    #[error("--until {until} is before the greatest time of the events, {greatest}")]
    UntilTooEarly {
        /// What was asked for.
        until: i64,
        /// What it has to be at least.
        greatest: i64,
    },
    /// The events cannot be read.
    #[error("the events cannot be read after line {line}: {error}")]
    Input {
        /// The last line that was read.
        line: u64,
        /// Why not.
        error: std::io::Error,
    },
    /// What is held for the order of the output cannot be kept in a temporary file.
    #[error("a temporary file failed: {0}")]
    Spill(std::io::Error),
    /// The matches cannot be written.
    #[error("the matches cannot be written: {0}")]
    Output(#[source] std::io::Error),
}

/// Runs patterns over events and writes one JSON line a match, ordered by time, pattern, key and events.
///
/// # Errors
/// Reading, writing, or an end that is too early. What is wrong with single lines is counted in the summary.
pub fn run(
    options: &Options,
    input: impl Read,
    out: impl Write,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, Error> {
    run_holding(options, input, out, progress, order::HELD)
}

fn run_holding(
    options: &Options,
    input: impl Read,
    mut out: impl Write,
    progress: &mut dyn FnMut(Progress),
    held: usize,
) -> Result<Summary, Error> {
    let started = Instant::now();
    // Places in the set are ranks of ids, so that the output's order needs no ids.
    let mut patterns: Vec<_> = options.patterns.iter().collect();
    patterns.sort_by(|a, b| a.0.cmp(&b.0));
    let set = PatternSet::new(patterns.iter().map(|(_, trigger)| Arc::new(Machine::new(trigger))).collect());
    let job = Job { set: &set, options, held: held / options.jobs.max(1) };
    let blocks = Blocks::new(input);
    let (tally, mut shards) =
        if options.jobs > 1 { parallel::run(&job, blocks, progress)? } else { job.run(blocks, progress)? };

    let greatest = shards.iter().filter_map(Shard::greatest).max();
    let until = match (options.until, greatest) {
        (Some(until), Some(greatest)) if until < greatest => {
            return Err(Error::UntilTooEarly { until, greatest });
        }
        (until, greatest) => until.or(greatest).unwrap_or(i64::MIN),
    };
    parallel::finish(&mut shards, until)?;
    let customers = shards.iter().map(Shard::customers).sum();
    let ids: Vec<&str> = patterns.iter().map(|(id, _)| id.as_str()).collect();
    let matches = order::write(shards.into_iter().map(Shard::into_order).collect(), &ids, &mut out)?;
    out.flush().map_err(Error::Output)?;
    Ok(Summary {
        events: tally.events,
        skipped: tally.skipped,
        first_skipped: tally.first_skipped,
        without_time: tally.without_time,
        matches,
        customers,
        elapsed: started.elapsed(),
    })
}

/// What all threads share.
struct Job<'a> {
    set: &'a PatternSet,
    options: &'a Options,
    /// How many bytes of matches one shard may hold.
    held: usize,
}

impl<'a> Job<'a> {
    fn scanner(&self) -> Scanner<'a> {
        Scanner::new(self.set, &self.options.key, &self.options.time_field)
    }

    fn shard(&self) -> Shard<'a> {
        Shard::new(self.set, Order::new(self.held))
    }

    /// Everything on this thread.
    fn run(
        &self,
        mut blocks: Blocks<impl Read>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(Tally, Vec<Shard<'a>>), Error> {
        let (mut scanner, mut shard) = (self.scanner(), self.shard());
        let mut batch = Batch::default();
        while let Some(block) = blocks.next()? {
            scanner.block(&block, slice::from_mut(&mut batch));
            shard.batch(&batch)?;
            batch.clear();
            progress(blocks.progress());
            if let Block::Lines { bytes, .. } = block {
                blocks.recycle(bytes);
            }
        }
        Ok((scanner.tally, vec![shard]))
    }
}
