//! Every command and option, from the match to its end in the log.

use domain::customer_event::Origin;
use domain::ids::{Position, ReactionId, TenantId};
use domain::json::Json;
use domain::reaction::{Answer, Event, Failure, Input, InputKind, Outcome as Ending, Success};
use eventlog::record::Recorded;

use super::world::{SMS, World, context, inputs, names, object, options, within};
use crate::runtime::{Cancelled, Options};

fn failed(reason: &str) -> Ending {
    Ending::Failed { reason: reason.to_owned() }
}

fn failure(error: &str) -> Failure {
    Failure { error: error.to_owned(), retryable: true, ..Failure::default() }
}

#[tokio::test]
async fn a_match_is_answered_with_its_events_merged_and_every_entry_names_its_cause() {
    let world = World::new().await;
    let running = world.notifier();
    world.template("TM1", 0, "Hi {{name}}, {{> TM2}}").await;
    world.template("TM2", 0, "bye").await;
    let program = world.pattern("(send echo message {:message *x*} (template {:message +TM1}))").await;
    let first = world.event(r#"{"id":"a","name":"Ann","x":1}"#).await;
    let second = world.event(r#"{"id":"a","x":2}"#).await;
    let reaction = world.matched(program, &[first, second]).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    let trail = world.trail(reaction).await;
    assert_eq!(context(&trail), object(r#"{"id":"a","name":"Ann","x":2}"#));
    let names: Vec<&str> = trail.iter().map(|(row, _)| row.event_type.as_str()).collect();
    assert_eq!(
        names,
        ["match-completed", "reaction-started", "send-begun", "send-succeeded", "reaction-done"]
    );
    let Event::Input(input) = &trail[3].1 else { panic!() };
    let InputKind::Answered { answer: Answer::Succeeded(success), .. } = &input.kind else { panic!() };
    assert_eq!(success.response.get("message"), Some(&Json::from("Hi Ann, bye")));
    let at = |n: usize| Some(trail[n].0.position);
    let causes: Vec<_> = trail.iter().map(|(row, _)| row.metadata.cause).collect();
    assert_eq!(causes, [Some(second), at(0), at(0), at(2), at(2)]);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_send_is_tried_again_after_waits_that_double_and_never_less_than_the_endpoint_asks() {
    let world = World::new().await;
    let running = world.notifier();
    world.twilio.fail(failure("busy"));
    world.twilio.fail(Failure { retry_after_ms: Some(30_000), ..failure("busy") });
    world.twilio.succeed([("status", "sent")]);
    let reaction = world.reaction(&format!("(send {SMS} (retries 3))"), r#"{"id":"a","phone":"5"}"#).await;
    for (attempt, least, most) in [(1, 1_000, 1_200), (2, 30_000, 30_000)] {
        world.until_has(reaction, "timer-set", attempt).await;
        let calls = world.twilio.calls().len();
        assert_eq!(calls, attempt);
        world.advance(least - 1);
        running.settle().await;
        assert_eq!(world.twilio.calls().len(), attempt, "never early");
        world.advance(most - least + 1);
        within(world.twilio.called(attempt + 1)).await;
    }
    assert_eq!(world.end(reaction).await, Ending::Done);
    let calls = world.twilio.calls();
    assert!(calls.iter().all(|call| call.idempotency_key == calls[0].idempotency_key));
    assert_eq!(calls.iter().map(|call| call.attempt).collect::<Vec<_>>(), [1, 2, 3]);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn what_no_retry_can_mend_is_not_tried_again_and_an_endpoint_that_is_not_there_says_so() {
    let world = World::new().await;
    let running = world.notifier();
    world.twilio.fail(Failure { retryable: false, ..failure("bad number") });
    let reaction = world.reaction(&format!("(send {SMS} (retries 3))"), r#"{"id":"a","phone":"5"}"#).await;
    assert!(matches!(world.end(reaction).await, Ending::Failed { reason } if reason.contains("bad number")));
    assert_eq!(world.twilio.calls().len(), 1);
    let then = "(send zendesk ticket {:subject \"s\" :message \"m\"} (retries 3))";
    let absent = world.reaction(then, r#"{"id":"a"}"#).await;
    let ending = world.end(absent).await;
    assert!(
        matches!(&ending, Ending::Failed { reason } if reason.contains("integration zendesk is not set up")),
        "{ending:?}"
    );
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn an_attempt_ends_with_its_time_and_the_late_answer_is_recorded_and_ignored() {
    let world = World::new().await;
    let late = world.twilio.wait();
    world.twilio.succeed([("status", "sent")]);
    let options =
        Options { rules: domain::reaction::Rules { send_limit_ms: 20, ..Default::default() }, ..options() };
    let running = world.notifier_on(world.record.clone(), options);
    let reaction = world.reaction(&format!("(send {SMS} (retries 1))"), r#"{"id":"a","phone":"5"}"#).await;
    world.until_has(reaction, "send-failed", 1).await;
    late.send(Answer::Succeeded(Success::default())).unwrap();
    world.until_has(reaction, "send-succeeded", 1).await;
    world.advance(1_200);
    assert_eq!(world.end(reaction).await, Ending::Done);
    let trail = world.trail(reaction).await;
    let timed_out = inputs(&trail).iter().any(|input| {
        matches!(&input.kind, InputKind::Answered { answer: Answer::Failed(f), .. } if f.timed_out && f.ambiguous)
    });
    assert!(timed_out && names(&trail)["send-succeeded"] == 2);
    let calls = world.twilio.calls();
    assert_eq!(
        calls.iter().map(|call| call.possibly_sent_twice).collect::<Vec<_>>(),
        [false, true],
        "the first may have had its effect"
    );
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_block_begins_again_from_its_first_member_and_failure_options_take_what_is_left() {
    let world = World::new().await;
    let running = world.notifier();
    world.twilio.succeed([("status", "sent")]);
    world.twilio.fail(failure("no"));
    world.twilio.succeed([("status", "sent")]);
    world.twilio.fail(failure("no"));
    let then = format!(
        "(seq (send {SMS}) (send {SMS}) (retries 1) (failure (send echo message {{:message \"gave up\"}})))"
    );
    let reaction = world.reaction(&then, r#"{"id":"a","phone":"5"}"#).await;
    world.until_has(reaction, "timer-set", 1).await;
    world.advance(1_200);
    assert_eq!(world.end(reaction).await, Ending::Done);
    let keys: Vec<String> = world.twilio.calls().into_iter().map(|call| call.idempotency_key).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys[0] != keys[2] && keys[1] != keys[3], "another attempt group: {keys:?}");
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn members_of_a_par_run_at_once_and_a_delay_among_them_is_a_least_time() {
    let world = World::new().await;
    let running = world.notifier();
    let then = format!("(par (send {SMS}) (send {SMS}) (delay 2 seconds) (success (set x 1)))");
    let (one, two) = (world.twilio.wait(), world.twilio.wait());
    let reaction = world.reaction(&then, r#"{"id":"a","phone":"5"}"#).await;
    within(world.twilio.called(2)).await;
    two.send(Answer::Succeeded(Success::default())).unwrap();
    one.send(Answer::Succeeded(Success::default())).unwrap();
    world.until_has(reaction, "send-succeeded", 2).await;
    world.advance(1_999);
    running.settle().await;
    assert!(!names(&world.trail(reaction).await).contains_key("timer-fired"));
    world.advance(1);
    assert_eq!(world.end(reaction).await, Ending::Done);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn an_expect_is_met_by_the_first_event_of_the_tenant_after_it() {
    let world = World::new().await;
    let running = world.notifier();
    let program = world
        .pattern("(expect (and (= $ref *ref*) (= $type \"b\")) (within 5 seconds) (success (set got $n)))")
        .await;
    let event = world.event(r#"{"id":"a","ref":7,"type":"b","n":0}"#).await;
    let before = world.event(r#"{"id":"c","ref":"7","type":"b","n":1}"#).await;
    let reaction = world.matched(program, &[event]).await;
    world.until_has(reaction, "expect-opened", 1).await;
    world.event(r#"{"id":"c","ref":"8","type":"b","n":2}"#).await;
    world.event(r#"{"id":"c","ref":"7","type":"c","n":3}"#).await;
    let meets = world.event(r#"{"id":"z","ref":"7","type":"b","n":4}"#).await;
    world.event(r#"{"id":"z","ref":"7","type":"b","n":5}"#).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    assert!(before < meets);
    let trail = world.trail(reaction).await;
    let met = trail.iter().find(|(row, _)| row.event_type == "expect-met").unwrap();
    assert_eq!(met.0.metadata.cause, Some(meets));
    assert_eq!(names(&trail)["variable-set"], 1);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn an_expect_is_missed_when_something_later_is_read_even_if_only_a_mark() {
    let world = World::new().await;
    let running = world.notifier();
    let then = "(expect (= $never 1) (within 5 seconds) (failure (send echo message {:message \"no\"})))";
    let reaction = world.reaction(then, r#"{"id":"a"}"#).await;
    world.until_has(reaction, "expect-opened", 1).await;
    world.advance(5_000);
    running.settle().await;
    assert!(!names(&world.trail(reaction).await).contains_key("expect-missed"), "its last moment counts");
    world.advance(1);
    assert_eq!(world.end(reaction).await, Ending::Done);
    let rows = world.record.read_after(eventlog::record::Select::All, Position(0), 1_000).await.unwrap();
    let marks: Vec<_> =
        rows.iter().filter(|row| row.stream.kind == eventlog::record::StreamKind::Mark).collect();
    assert_eq!(marks.len(), 1);
    assert!(marks[0].config.is_some());
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn an_event_in_the_very_moment_of_a_deadline_is_in_time() {
    let world = World::new().await;
    let running = world.notifier();
    let both = "(par (expect (= $ref 1) (within 1 hours)) (expect (= $ref 2) (within 1 hours)))";
    let met = world.reaction(both, r#"{"id":"a"}"#).await;
    let missed = world.reaction("(expect (= $ref 3) (within 1 hours))", r#"{"id":"a"}"#).await;
    for (reaction, times) in [(met, 2), (missed, 1)] {
        world.until_has(reaction, "expect-opened", times).await;
    }
    let head = world.record.head().borrow().position;
    world.advance(3_600_000);
    running.settle().await;
    assert_eq!(world.record.head().borrow().position, head, "no mark yet");
    for reference in [1, 2] {
        world.event(&format!(r#"{{"id":"b","ref":{reference}}}"#)).await;
    }
    assert_eq!(world.end(met).await, Ending::Done);
    world.advance(1);
    world.until_has(missed, "expect-missed", 1).await;
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn only_so_many_expects_without_an_equality_may_be_open() {
    let world = World::new().await;
    let running = world.notifier_on(world.record.clone(), Options { unindexed_expects: 1, ..options() });
    let program = world.pattern("(expect (> $n 5) (within 1 hours))").await;
    let mut reactions = Vec::new();
    for id in ["a", "b"] {
        let event = world.event(&format!(r#"{{"id":"{id}"}}"#)).await;
        reactions.push(world.matched(program, &[event]).await);
        world.until_has(reactions[reactions.len() - 1], "expect-opened", 1).await;
    }
    let ending = world.end(reactions[1]).await;
    assert!(
        matches!(&ending, Ending::Failed { reason } if reason.contains("open in this tenant")),
        "{ending:?}"
    );
    world.event(r#"{"id":"c","n":6}"#).await;
    assert_eq!(world.end(reactions[0]).await, Ending::Done);
    running.stop().await;
}

/// How many answers that were no news came before each that is recorded.
fn unchanged(trail: &[(Recorded, Event)]) -> Vec<u32> {
    let polled = |input: &&Input| match input.kind {
        InputKind::Polled { unchanged, .. } => Some(unchanged),
        _ => None,
    };
    inputs(trail).iter().filter_map(polled).collect()
}

#[tokio::test]
async fn an_await_asks_once_a_second_and_records_only_what_is_news() {
    let world = World::new().await;
    let running = world.notifier();
    for answer in ["queued", "queued", "queued", "ringing"] {
        world.twilio.succeed([("call-status", answer)]);
    }
    world.twilio.fail(failure("away"));
    world.twilio.succeed([("call-status", "answered")]);
    let then = "(await twilio call-status {:sid \"S\"} (if (= $call-status \"answered\") \
                (success (set done true)) (failure (set done false))) (within 1 minutes))";
    let reaction = world.reaction(then, r#"{"id":"a"}"#).await;
    for asked in 1..6 {
        within(world.twilio.called(asked)).await;
        running.settle().await;
        assert_eq!(world.twilio.calls().len(), asked, "one second after the answer before");
        world.advance(1_000);
    }
    assert_eq!(world.end(reaction).await, Ending::Done);
    let trail = world.trail(reaction).await;
    assert_eq!(unchanged(&trail), [0, 2, 0, 0]);
    let keys: std::collections::BTreeSet<String> =
        world.twilio.calls().into_iter().map(|call| call.idempotency_key).collect();
    assert_eq!(keys.len(), 6, "each poll has a key of its own");
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn an_await_ends_with_its_time_and_its_last_answer_is_recorded() {
    let world = World::new().await;
    let running = world.notifier();
    for _ in 0..3 {
        world.twilio.succeed([("call-status", "queued")]);
    }
    let then = "(await twilio call-status {:sid \"S\"} (if (= $call-status \"answered\") \
                (success (set done true)) (failure (set done false))) (within 3 seconds))";
    let reaction = world.reaction(then, r#"{"id":"a"}"#).await;
    for asked in 1..=3 {
        within(world.twilio.called(asked)).await;
        running.settle().await;
        world.advance(1_000);
    }
    assert_eq!(world.end(reaction).await, Ending::Done);
    let trail = world.trail(reaction).await;
    assert_eq!(unchanged(&trail), [0, 1], "the first, and the last with one between");
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn an_event_of_a_reaction_goes_in_with_its_step_and_remembers_where_it_came_from() {
    let world = World::new().await;
    let running = world.notifier();
    let then = "(event {:id *id* :type \"made\"} (success (send echo message {:message $id})))";
    let reaction = world.reaction(then, r#"{"id":"a"}"#).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    let made = world.events_of_reactions().await;
    assert_eq!(made.len(), 1);
    assert!(matches!(&made[0].origin, Origin::Reaction { reaction: by, depth: 1, .. } if *by == reaction));
    let refused = world.reaction("(event {:type \"no key\"})", r#"{"id":"a"}"#).await;
    let ending = world.end(refused).await;
    assert!(matches!(&ending, Ending::Failed { reason } if reason.contains("key attribute")), "{ending:?}");
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_chain_of_events_is_cut_at_its_limit() {
    let world = World::new().await;
    let running = world.notifier();
    let program = world.pattern("(event {:id *id* :type \"again\"})").await;
    for (depth, goes) in [(31, true), (32, false)] {
        let origin = Origin::Reaction { reaction: ReactionId([9; 16]), place: "0".into(), depth };
        let event = world.event_from(&world.tenant, r#"{"id":"a"}"#, origin).await;
        let reaction = world.matched(program, &[event]).await;
        let ending = world.end(reaction).await;
        match ending {
            Ending::Done => assert!(goes),
            Ending::Failed { reason } => assert!(!goes && reason.contains("chain is cut"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    let deepest = world.events_of_reactions().await.iter().map(|event| event.origin.depth()).max();
    assert_eq!(deepest, Some(32));
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_cancel_ends_a_reaction_once_and_the_answer_under_way_is_still_recorded() {
    let world = World::new().await;
    let running = world.notifier();
    let answer = world.twilio.wait();
    let reaction = world.reaction(&format!("(send {SMS})"), r#"{"id":"a","phone":"5"}"#).await;
    within(world.twilio.called(1)).await;
    let cancel = |tenant: TenantId| {
        let handle = running.handle.clone();
        async move { within(handle.cancel(&tenant, reaction, "client-1")).await.unwrap() }
    };
    assert_eq!(cancel(TenantId::from("T2")).await, Cancelled::Missing);
    assert_eq!(cancel(world.tenant.clone()).await, Cancelled::Cancelled);
    assert_eq!(cancel(world.tenant.clone()).await, Cancelled::Already);
    assert_eq!(world.end(reaction).await, Ending::Cancelled { by: "client-1".into() });
    answer.send(Answer::Succeeded(Success::default())).unwrap();
    world.until_has(reaction, "send-succeeded", 1).await;
    let done = world.reaction("(set x 1)", r#"{"id":"a"}"#).await;
    assert_eq!(world.end(done).await, Ending::Done);
    let cancel_done = running.handle.cancel(&world.tenant, done, "client-1");
    assert_eq!(within(cancel_done).await.unwrap(), Cancelled::Finished);
    let missing = running.handle.cancel(&world.tenant, ReactionId([0; 16]), "client-1");
    assert_eq!(within(missing).await.unwrap(), Cancelled::Missing);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn poison_fails_with_its_reason_and_holds_up_nobody() {
    let world = World::new().await;
    let running = world.notifier();
    let event = world.event(r#"{"id":"a"}"#).await;
    let broken = world.pattern("(send nowhere to-nobody").await;
    let broken = world.matched(broken, &[event]).await;
    let nowhere = world.matched(Position(1), &[event]).await;
    let good = world.reaction("(set x 1)", r#"{"id":"a"}"#).await;
    assert_eq!(world.end(good).await, Ending::Done);
    let ending = world.end(broken).await;
    assert!(matches!(&ending, Ending::Failed { reason } if reason.contains("parse")), "{ending:?}");
    assert_eq!(world.end(nowhere).await, failed("the pattern's event at 1 is not there"));
    running.stop().await;
}

#[tokio::test]
async fn a_reaction_finishes_on_the_program_and_templates_that_it_began_with() {
    let world = World::new().await;
    let running = world.notifier();
    world.template("TM1", 0, "old").await;
    let then = "(seq (delay 1 seconds) (send echo message {} (template {:message +TM1})))";
    // The same program for both: what was read of it and its templates is kept.
    let program = world.pattern(then).await;
    let event = world.event(r#"{"id":"a"}"#).await;
    let reaction = world.matched(program, &[event]).await;
    world.until_has(reaction, "timer-set", 1).await;
    world.template("TM1", 1, "new").await;
    let event = world.event(r#"{"id":"b"}"#).await;
    let later = world.matched(program, &[event]).await;
    world.until_has(later, "timer-set", 1).await;
    running.crash().await;
    let running = world.notifier();
    world.advance(1_000);
    for (reaction, said) in [(reaction, "old"), (later, "new")] {
        assert_eq!(world.end(reaction).await, Ending::Done);
        let trail = world.trail(reaction).await;
        let heard = inputs(&trail).iter().any(|input| {
            matches!(&input.kind, InputKind::Answered { answer: Answer::Succeeded(success), .. }
                if success.response.get("message") == Some(&Json::from(said)))
        });
        assert!(heard, "{said}");
    }
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn an_erased_customer_s_reaction_ends_and_says_why() {
    let world = World::new().await;
    let running = world.notifier();
    let event = world.event(r#"{"id":"a"}"#).await;
    let program = world.pattern("(delay 1 seconds)").await;
    let reaction = world.matched(program, &[event]).await;
    world.until_has(reaction, "timer-set", 1).await;
    running.stop().await;
    let customer = world.vault.customer(&world.tenant, "a").await.unwrap();
    world.vault.erase(&world.tenant, customer.id, eventlog::record::Metadata::default()).await.unwrap();
    let running = world.notifier();
    let good = world.reaction("(set x 1)", r#"{"id":"b"}"#).await;
    assert_eq!(world.end(good).await, Ending::Done);
    let stream = eventlog::record::StreamId::new(
        &world.tenant,
        eventlog::record::StreamKind::Reaction,
        reaction.to_string(),
    );
    let select = eventlog::record::Select::Stream(stream);
    let last = world.record.read_before(select, None, 1).await.unwrap().pop().unwrap();
    assert_eq!((last.event_type.as_str(), last.customer), ("reaction-failed", None));
    assert!(String::from_utf8(last.payload).unwrap().contains("erased"));
    running.stop().await;
    assert_eq!(world.replays().await.erased, 1);
}

#[tokio::test]
async fn a_thousand_hanging_sends_of_one_tenant_do_not_delay_another_s() {
    let world = World::new().await;
    let quiet = TenantId::from("T2");
    world.new_tenant(&quiet).await;
    let running = world.notifier();
    let program = world.pattern(&format!("(par {})", format!("(send {SMS})").repeat(40))).await;
    (0..1_000).for_each(|_| world.twilio.hang());
    for n in 0..25 {
        let event = world.event(&format!(r#"{{"id":"{n}","phone":"5"}}"#)).await;
        world.matched(program, &[event]).await;
    }
    within(world.twilio.called(32)).await;
    running.settle().await;
    assert_eq!(world.twilio.calls().len(), 32, "the lane is full");
    let stream = eventlog::record::StreamId::new(&quiet, eventlog::record::StreamKind::Pattern, "PT1");
    let definition =
        domain::pattern::Definition { then: Some(format!("(send {SMS})")), ..Default::default() };
    let payload = serde_json::to_vec(&domain::pattern::Event::Created(definition)).unwrap();
    let new = eventlog::record::NewEvent {
        event_type: "pattern-created",
        event_version: 1,
        payload,
        event_id: None,
        configures: true,
    };
    let write = eventlog::record::Write {
        stream,
        expect: eventlog::record::Expect::Version(0),
        customer: None,
        partition: None,
        events: vec![new],
    };
    let item = eventlog::record::Item { writes: vec![write], ..Default::default() };
    let (program, _) = world.append(item).await;
    let event = world.event_from(&quiet, r#"{"id":"q","phone":"6"}"#, Origin::Rest).await;
    world.matched_for(&quiet, program, &[event]).await;
    let calls = within(world.twilio.called(33)).await;
    assert_eq!(calls[32].tenant, quiet);
    running.crash().await;
}
