//! Reactions that only wait are let out of memory, and read back when what they wait for comes: once, and for nothing
//! else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::{Position, ReactionId};
use domain::reaction::{Answer, Outcome as Ending, Success};
use eventlog::record::{Error, Item, Layer, Outcome, Record, Recorded, Select, StreamKind};
use tokio::sync::watch;

use super::world::{SMS, World, names, options, within};
use crate::runtime::Options;

/// A record that counts how often a reaction's stream is begun to be read.
struct Counting {
    inner: Arc<dyn Record>,
    reads: AtomicUsize,
}

impl Counting {
    fn new(world: &World) -> Arc<Self> {
        Arc::new(Self { inner: world.record.clone(), reads: AtomicUsize::new(0) })
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Layer for Counting {
    fn inner(&self) -> &dyn Record {
        &*self.inner
    }

    async fn read_after(
        &self,
        select: Select,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        if after == Position(0) && matches!(&select, Select::Stream(id) if id.kind == StreamKind::Reaction) {
            self.reads.fetch_add(1, Ordering::SeqCst);
        }
        self.inner.read_after(select, after, limit).await
    }
}

const MANY: usize = 40;

/// So many reactions to events `{"id":"c<n>"}`, once each has recorded an entry of that name.
async fn waiting(world: &World, then: &str, opened: &str) -> Vec<ReactionId> {
    let program = world.pattern(then).await;
    let mut reactions = Vec::new();
    for n in 0..MANY {
        let event = world.event(&format!(r#"{{"id":"c{n}","phone":"{n}"}}"#)).await;
        reactions.push(world.matched(program, &[event]).await);
    }
    for reaction in &reactions {
        world.until_has(*reaction, opened, 1).await;
    }
    reactions
}

async fn all_done(world: &World, reactions: &[ReactionId]) {
    for reaction in reactions {
        assert_eq!(world.end(*reaction).await, Ending::Done);
    }
}

#[tokio::test]
async fn what_waits_for_a_time_is_read_back_once_it_has_come() {
    for (awake, expected) in [(0, MANY), (MANY + 1, 0)] {
        let world = World::new().await;
        let record = Counting::new(&world);
        let running = world.notifier_on(record.clone(), Options { awake, ..options() });
        let reactions = waiting(&world, "(seq (delay 1 hours) (set x 1))", "timer-set").await;
        running.settle().await;
        assert_eq!(record.reads(), 0);
        world.advance(3_600_000);
        all_done(&world, &reactions).await;
        assert_eq!(record.reads(), expected);
        running.stop().await;
        world.replays().await;
    }
}

#[tokio::test]
async fn what_waits_for_an_event_is_read_back_for_the_one_that_meets_it_and_no_other() {
    let world = World::new().await;
    let record = Counting::new(&world);
    let running = world.notifier_on(record.clone(), options());
    let then = "(expect (and (= $type \"b\") (= $ref *id*)) (within 1 hours) (success (set got $n)))";
    let reactions = waiting(&world, then, "expect-opened").await;
    for n in 0..MANY {
        world.event(&format!(r#"{{"id":"x","type":"b","ref":"other{n}"}}"#)).await;
    }
    running.settle().await;
    assert_eq!(record.reads(), 0);
    for n in 0..MANY / 2 {
        world.event(&format!(r#"{{"id":"x","type":"b","ref":"c{n}","n":{n}}}"#)).await;
    }
    all_done(&world, &reactions[..MANY / 2]).await;
    assert_eq!(record.reads(), MANY / 2);
    // The others are missed, once something later is there.
    world.advance(3_600_001);
    world.event(r#"{"id":"x","type":"later"}"#).await;
    for reaction in &reactions[MANY / 2..] {
        world.until_has(*reaction, "expect-missed", 1).await;
    }
    assert_eq!(record.reads(), MANY);
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn what_waits_for_its_turn_to_send_is_read_back_when_it_has_it() {
    let world = World::new().await;
    let record = Counting::new(&world);
    let first = world.twilio.wait();
    let running = world.notifier_on(record.clone(), Options { lane: 1, ..options() });
    let reactions = waiting(&world, &format!("(send {SMS})"), "send-begun").await;
    running.settle().await;
    assert_eq!((world.twilio.calls().len(), record.reads()), (1, 0));
    first.send(Answer::Succeeded(Success::default())).unwrap();
    all_done(&world, &reactions).await;
    let mut phones: Vec<_> = within(world.twilio.called(MANY)).await;
    phones.dedup_by_key(|call| call.reaction);
    assert_eq!((phones.len(), record.reads()), (MANY, MANY - 1));
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn one_that_waits_is_there_for_who_asks_for_it() {
    let world = World::new().await;
    let running = world.notifier();
    let reactions = waiting(&world, "(delay 1 hours)", "timer-set").await;
    let cancelled = running.handle.cancel(&world.tenant, reactions[0], "CL1").await.unwrap();
    assert_eq!(cancelled, crate::runtime::Cancelled::Cancelled);
    assert_eq!(world.end(reactions[0]).await, Ending::Cancelled { by: "CL1".into() });
    let other = domain::ids::TenantId::from("T2");
    let missing = running.handle.cancel(&other, reactions[1], "CL1").await.unwrap();
    assert_eq!(missing, crate::runtime::Cancelled::Missing);
    world.advance(3_600_000);
    all_done(&world, &reactions[1..]).await;
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn what_is_missed_comes_before_what_is_met_later_however_much_is_due_at_once() {
    let world = World::new().await;
    let running = world.notifier();
    let then = "(par (expect (= $never 1) (within 1 hours)) (expect (= $ref *id*) (success (send echo message {:message 1}))))";
    let program = world.pattern(then).await;
    // More than are taken at once.
    let event = world.event(r#"{"id":"c"}"#).await;
    world.matches(program, &[event], 700).await;
    let reaction = world.reaction(then, r#"{"id":"last"}"#).await;
    world.until_has(reaction, "expect-opened", 2).await;
    running.settle().await;
    world.advance(3_600_001);
    world.event(r#"{"id":"x","ref":"last"}"#).await;
    let ending = world.end(reaction).await;
    assert!(matches!(&ending, Ending::Failed { reason } if reason.contains("no such event")), "{ending:?}");
    assert!(!names(&world.trail(reaction).await).contains_key("send-begun"));
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn an_event_that_meets_very_many_is_told_to_each_once_before_anything_after_it() {
    let world = World::new().await;
    let running = world.notifier();
    let program = world.pattern(r#"(expect (= $type "go") (within 1 hours))"#).await;
    // Many times more than are told at once; their deadlines do not come in the order in which they are met.
    let mut reactions = Vec::new();
    for _ in 0..2 {
        let event = world.event(r#"{"id":"c"}"#).await;
        let these = world.matches(program, &[event], 750).await;
        for reaction in &these {
            world.until_has(*reaction, "expect-opened", 1).await;
        }
        reactions.extend(these);
        world.advance(1);
    }
    let then = r#"(expect (and (= $type "after") (= $ref *id*)) (within 2 hours))"#;
    let others = waiting(&world, then, "expect-opened").await;
    running.stop().await;
    // It comes in the last moment of the first. What is later than all is there already, and what others wait for: for
    // the second notifier some batches further.
    world.advance(3_599_998);
    world.event(r#"{"id":"x","type":"go"}"#).await;
    world.advance(2);
    for n in 0..MANY {
        world.event(&format!(r#"{{"id":"x","type":"after","ref":"c{n}"}}"#)).await;
    }
    let running = world.notifier();
    world.until_has(reactions[0], "expect-met", 1).await;
    running.crash().await;
    let running = world.notifier_on(world.record.clone(), Options { batch: 16, ..options() });
    all_done(&world, &reactions).await;
    all_done(&world, &others).await;
    for reaction in reactions.iter().chain(&others) {
        assert_eq!(names(&world.trail(*reaction).await)["expect-met"], 1);
    }
    running.stop().await;
    world.replays().await;
}

/// A record whose answers to appends are held back while it is told so.
struct Slow {
    inner: Arc<dyn Record>,
    holds: watch::Sender<bool>,
}

#[async_trait]
impl Layer for Slow {
    fn inner(&self) -> &dyn Record {
        &*self.inner
    }

    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let appended = self.inner.append(items).await;
        let _ = self.holds.subscribe().wait_for(|holds| !holds).await;
        appended
    }
}

#[tokio::test]
async fn what_is_found_met_while_many_are_still_to_be_told_is_told_and_nothing_after_them_is_lost() {
    let world = World::new().await;
    let record = Arc::new(Slow { inner: world.record.clone(), holds: watch::channel(false).0 });
    // Few are written at a time, and nothing waits for the answers.
    let few = Options { batch: 16, checkpoint: Duration::from_secs(3_600), ..options() };
    let running = world.notifier_on(record.clone(), few);
    let program = world.pattern(r#"(expect (= $type "go") (within 2 hours))"#).await;
    let event = world.event(r#"{"id":"c"}"#).await;
    let mut many = world.matches(program, &[event], 1_500).await;
    for reaction in &many {
        world.until_has(*reaction, "expect-opened", 1).await;
    }
    let next = world.reaction(r#"(expect (= $type "next") (within 2 hours))"#, r#"{"id":"next"}"#).await;
    world.until_has(next, "expect-opened", 1).await;
    running.settle().await;
    record.holds.send_replace(true);
    let then = r#"(expect (and (= $type "after") (= $ref *id*)) (within 1 hours))"#;
    let late = world.reaction(then, r#"{"id":"late"}"#).await;
    world.until_has(late, "expect-opened", 1).await;
    // What meets it comes in its last moment, and is read before its notifier knows that it waits.
    world.advance(3_600_000);
    world.event(r#"{"id":"x","type":"after","ref":"late"}"#).await;
    world.advance(1);
    // What meets many, and what comes after it.
    world.event(r#"{"id":"x","type":"go"}"#).await;
    world.event(r#"{"id":"x","type":"next"}"#).await;
    many.sort_unstable();
    world.until_has(many[0], "expect-met", 1).await;
    record.holds.send_replace(false);
    all_done(&world, &[late, next]).await;
    all_done(&world, &many).await;
    running.stop().await;
    world.replays().await;
}

/// A record whose answer to an append is lost on the way, once it is committed, when it is told so.
struct Forgetful {
    inner: Arc<dyn Record>,
    forgets: watch::Sender<bool>,
}

#[async_trait]
impl Layer for Forgetful {
    fn inner(&self) -> &dyn Record {
        &*self.inner
    }

    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let appended = self.inner.append(items).await;
        match self.forgets.send_replace(false) {
            true => Err(Error::Unavailable("the answer is lost".into())),
            false => appended,
        }
    }
}

#[tokio::test]
async fn what_comes_in_while_the_answer_to_an_append_is_lost_is_carried_out() {
    let world = World::new().await;
    let (forgets, mut forgotten) = watch::channel(false);
    let record = Arc::new(Forgetful { inner: world.record.clone(), forgets });
    let answers = [world.twilio.wait(), world.twilio.wait()];
    // Nothing but the loop itself carries on.
    let rarely = Options { checkpoint: Duration::from_secs(3_600), ..options() };
    let running = world.notifier_on(record.clone(), rarely);
    let then = format!("(seq (par (send {SMS}) (send {SMS})) (send {SMS}))");
    let reaction = world.reaction(&then, r#"{"id":"a","phone":"1"}"#).await;
    within(world.twilio.called(2)).await;
    running.settle().await;
    let [first, second] = answers;
    record.forgets.send_replace(true);
    first.send(Answer::Succeeded(Success::default())).unwrap();
    within(forgotten.wait_for(|forgets| !forgets)).await.unwrap();
    second.send(Answer::Succeeded(Success::default())).unwrap();
    assert_eq!(world.end(reaction).await, Ending::Done);
    assert_eq!(world.twilio.calls().len(), 3);
    running.stop().await;
    world.replays().await;
}
