//! A clock that jumps, back and forth by days, and stands still, with crashes in between: every timer fires once, never
//! before its time, and as soon as the record's clock has come to it.

use std::collections::HashMap;

use domain::ids::{Position, ReactionId};
use domain::reaction::{Effect, Event, InputKind};
use domain::time::Stamp;
use eventlog::crypto::Opened;
use eventlog::record::{Select, StreamKind};

use super::world::World;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// How long the timers run: from what is over between two jumps to what lasts over all of them.
const DELAYS: [&str; 6] = ["1 seconds", "59 minutes", "2 hours", "1 days", "30 days", "365 days"];
/// How many reactions wait that long, each.
const EACH: u32 = 40;

/// By how much the clock is moved, step by step; 0: it stands still.
const JUMPS: [i64; 22] = [
    999,
    1,
    -HOUR,
    0,
    HOUR / 2,
    HOUR / 2 + 59 * 60 * SECOND - SECOND,
    -DAY,
    SECOND,
    DAY,
    -HOUR,
    2 * HOUR,
    0,
    DAY,
    -3 * DAY,
    3 * DAY,
    29 * DAY,
    -SECOND,
    DAY,
    -300 * DAY,
    600 * DAY,
    -DAY,
    100 * DAY,
];

/// When a timer was due, and the stamps of all that says that it fired.
type Timers = HashMap<ReactionId, (Stamp, Vec<Stamp>)>;

async fn timers(world: &World) -> Timers {
    let (mut timers, mut after) = (Timers::new(), Position(0));
    loop {
        let rows = world.record.read_after(Select::Domain, after, 1_000).await.unwrap();
        let Some(last) = rows.last() else { return timers };
        after = last.position;
        for row in rows.iter().filter(|row| row.stream.kind == StreamKind::Reaction) {
            let Opened::Clear(clear) = world.vault.open(row).await.unwrap() else { panic!("erased") };
            let id = row.stream.id.parse().unwrap();
            match Event::from_json(&row.event_type, row.event_version, &clear).unwrap() {
                Event::Effect(Effect::SetTimer(timer)) => {
                    assert!(timers.insert(id, (timer.due, Vec::new())).is_none(), "{id}: set twice");
                }
                Event::Input(input) if matches!(input.kind, InputKind::TimerFired { .. }) => {
                    timers.get_mut(&id).expect("it was set").1.push(row.stamp);
                }
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_clock_that_jumps_fires_every_timer_once_and_none_before_its_time() {
    let world = World::new().await;
    let mut running = world.notifier();
    for delay in DELAYS {
        let program = world.pattern(&format!("(delay {delay})")).await;
        let event = world.event(r#"{"id":"a"}"#).await;
        world.matches(program, &[event], EACH).await;
    }
    let all = DELAYS.len() * EACH as usize;
    while timers(&world).await.len() < all {
        running.settle().await;
    }
    // The times that the record's clock has had, in order.
    let mut times = vec![world.record.now()];
    for (n, jump) in JUMPS.into_iter().enumerate() {
        if n % 3 == 2 {
            std::mem::replace(&mut running, world.notifier()).crash().await;
        }
        world.advance(jump);
        let now = world.record.now();
        if now > *times.last().unwrap() {
            times.push(now);
        }
        let due = |timers: &Timers| timers.values().filter(|(due, _)| *due <= now).count();
        let fired = |timers: &Timers| timers.values().filter(|(_, fired)| !fired.is_empty()).count();
        let before = timers(&world).await;
        let expected = due(&before);
        super::world::within(async {
            while fired(&timers(&world).await) < expected {
                running.settled().await;
            }
        })
        .await;
        running.settle().await;
    }
    running.stop().await;
    let timers = timers(&world).await;
    assert_eq!(timers.len(), all);
    for (id, (due, fired)) in &timers {
        let first = times.iter().find(|time| *time >= due).unwrap();
        assert_eq!(fired, &[*first], "{id} was due at {due}");
    }
    world.replays().await;
}
