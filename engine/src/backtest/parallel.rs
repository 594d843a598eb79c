//! More threads: lines are read in turn by scanners, customers are divided among shards, and each shard takes the
//! scanners' batches in that same turn, so that every customer's events stay in order.

use std::io::Read;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::batch::Batch;
use super::input::{Block, Blocks};
use super::scan::Tally;
use super::shard::Shard;
use super::{Error, Job, Progress};

/// How many blocks or batches may wait in front of a thread.
const WAITING: usize = 4;

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
        let (done, done_with) = channel();
        let mut to_scanners = Vec::with_capacity(jobs);
        let mut scanners = Vec::with_capacity(jobs);
        for to_shards in to_shards {
            let (sender, receiver) = sync_channel(WAITING);
            to_scanners.push(sender);
            scanners.push(scope.spawn({
                let done = done.clone();
                move || scan_blocks(job, &receiver, &to_shards, &done)
            }));
        }
        let read = hand_out(&mut blocks, &to_scanners, &done_with, progress);
        drop(to_scanners);
        let mut tally = Tally::default();
        for scanner in scanners {
            tally.add(joined(scanner.join()));
        }
        let shards = shards.into_iter().map(|shard| joined(shard.join())).collect::<Result<_, _>>();
        read.and(shards).map(|shards| (tally, shards))
    })
}

/// Reads blocks and gives them to the scanners in turn.
fn hand_out(
    blocks: &mut Blocks<impl Read>,
    scanners: &[SyncSender<Block>],
    done_with: &Receiver<Vec<u8>>,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), Error> {
    for scanner in scanners.iter().cycle() {
        done_with.try_iter().for_each(|bytes| blocks.recycle(bytes));
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
    done: &Sender<Vec<u8>>,
) -> Tally {
    let mut scanner = job.scanner();
    while let Ok(block) = blocks.recv() {
        let mut batches: Vec<Batch> = shards.iter().map(|_| Batch::default()).collect();
        scanner.block(&block, &mut batches);
        if shards.iter().zip(batches).any(|(shard, batch)| shard.send(batch).is_err()) {
            // It failed, and tells why when it is joined.
            break;
        }
        if let Block::Lines { bytes, .. } = block
            && done.send(bytes).is_err()
        {
            break;
        }
    }
    scanner.tally
}

fn match_batches<'a>(job: &Job<'a>, scanners: &[Receiver<Batch>]) -> Result<Shard<'a>, Error> {
    let mut shard = job.shard();
    for scanner in scanners.iter().cycle() {
        let Ok(batch) = scanner.recv() else { break };
        shard.batch(&batch)?;
    }
    Ok(shard)
}

/// Lets all that is open pass and sorts the matches, each shard on a thread of its own.
pub(super) fn finish(shards: &mut [Shard<'_>], until: i64) -> Result<(), Error> {
    if let [only] = shards {
        return only.finish(until);
    }
    thread::scope(|scope| {
        let threads: Vec<_> = shards.iter_mut().map(|shard| scope.spawn(|| shard.finish(until))).collect();
        threads.into_iter().try_for_each(|thread| joined(thread.join()))
    })
}

fn joined<T>(result: thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
