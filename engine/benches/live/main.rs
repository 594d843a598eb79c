//! The live engine's latency: from an event's commit to its match's commit, beside the bare group commit.
//!
//! First events go through the door alone, then with an engine of 100 patterns behind it, at the same rate, on two
//! threads; a millisecond's events are one call. `cargo bench -p engine --bench live -- 10000 10` says events a second
//! and seconds of each part. The record lies in the folder `CXENGAGE_BENCH_DATA` (default: the system's temporary one).

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::customer_event::Origin;
use domain::dsl::Limits;
use domain::ids::{Position, TenantId};
use domain::json::Json;
use domain::pattern::{self, Pattern};
use domain::reaction::Match;
use engine::runtime::{Engine, Options};
use eventlog::aggregates::Commands;
use eventlog::crypto::Vault;
use eventlog::customer_stream::{Door, Incoming};
use eventlog::record::sqlite::{self, SqliteRecord};
use eventlog::record::{Metadata, Record, Select, StreamId, StreamKind};
use eventlog::testing::{MASTER, TempRecord};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

const PATTERNS: u64 = 100;

const CUSTOMERS: u64 = 2_000;

/// When positions were committed, and how long their calls took.
#[derive(Default)]
struct Commits {
    at: HashMap<Position, Instant>,
    calls: Vec<Duration>,
}

fn main() {
    let mut numbers = std::env::args().filter_map(|arg| arg.parse::<u64>().ok());
    let rate = numbers.next().unwrap_or(10_000);
    let seconds = numbers.next().unwrap_or(10);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(rate, seconds));
}

async fn run(rate: u64, seconds: u64) {
    let home = TempRecord::new();
    let tenant = home.tenant("acme", "who").await;
    let (folder, record) = home.into_parts();
    drop(record);
    let record: Arc<dyn Record> = SqliteRecord::open(folder.path(), sqlite::Options::default()).unwrap();
    let vault = Arc::new(Vault::new(record.clone(), MASTER));
    patterns(&Commands::new(record.clone(), vault.clone()), &tenant).await;
    let door = Arc::new(Door::new(record.clone(), vault.clone()));
    let mut dice = Dice(0x5eed);

    send(&door, &tenant, &mut dice, rate, 1).await;
    let mut bare = send(&door, &tenant, &mut dice, rate, seconds).await;
    tell("group commit alone", &mut bare.calls);

    let checkpoints = eventlog::checkpoint::Checkpoints::open_engine(folder.path()).unwrap();
    let engine = Engine::new(record.clone(), vault.clone(), checkpoints, Options::default());
    let mut progress = engine.progress();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(engine.run(async move { drop(stopped.await) }));
    let head = record.head().borrow().position;
    progress.wait_for(|position| *position >= head).await.unwrap();
    let reached: Arc<Mutex<Vec<(Position, Instant)>>> = Arc::default();
    let watching = tokio::spawn(watch(progress.clone(), reached.clone()));

    let mut with = send(&door, &tenant, &mut dice, rate, seconds).await;
    let end = record.head().borrow().position;
    progress.wait_for(|position| *position >= end).await.unwrap();
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
    watching.await.unwrap();
    tell("group commit beside the engine", &mut with.calls);

    let causes = causes(&record, head).await;
    let reached = reached.lock().unwrap();
    let mut latencies: Vec<Duration> = causes
        .iter()
        .filter_map(|cause| {
            let done = reached.get(reached.partition_point(|(position, _)| position < cause))?.1;
            Some(done.saturating_duration_since(*with.at.get(cause)?))
        })
        .collect();
    tell("event's commit to its match's", &mut latencies);
    println!("p99 is {:.2} of that of the group commit alone", ratio(&latencies, &bare.calls));
    println!("p99 is {:.2} of that of the group commit beside the engine", ratio(&latencies, &with.calls));
}

fn ratio(of: &[Duration], to: &[Duration]) -> f64 {
    percentile(of, 99.0).as_secs_f64() / percentile(to, 99.0).as_secs_f64()
}

async fn patterns(commands: &Commands, tenant: &TenantId) {
    for number in 0..PATTERNS {
        let id = format!("PT{number}");
        let create = pattern::Command::Create {
            name: id.clone(),
            description: None,
            status: true,
            when: Some(format!(r#"(within 1 hours (count 2 (event (= type "t{number}"))))"#)),
            then: Some("(delay 2 minutes)".into()),
            templates: BTreeSet::new(),
            limits: Limits::default(),
        };
        let stream = StreamId::new(tenant, StreamKind::Pattern, &id);
        commands.execute::<Pattern>(stream, create, Metadata::default()).await.unwrap();
    }
}

/// Sends events, a call each millisecond; when each was committed, and how long each call took.
async fn send(door: &Arc<Door>, tenant: &TenantId, dice: &mut Dice, rate: u64, seconds: u64) -> Commits {
    let mut clock = tokio::time::interval(Duration::from_millis(1));
    let mut calls = JoinSet::new();
    for _ in 0..seconds * 1_000 {
        clock.tick().await;
        let incoming: Vec<Incoming> = (0..rate / 1_000).map(|_| event(tenant, dice)).collect();
        let door = door.clone();
        calls.spawn(async move {
            let begun = Instant::now();
            let answers = door.accept(incoming).await;
            (begun, Instant::now(), answers)
        });
    }
    let mut commits = Commits::default();
    while let Some(call) = calls.join_next().await {
        let (begun, ended, answers) = call.unwrap();
        commits.calls.push(ended - begun);
        commits.at.extend(answers.into_iter().map(|answer| (answer.unwrap().position, ended)));
    }
    commits
}

fn event(tenant: &TenantId, dice: &mut Dice) -> Incoming {
    let (who, kind) = (format!("c{}", dice.below(CUSTOMERS)), format!("t{}", dice.below(PATTERNS)));
    Incoming {
        tenant: tenant.clone(),
        event: Json::object([("who", who), ("type", kind)]),
        idempotency_key: None,
        origin: Origin::Rest,
        metadata: Metadata::default(),
    }
}

/// Notes when the engine says that it has come where.
async fn watch(
    mut progress: tokio::sync::watch::Receiver<Position>,
    reached: Arc<Mutex<Vec<(Position, Instant)>>>,
) {
    while progress.changed().await.is_ok() {
        let position = *progress.borrow_and_update();
        reached.lock().unwrap().push((position, Instant::now()));
    }
}

/// The events that completed a match.
async fn causes(record: &Arc<dyn Record>, mut after: Position) -> Vec<Position> {
    let mut causes = Vec::new();
    loop {
        let rows = record.read_after(Select::Domain, after, 10_000).await.unwrap();
        let Some(last) = rows.last() else { return causes };
        after = last.position;
        let matches = rows.iter().filter(|row| row.event_type == Match::TYPE);
        causes.extend(matches.filter_map(|row| row.metadata.cause));
    }
}

fn tell(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent| percentile(times, percent).as_secs_f64() * 1e3;
    println!(
        "{what:32} {:6} times: p50 {:.2} ms, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, all {:.2}",
        times.len(),
        at(50.0),
        at(90.0),
        at(99.0),
        at(99.9),
        at(100.0)
    );
}

/// Of sorted times.
fn percentile(times: &[Duration], percent: f64) -> Duration {
    let place = (times.len() as f64 * percent / 100.0).ceil() as usize;
    times.get(place.saturating_sub(1)).copied().unwrap_or_default()
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
