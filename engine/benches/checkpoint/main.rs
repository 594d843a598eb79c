//! Checkpoints of 1,000,000 open windows: how long one holds the engine, how long it takes to write and to load.
//!
//! Loading is compared with reading as many bytes from a file and filling a hash map with as many entries, in turn.
//! `cargo bench -p engine --bench checkpoint -- 1000000` says how many windows.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::configuration::Change;
use domain::ids::{CustomerId, PARTITIONS, Partition, PatternId, Position, TenantId};
use domain::json::{Json, Object};
use domain::pattern::{Definition, Event};
use domain::time::Stamp;
use engine::runtime::{Matcher, Place, Said};
use eventlog::checkpoint::Checkpoints;

const NAME: &str = "engine";

/// How often each is done.
const ROUNDS: usize = 5;

fn main() {
    let windows = std::env::args().find_map(|arg| arg.parse::<u64>().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let bytes = write(folder.path(), windows).await;
        load(folder.path(), windows, bytes).await;
    });
}

fn tenant() -> TenantId {
    TenantId("acme".into())
}

fn configured() -> Matcher {
    let definition = Definition {
        status: true,
        when: Some(r#"(within 1 hours (count 2 (event (= type "opens"))))"#.into()),
        version: 1,
        ..Definition::default()
    };
    let mut matcher = Matcher::new();
    matcher.configure(
        &tenant(),
        Position(1),
        Change::Pattern(PatternId("PT1".into()), Event::Created(definition)),
    );
    matcher
}

/// A customer's id, as evenly spread as a hash.
fn customer(number: u64) -> CustomerId {
    let mix = |seed: u64| {
        let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let mut id = [0; 16];
    id[..8].copy_from_slice(&mix(number + 1).to_le_bytes());
    id[8..].copy_from_slice(&mix(!number).to_le_bytes());
    CustomerId(id)
}

fn opens() -> Object {
    Json::object([("type", "opens")]).as_object().unwrap().clone()
}

/// A window opens, or closes with a match.
fn feed(matcher: &mut Matcher, event: &Object, number: u64, position: u64) {
    let id = customer(number);
    let place = Place {
        partition: Partition(id.0[0] % PARTITIONS),
        position: Position(position),
        stamp: Stamp(1_700_000_000_000 + position as i64),
    };
    matcher.event(&tenant(), id, place, event, &mut Vec::new()).unwrap();
}

async fn write(folder: &Path, windows: u64) -> usize {
    let checkpoints = Checkpoints::open_engine(folder).unwrap();
    let event = opens();
    println!(
        "written, {windows} windows      hold ms: snapshot, longest event meanwhile | whole write ms | hold / write"
    );
    for _ in 0..ROUNDS {
        checkpoints.forget(NAME).await.unwrap();
        let mut matcher = configured();
        (0..windows).for_each(|number| feed(&mut matcher, &event, number, number + 2));
        let begun = Instant::now();
        let snapshot = matcher.snapshot().unwrap();
        let held = begun.elapsed();
        let writing = tokio::spawn({
            let checkpoints = checkpoints.clone();
            async move { checkpoints.commit_each(NAME, Position(windows + 2), snapshot.changes()).await }
        });
        // Matching goes on, at some 20,000 events a second, and copies what it changes.
        let (mut longest, mut copying, mut position) = (Duration::ZERO, Duration::ZERO, windows + 2);
        while !writing.is_finished() {
            position += 1;
            let event_begun = Instant::now();
            feed(&mut matcher, &event, position.wrapping_mul(0x9e37_79b9) % windows, position);
            let took = event_begun.elapsed();
            (longest, copying) = (longest.max(took), copying + took);
            std::thread::sleep(Duration::from_micros(50));
        }
        writing.await.unwrap().unwrap();
        let whole = begun.elapsed();
        println!(
            "  {:.2}, {:.2} | {:.0} | {:.4} ({} events meanwhile took {:.1} ms)",
            ms(held),
            ms(longest),
            ms(whole),
            (held + longest).as_secs_f64() / whole.as_secs_f64(),
            position - windows - 2,
            ms(copying)
        );
    }
    let (_, rows) = checkpoints.load(NAME).await.unwrap().unwrap();
    let bytes = rows.iter().map(|(key, value)| key.len() + value.len()).sum();
    println!("  {} rows, {bytes} bytes, {:.1} a window", rows.len(), bytes as f64 / windows as f64);
    let file: Vec<u8> = rows.into_iter().flat_map(|(key, value)| [key, value].concat()).collect();
    std::fs::write(folder.join("bytes"), file).unwrap();
    bytes
}

async fn load(folder: &Path, windows: u64, bytes: usize) {
    println!("loaded, {bytes} bytes      ms: reading them and filling a map, loading");
    let (mut floors, mut loads) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let floor = floor(&folder.join("bytes"), windows);
        let begun = Instant::now();
        let checkpoints = Checkpoints::open_engine(folder).unwrap();
        let mut matcher = configured();
        matcher.spill_to(Arc::new(checkpoints.rows(NAME).unwrap()));
        let restore = |(matcher, said): &mut (Matcher, Said), key: &[u8], row: &[u8]| {
            matcher.restore(said, key, row, usize::MAX).unwrap();
            Ok(())
        };
        let loaded = checkpoints.fold(NAME, (matcher, Said::default()), restore).await.unwrap().unwrap();
        let load = begun.elapsed();
        assert!(loaded.1.0.used() > 0);
        println!("  {:.0}, {:.0}", ms(floor), ms(load));
        floors.push(floor);
        loads.push(load);
    }
    floors.sort_unstable();
    loads.sort_unstable();
    let (floor, load) = (floors[ROUNDS / 2], loads[ROUNDS / 2]);
    println!("  medians {:.0}, {:.0}: {:.2}", ms(floor), ms(load), load.as_secs_f64() / floor.as_secs_f64());
}

/// Reads a file and fills a hash map of as many entries as there are windows.
fn floor(file: &Path, windows: u64) -> Duration {
    let begun = Instant::now();
    let bytes = std::fs::read(file).unwrap();
    let mut map: HashMap<(u32, CustomerId), (i64, u64)> = HashMap::new();
    for (number, entry) in (0..windows).zip(bytes.chunks((bytes.len() as u64 / windows).max(16) as usize)) {
        let mut id = customer(number);
        id.0[7] ^= entry[0];
        map.insert((0, id), (number as i64, number));
    }
    let took = begun.elapsed();
    assert!(map.len() as u64 > windows / 2);
    took
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
