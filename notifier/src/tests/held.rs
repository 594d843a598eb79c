//! Sends that a person decides about: held where nobody knows, made once more where they failed for good.

use std::time::Duration;

use domain::ids::ReactionId;
use domain::integration::OnAmbiguous::Hold;
use domain::json::Object;
use domain::reaction::{Effect, Event, Failure, Outcome as Ending, Request};
use eventlog::record::Recorded;

use super::endpoints::{ANN, SMS, notifier, play, play_or_hold, twilio};
use super::stand_in::{Do, StandIn};
use super::world::{Running, SMS as TO_DOUBLE, Stopping, World, names, options, within};
use crate::runtime::{Decided, Options, Redrive};

const PHONE: &str = r#"{"id":"a","phone":"5"}"#;

/// The sends of a trail, as they began.
fn sends(trail: &[(Recorded, Event)]) -> Vec<(&Recorded, &Request)> {
    let begun = trail.iter().filter_map(|(row, event)| match event {
        Event::Effect(Effect::Send(request)) => Some((row, request)),
        _ => None,
    });
    begun.collect()
}

fn key(reaction: ReactionId) -> String {
    format!("{reaction}/0/0")
}

async fn redrive(world: &World, running: &Running, reaction: ReactionId, key: &str) -> Decided {
    let trail = world.trail(reaction).await;
    let sends = sends(&trail);
    let (row, request) = sends.iter().find(|(_, request)| request.key == key).unwrap();
    let redrive = Redrive {
        key: key.to_owned(),
        place: request.place.clone(),
        params: request.params.clone(),
        cause: row.position,
        dry_run: false,
    };
    within(running.handle.redrive(&world.tenant, reaction, redrive, "ops")).await.unwrap()
}

