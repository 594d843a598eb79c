//! Crashes at every point between commit and effect: nothing is lost, and what may have been done twice says so.

use std::collections::HashMap;

use domain::reaction::{Answer, Outcome as Ending, Success};

use super::world::{SMS, Stopping, World, names, options, within};
use crate::runtime::Cancelled;

/// One of everything that is durable.
fn program() -> String {
    format!(
        "(seq (send {SMS} (retries 1)) (delay 1 seconds) (par (send {SMS}) (event {{:id *id* :type \"made\"}})) \
         (await twilio call-status {{:sid \"S\"}} (if (= $ok true) (success (set x 1))) (within 1 hours)) \
         (expect (= $type \"go\") (within 1 hours)) (send {SMS}))"
    )
}

/// Runs the program with a crash at the n-th append of the notifier; whether there was one.
async fn run(at: usize, committed: bool) -> bool {
    let world = World::new().await;
    world.twilio.otherwise([("ok", true)]);
    let record = Stopping::new(world.record.clone(), at, committed);
    let reaction = world.reaction(&program(), r#"{"id":"a","phone":"5"}"#).await;
    let mut running = world.notifier_on(record.clone(), options());
    let mut crashed = false;
    let drive = async {
        let mut went = false;
        loop {
            let trail = world.trail(reaction).await;
            let names = names(&trail);
            if names.contains_key("reaction-done") || names.contains_key("reaction-failed") {
                break;
            }
            if names.contains_key("expect-opened") && !went {
                went = true;
                world.event(r#"{"id":"z","type":"go"}"#).await;
            }
            world.advance(250);
            tokio::select! {
                () = record.stopped(), if !crashed => {
                    crashed = true;
                    std::mem::replace(&mut running, world.notifier()).crash().await;
                }
                _ = running.settled() => {}
            }
        }
    };
    within(drive).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    let mut calls: HashMap<String, Vec<bool>> = HashMap::new();
    for call in world.twilio.calls() {
        if call.verb == "sms" {
            calls.entry(call.idempotency_key).or_default().push(call.possibly_sent_twice);
        }
    }
    assert_eq!(calls.len(), 3, "each send has one key, whatever happens");
    let doubled: Vec<_> = calls.values().filter(|calls| calls.len() > 1).collect();
    assert!(doubled.len() <= 2 && doubled.iter().all(|calls| **calls == [false, true]), "{calls:?}");
    assert_eq!(world.events_of_reactions().await.len(), 1, "an event goes in once");
    match crashed {
        true => running.stop().await,
        false => crashed = running.stop_or_crash(&record).await,
    }
    world.replays().await;
    crashed
}

#[tokio::test]
async fn a_crash_at_any_append_loses_nothing_and_owns_up_to_what_it_may_have_doubled() {
    for committed in [true, false] {
        let mut at = 0;
        while run(at, committed).await {
            at += 1;
        }
        assert!(at >= 8, "the program takes more appends than {at}");
    }
}

#[tokio::test]
async fn a_match_delivered_twice_starts_one_reaction() {
    let world = World::new().await;
    let running = world.notifier();
    let reaction = world.reaction(&format!("(send {SMS})"), r#"{"id":"a","phone":"5"}"#).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    running.stop().await;
    // Without its place it reads everything again.
    world.checkpoints.forget("notifier").await.unwrap();
    let running = world.notifier();
    let next = world.reaction("(set x 1)", r#"{"id":"a"}"#).await;
    assert_eq!(world.end(next).await, Ending::Done);
    running.stop().await;
    assert_eq!(world.twilio.calls().len(), 1);
    assert_eq!(names(&world.trail(reaction).await)["reaction-started"], 1);
}

#[tokio::test]
async fn an_open_reaction_is_found_again_without_the_checkpoint() {
    let world = World::new().await;
    let running = world.notifier();
    let then = "(seq (delay 5 seconds) (expect (= $type \"go\") (within 1 hours)))";
    let reaction = world.reaction(then, r#"{"id":"a"}"#).await;
    world.until_has(reaction, "timer-set", 1).await;
    running.crash().await;
    world.checkpoints.forget("notifier").await.unwrap();
    world.advance(5_000);
    let running = world.notifier();
    world.until_has(reaction, "expect-opened", 1).await;
    running.crash().await;
    world.checkpoints.forget("notifier").await.unwrap();
    // It comes while nobody is there.
    world.event(r#"{"id":"z","type":"go"}"#).await;
    let running = world.notifier();
    assert_eq!(world.end(reaction).await, Ending::Done);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_second_notifier_takes_over_and_the_first_writes_no_more() {
    let world = World::new().await;
    let first = world.notifier();
    let reaction = world.reaction("(delay 5 seconds)", r#"{"id":"a"}"#).await;
    world.until_has(reaction, "timer-set", 1).await;
    let second = world.notifier();
    let other = world.reaction("(set x 1)", r#"{"id":"b"}"#).await;
    assert_eq!(world.end(other).await, Ending::Done);
    world.advance(5_000);
    assert_eq!(world.end(reaction).await, Ending::Done);
    assert!(within(first.task).await.unwrap().is_err(), "fenced");
    second.stop().await;
    assert!(world.folder().exists());
    world.replays().await;
}

#[tokio::test]
async fn a_shutdown_waits_for_what_is_under_way_and_what_hangs_is_taken_up_again() {
    let world = World::new().await;
    let running = world.notifier();
    let answer = world.twilio.wait();
    let quick = world.reaction(&format!("(send {SMS})"), r#"{"id":"a","phone":"5"}"#).await;
    within(world.twilio.called(1)).await;
    world.twilio.hang();
    let hangs = world.reaction(&format!("(send {SMS})"), r#"{"id":"b","phone":"6"}"#).await;
    within(world.twilio.called(2)).await;
    let stop = tokio::spawn(running.stop());
    answer.send(Answer::Succeeded(Success::default())).unwrap();
    within(stop).await.unwrap();
    assert_eq!(world.end(quick).await, Ending::Done);
    assert!(!names(&world.trail(hangs).await).contains_key("send-failed"));
    let running = world.notifier();
    assert_eq!(world.end(hangs).await, Ending::Done);
    let calls = world.twilio.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[1].idempotency_key, calls[2].idempotency_key);
    assert!(calls[2].possibly_sent_twice && names(&world.trail(hangs).await)["send-resumed"] == 1);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_stream_that_does_not_open_ends_that_reaction_and_no_other() {
    let world = World::new().await;
    let running = world.notifier();
    let then = "(delay 5 seconds)";
    let damaged = world.reaction(then, r#"{"id":"a"}"#).await;
    world.until_has(damaged, "timer-set", 1).await;
    running.stop().await;
    // Sealed under a key that is no more: the customer was erased, and came back.
    let customer = world.vault.customer(&world.tenant, "a").await.unwrap();
    world.vault.erase(&world.tenant, customer.id, eventlog::record::Metadata::default()).await.unwrap();
    world.event(r#"{"id":"a"}"#).await;
    let running = world.notifier();
    let good = world.reaction("(set x 1)", r#"{"id":"b"}"#).await;
    assert_eq!(world.end(good).await, Ending::Done);
    let handle = running.handle.cancel(&world.tenant, damaged, "client-1");
    assert_eq!(within(handle).await.unwrap(), Cancelled::Finished);
    running.stop().await;
}
