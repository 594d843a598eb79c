//! Notification augments: a reaction's context is completed before it begins, and nobody waits for that but itself.

use std::sync::Arc;

use async_trait::async_trait;
use domain::augment::{Definition, Kind, Options, Service};
use domain::customer_event::Augmented;
use domain::ids::TenantId;
use domain::json::Object;
use domain::reaction::{Event, InputKind, Outcome as Ending, Started};
use eventlog::augment::{Api, Question};
use tokio::sync::Semaphore;

use super::world::{World, object, within};
use crate::runtime::Cancelled;

/// Answers each question when it is let: what it was asked, by key.
pub(super) struct Slow(pub(super) Semaphore);

#[async_trait]
impl Api for Slow {
    async fn ask(&self, question: Question<'_>) -> Result<Object, String> {
        self.0.acquire().await.map_err(|_| "it has gone away".to_owned())?.forget();
        let mut answer = Object::new();
        answer.set("asked", format!("{}: {}", question.key.unwrap_or("?"), question.attributes));
        answer.set("x", 3_u64);
        Ok(answer)
    }
}

async fn world() -> (World, Arc<Slow>) {
    let world = World::new().await;
    let slow = Arc::new(Slow(Semaphore::new(0)));
    *world.api.lock().unwrap() = Some(slow.clone());
    world.augment("AU1", api(Service::Notification)).await;
    world.augment("AU2", api(Service::Engine)).await;
    (world, slow)
}

pub(super) fn api(service: Service) -> Definition {
    let options = Some(Options { url: "example.com".into(), attributes: vec!["x".into()] });
    Definition { name: "a".into(), kind: Kind::Api, service, options, ..Definition::default() }
}

async fn started(world: &World, reaction: domain::ids::ReactionId) -> Started {
    let trail = world.trail(reaction).await;
    let Event::Input(input) = &trail[1].1 else { panic!("{trail:?}") };
    let InputKind::Started(started) = &input.kind else { panic!("{trail:?}") };
    (**started).clone()
}

const PROGRAM: &str = "(send echo message {:message *asked*})";

#[tokio::test]
async fn a_context_is_completed_and_what_was_added_is_recorded() {
    let (world, slow) = world().await;
    let running = world.notifier();
    let reaction = world.reaction(PROGRAM, r#"{"id":"a","x":1}"#).await;
    slow.0.add_permits(1);
    assert_eq!(world.end(reaction).await, Ending::Done);
    let started = started(&world, reaction).await;
    let added = r#"{"asked":"a: {\"id\":\"a\",\"x\":1}","x":3}"#;
    let context = r#"{"id":"a","x":3,"asked":"a: {\"id\":\"a\",\"x\":1}"}"#;
    assert_eq!(started.context, object(context));
    let augmented: Vec<_> = started.augmented.iter().collect();
    assert_eq!(augmented, [(&"AU1".into(), &Augmented::Added(object(added)))]);
    running.stop().await;
    // A replay folds what is recorded, and asks nobody.
    world.replays().await;
    assert_eq!(slow.0.available_permits(), 0);
}

#[tokio::test]
async fn an_augment_that_fails_leaves_the_context_as_it_was_and_says_why() {
    let (world, slow) = world().await;
    slow.0.close();
    let running = world.notifier();
    let reaction = world.reaction(PROGRAM, r#"{"id":"a","x":1}"#).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    let started = started(&world, reaction).await;
    assert_eq!(started.context, object(r#"{"id":"a","x":1}"#));
    let augmented: Vec<_> = started.augmented.iter().collect();
    assert_eq!(augmented, [(&"AU1".into(), &Augmented::Error("it has gone away".into()))]);
    running.stop().await;
}

#[tokio::test]
async fn who_waits_for_an_augment_holds_nobody_up_and_is_not_lost_in_a_crash() {
    let (mut world, slow) = world().await;
    let running = world.notifier();
    let waiting = world.reaction(PROGRAM, r#"{"id":"a","x":1}"#).await;
    let (tenant, other) = (world.tenant.clone(), TenantId::from("T2"));
    world.new_tenant(&other).await;
    world.tenant = other;
    let quick = world.reaction("(send echo message {})", r#"{"id":"b"}"#).await;
    assert_eq!(world.end(quick).await, Ending::Done);
    world.tenant = tenant;
    for _ in 0..20 {
        world.advance(1_000);
        running.settle().await;
    }
    assert_eq!(world.trail(waiting).await.len(), 1, "it began without its augment");
    running.crash().await;
    let running = world.notifier();
    slow.0.add_permits(1);
    assert_eq!(world.end(waiting).await, Ending::Done);
    running.stop().await;
}

#[tokio::test]
async fn a_reaction_that_is_cancelled_before_it_begins_sends_nothing() {
    let (world, slow) = world().await;
    let running = world.notifier();
    let reaction = world.reaction(PROGRAM, r#"{"id":"a","x":1}"#).await;
    running.settle().await;
    let handle = running.handle.clone();
    let tenant = world.tenant.clone();
    let cancelling = tokio::spawn(async move { handle.cancel(&tenant, reaction, "ann").await });
    running.settle().await;
    slow.0.add_permits(1);
    assert_eq!(within(cancelling).await.unwrap().unwrap(), Cancelled::Cancelled);
    assert!(matches!(world.end(reaction).await, Ending::Cancelled { .. }));
    running.stop().await;
}