#[tokio::test]
async fn a_send_of_which_nobody_knows_is_held_and_goes_out_again_under_its_key_when_it_is_released() {
    for what in [Do::answer(500, ""), Do::Break, Do::Hang] {
        let there = StandIn::new([what.clone()], Do::answer(201, r#"{"sid":"SM1"}"#)).await;
        let world = World::new().await;
        twilio(&world, Hold).await;
        let running = notifier(&world, &there.url(), options());
        let reaction = world.reaction(&format!("(send {SMS} (retries 3) (within 1 second))"), ANN).await;
        let key = key(reaction);
        assert_eq!(play_or_hold(&world, &running, reaction).await, None, "{what:?}");
        world.advance(3_600_000);
        running.settle().await;
        assert_eq!(there.seen().len(), 1, "{what:?}: it waits for a person");
        // A restart changes nothing.
        running.stop().await;
        let running = notifier(&world, &there.url(), options());
        running.settle().await;
        assert_eq!(there.seen().len(), 1, "{what:?}: it still waits");
        let release = running.handle.release(&world.tenant, reaction, &key, "ops");
        assert_eq!(within(release).await.unwrap(), Decided::Done);
        assert_eq!(play(&world, &running, reaction).await, Ending::Done);
        let trail = world.trail(reaction).await;
        let sends = sends(&trail);
        assert_eq!(sends.len(), 2);
        assert_eq!(sends[0].1.key, sends[1].1.key);
        assert!(sends[1].1.possibly_sent_twice && sends[1].1.released);
        assert_eq!(sends[1].0.metadata.by.as_deref(), Some("ops"));
        let release = running.handle.release(&world.tenant, reaction, &key, "ops");
        assert_eq!(within(release).await.unwrap(), Decided::NotSo);
        running.stop().await;
        world.replays().await;
    }
}

#[tokio::test]
async fn a_held_send_that_is_discarded_has_failed_and_no_tenant_decides_for_another() {
    let there = StandIn::new([], Do::Break).await;
    let world = World::new().await;
    twilio(&world, Hold).await;
    let running = notifier(&world, &there.url(), options());
    let reaction = world.reaction(&format!("(send {SMS} (retries 3))"), ANN).await;
    let key = key(reaction);
    assert_eq!(play_or_hold(&world, &running, reaction).await, None);
    let stranger = "T2".into();
    let discard = running.handle.discard(&stranger, reaction, &key, "thief");
    assert_eq!(within(discard).await.unwrap(), Decided::Missing);
    let discard = running.handle.discard(&world.tenant, reaction, &key, "ops");
    assert_eq!(within(discard).await.unwrap(), Decided::Done);
    let Ending::Failed { reason } = play(&world, &running, reaction).await else { panic!("it is done") };
    assert!(reason.ends_with("discarded by ops"), "{reason}");
    assert_eq!(there.seen().len(), 1);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_send_that_failed_for_good_is_made_once_more_with_its_cause_and_once_only() {
    let world = World::new().await;
    world.twilio.fail(Failure { error: "bad number".into(), ..Failure::default() });
    let running = world.notifier();
    let reaction = world.reaction(&format!("(send {TO_DOUBLE})"), PHONE).await;
    assert!(matches!(world.end(reaction).await, Ending::Failed { .. }));
    assert_eq!(redrive(&world, &running, reaction, &key(reaction)).await, Decided::Done);
    world.until_has(reaction, "send-succeeded", 1).await;
    assert_eq!(redrive(&world, &running, reaction, &key(reaction)).await, Decided::NotSo);
    let trail = world.trail(reaction).await;
    let sends = sends(&trail);
    assert_eq!(sends.len(), 2);
    assert_eq!(sends[1].1.again_of.as_deref(), Some(key(reaction).as_str()));
    assert_eq!(sends[1].0.metadata.cause, Some(sends[0].0.position));
    assert_eq!(sends[0].1.params, sends[1].1.params);
    assert_ne!(sends[0].1.key, sends[1].1.key, "a new send has a key of its own");
    assert_eq!(names(&trail)["reaction-failed"], 1, "what is over stays as it ended");
    let nobody = Redrive {
        key: key(ReactionId([9; 16])),
        place: Default::default(),
        params: Object::new(),
        cause: sends[0].0.position,
        dry_run: false,
    };
    let asked = running.handle.redrive(&world.tenant, ReactionId([9; 16]), nobody, "ops");
    assert_eq!(within(asked).await.unwrap(), Decided::Missing);
    running.stop().await;
    assert_eq!(world.twilio.calls().len(), 2);
    world.replays().await;
}

#[tokio::test]
async fn what_is_made_once_more_survives_a_crash_of_its_own() {
    let world = World::new().await;
    world.twilio.fail(Failure { error: "bad number".into(), ..Failure::default() });
    let running = world.notifier();
    let reaction = world.reaction(&format!("(send {TO_DOUBLE})"), PHONE).await;
    world.end(reaction).await;
    running.stop().await;
    // From here on its place is not kept: the crash finds the table of open reactions as it was.
    let seldom = Options { checkpoint: Duration::from_secs(3_600), ..options() };
    let running = world.notifier_on(world.record.clone(), seldom);
    world.twilio.hang();
    assert_eq!(redrive(&world, &running, reaction, &key(reaction)).await, Decided::Done);
    within(world.twilio.called(2)).await;
    running.settle().await;
    running.crash().await;
    let running = world.notifier();
    world.until_has(reaction, "send-succeeded", 1).await;
    let calls = world.twilio.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[1].idempotency_key, calls[2].idempotency_key);
    assert!(calls[2].possibly_sent_twice);
    running.stop().await;
    world.replays().await;
}

/// Runs a send that is held and released with a crash at the n-th append of the notifier; whether there was one.
async fn run(at: usize, committed: bool) -> bool {
    let world = World::new().await;
    let unsure = Failure { error: "no answer".into(), ambiguous: true, held: true, ..Failure::default() };
    world.twilio.fail(unsure);
    let record = Stopping::new(world.record.clone(), at, committed);
    let reaction = world.reaction(&format!("(send {TO_DOUBLE})"), PHONE).await;
    let mut running = world.notifier_on(record.clone(), options());
    let mut crashed = false;
    let drive = async {
        while !names(&world.trail(reaction).await).contains_key("reaction-done") {
            world.advance(250);
            let key = key(reaction);
            let release = running.handle.release(&world.tenant, reaction, &key, "ops");
            tokio::select! {
                () = record.stopped(), if !crashed => {
                    crashed = true;
                    std::mem::replace(&mut running, world.notifier()).crash().await;
                }
                _ = release => {}
            }
        }
    };
    within(drive).await;
    match crashed {
        true => running.stop().await,
        false => crashed = running.stop_or_crash(&record).await,
    }
    let calls = world.twilio.calls();
    assert!(calls.len() <= 3, "{calls:?}");
    assert!(calls.iter().all(|call| call.idempotency_key == key(reaction)), "one send, one key");
    let flagged: Vec<bool> = calls.iter().map(|call| call.possibly_sent_twice).collect();
    // Who comes back after a crash cannot know whether the first attempt went out: it may say so from the first call on.
    assert!(crashed || !flagged[0], "{flagged:?}");
    assert!(flagged[1..].iter().all(|flag| *flag), "{flagged:?}");
    world.replays().await;
    crashed
}

#[tokio::test]
async fn a_crash_at_any_append_neither_loses_nor_repeats_what_a_person_decided() {
    for committed in [true, false] {
        let mut at = 0;
        while run(at, committed).await {
            at += 1;
        }
        assert!(at >= 4, "started, held, released, done: more appends than {at}");
    }
}
