//! More threads: lines are read in turn by scanners, customers are divided among shards, and each shard takes the
//! scanners' batches in that same turn, so that every customer's events stay in order.

use std::hash::{BuildHasher, Hasher};
use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use rustc_hash::FxBuildHasher;

use super::input::{Block, Blocks};
use super::scan::{Scanned, Tally};
use super::shard::Shard;
use super::{Error, Job, Progress};
use crate::matching::Touched;

/// How many blocks or batches may wait in front of a thread.
const WAITING: usize = 4;

/// Events of one block for one shard.
#[derive(Default)]
struct Batch {
    keys: String,
    touched: Touched,
    events: Vec<Event>,
}

struct Event {
    line: u64,
    time: i64,
    /// Where its key ends, and what it touches: it begins where those of the event before end.
    key_end: usize,
    touched_end: usize,
}

impl Batch {
    fn push(&mut self, event: Scanned<'_>) {
        self.keys.push_str(event.key);
        self.touched.extend_from_slice(event.touched);
        self.events.push(Event {
            line: event.line,
            time: event.time,
            key_end: self.keys.len(),
            touched_end: self.touched.len(),
        });
    }

    fn feed(&self, shard: &mut Shard<'_>) -> Result<(), Error> {
        let (mut key, mut touched) = (0, 0);
        for event in &self.events {
            shard.event(Scanned {
                line: event.line,
                key: self.keys.get(key..event.key_end).unwrap_or_default(),
                time: event.time,
                touched: self.touched.get(touched..event.touched_end).unwrap_or_default(),
            })?;
            (key, touched) = (event.key_end, event.touched_end);
        }
        Ok(())
    }
}

/// Runs a job on as many scanners and shards as it asks for.
pub(super) fn run<'a>(
    job: &Job<'a>,
    mut blocks: Blocks<impl Read>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Tally, Vec<Shard<'a>>), Error> {
    let jobs = job.options.jobs;
    thread::scope(|scope| {
        let mut to_shards: Vec<Vec<SyncSender<Batch>>> = (0..jobs).map(|_| Vec::new()).collect();
        let mut shards = Vec::with_capacity(jobs);
        for _ in 0..jobs {
            let mut from_scanners = Vec::with_capacity(jobs);
            for senders in &mut to_shards {
                let (sender, receiver) = sync_channel(WAITING);
                senders.push(sender);
                from_scanners.push(receiver);
            }
            shards.push(scope.spawn(move || match_batches(job, &from_scanners)));
        }
        let mut to_scanners = Vec::with_capacity(jobs);
        let mut scanners = Vec::with_capacity(jobs);
        for to_shards in to_shards {
            let (sender, receiver) = sync_channel(WAITING);
            to_scanners.push(sender);
            scanners.push(scope.spawn(move || scan_blocks(job, &receiver, &to_shards)));
        }
        let read = hand_out(&mut blocks, &to_scanners, progress);
        drop(to_scanners);
        let mut tally = Tally::default();
        for scanner in scanners {
            tally.add(joined(scanner)?);
        }
        let shards = shards.into_iter().map(joined).collect::<Result<_, _>>();
        read.and(shards).map(|shards| (tally, shards))
    })
}

/// Reads blocks and gives them to the scanners in turn.
fn hand_out(
    blocks: &mut Blocks<impl Read>,
    scanners: &[SyncSender<Block>],
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    for scanner in scanners.iter().cycle() {
        let Some(block) = blocks.next()? else { break };
        progress(blocks.progress());
        if scanner.send(block).is_err() {
            // It ended because a shard failed, whose error is told when it is joined.
            break;
        }
    }
    Ok(())
}

fn scan_blocks(
    job: &Job<'_>,
    blocks: &Receiver<Block>,
    shards: &[SyncSender<Batch>],
) -> Result<Tally, Error> {
    let mut scanner = job.scanner();
    while let Ok(block) = blocks.recv() {
        let mut batches: Vec<Batch> = shards.iter().map(|_| Batch::default()).collect();
        scanner.block(&block, &mut |event| {
            let shard = shard_of(event.key, shards.len());
            if let Some(batch) = batches.get_mut(shard) {
                batch.push(event);
            }
            Ok(())
        })?;
        for (shard, batch) in shards.iter().zip(batches) {
            if shard.send(batch).is_err() {
                return Ok(scanner.tally);
            }
        }
    }
    Ok(scanner.tally)
}

fn shard_of(key: &str, shards: usize) -> usize {
    let mut hasher = FxBuildHasher.build_hasher();
    hasher.write(key.as_bytes());
    // The high bits: the shard's own map uses the low ones.
    ((hasher.finish() >> 32) % shards.max(1) as u64) as usize
}

fn match_batches<'a>(job: &Job<'a>, scanners: &[Receiver<Batch>]) -> Result<Shard<'a>, Error> {
    let mut shard = job.shard();
    for scanner in scanners.iter().cycle() {
        let Ok(batch) = scanner.recv() else { break };
        batch.feed(&mut shard)?;
    }
    Ok(shard)
}

/// Lets all that is open pass and sorts the matches, each shard on a thread of its own.
pub(super) fn finish(shards: &mut [Shard<'_>], until: i64) -> Result<(), Error> {
    thread::scope(|scope| {
        let threads: Vec<_> = shards.iter_mut().map(|shard| scope.spawn(|| shard.finish(until))).collect();
        threads.into_iter().try_for_each(joined)
    })
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T, Error>>) -> Result<T, Error> {
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
