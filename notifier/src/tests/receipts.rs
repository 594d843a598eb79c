//! Receipts on their way into the log: with the customer event that they become, once each, whatever comes between.

use std::sync::Arc;

use domain::augment::Service;
use domain::customer_event::Origin;
use domain::ids::{Position, ReactionId, TenantId};
use domain::json::{Json, Object};
use domain::reaction::{Effect, Event, InputKind, Outcome as Ending, Receipt};
use eventlog::record::Select;
use tokio::sync::Semaphore;

use super::augments::{Slow, api};
use super::world::{Running, SMS, World, options, within};
use crate::runtime::{Options, Taken};

const ANN: &str = r#"{"id":"ann","phone":"5"}"#;

fn receipt(reaction: ReactionId, status: &str) -> Receipt {
    let mut said = Object::new();
    said.set("MessageStatus", status);
    Receipt {
        key: format!("{reaction}/0/0"),
        place: "0".parse().unwrap(),
        endpoint: "twilio".to_owned(),
        id: format!("SM1/{status}"),
        status: status.to_owned(),
        message_id: "SM1".to_owned(),
        said,
        event: None,
        refused: None,
    }
}

/// Where the reaction's send began.
async fn begun(world: &World, reaction: ReactionId) -> Position {
    let trail = world.trail(reaction).await;
    let begun = trail.iter().find(|(_, event)| matches!(event, Event::Effect(Effect::Send(_))));
    begun.expect("it was sent").0.position
}

async fn take(world: &World, running: &Running, reaction: ReactionId, status: &str) -> Taken {
    let cause = begun(world, reaction).await;
    within(async {
        loop {
            // Just started, it has not read again where it was.
            let taken =
                running.handle.receipt(&world.tenant, reaction, receipt(reaction, status), cause).await;
            match taken {
                Ok(taken) => return taken,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(2)).await,
            }
        }
    })
    .await
}

/// The receipts of a reaction's trail.
async fn receipts(world: &World, reaction: ReactionId) -> Vec<Receipt> {
    let trail = world.trail(reaction).await.into_iter();
    let receipts = trail.filter_map(|(_, event)| match event {
        Event::Input(input) => match input.kind {
            InputKind::ReceiptCame(receipt) => Some(*receipt),
            _ => None,
        },
        _ => None,
    });
    receipts.collect()
}

#[tokio::test]
async fn a_receipt_is_in_the_trail_and_a_customer_event_once_also_after_the_end_and_a_restart() {
    let world = World::new().await;
    let running = world.notifier();
    let reaction = world.reaction(&format!("(send {SMS})"), ANN).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    assert_eq!(take(&world, &running, reaction, "sent").await, Taken::Recorded);
    assert_eq!(take(&world, &running, reaction, "sent").await, Taken::Known);
    running.stop().await;
    let running = world.notifier();
    assert_eq!(take(&world, &running, reaction, "sent").await, Taken::Known, "after a restart");
    assert_eq!(take(&world, &running, reaction, "delivered").await, Taken::Recorded);
    let kept = receipts(&world, reaction).await;
    assert_eq!(kept.iter().map(|receipt| receipt.status.as_str()).collect::<Vec<_>>(), ["sent", "delivered"]);
    let events: Vec<_> = world.events_of_reactions().await;
    assert_eq!(events.len(), 2, "each became an event, with it");
    for (event, receipt) in events.iter().zip(&kept) {
        assert_eq!(Some(event.id), receipt.event);
        assert_eq!((event.key.as_str(), event.origin.depth()), ("ann", 1));
        assert!(matches!(&event.origin, Origin::Reaction { reaction: of, .. } if *of == reaction));
        let get = |name: &str| event.event.get(name).and_then(Json::as_text).unwrap_or_default();
        assert_eq!((get("type"), get("endpoint"), get("message-id")), ("receipt", "twilio", "SM1"));
        assert_eq!((get("status"), get("id")), (receipt.status.as_str(), "ann"));
        assert_eq!(get("idempotency-key"), receipt.key);
    }
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn no_tenant_takes_in_receipts_for_another_and_none_is_taken_for_what_is_not_there() {
    let world = World::new().await;
    let other = TenantId::from("T2");
    world.new_tenant(&other).await;
    let running = world.notifier();
    let reaction = world.reaction(&format!("(send {SMS})"), ANN).await;
    assert_eq!(world.end(reaction).await, Ending::Done);
    let cause = begun(&world, reaction).await;
    for (tenant, of) in [(&other, reaction), (&world.tenant, ReactionId([9; 16]))] {
        let taken = running.handle.receipt(tenant, of, receipt(of, "sent"), cause);
        assert_eq!(within(taken).await.unwrap(), Taken::Missing);
    }
    assert!(receipts(&world, reaction).await.is_empty());
    // Nor for one that goes on, in memory or not.
    running.stop().await;
    for awake in [0, 10] {
        let running = world.notifier_on(world.record.clone(), Options { awake, ..options() });
        let open = world.reaction(&format!("(seq (send {SMS}) (delay 1 day))"), ANN).await;
        world.until_has(open, "timer-set", 1).await;
        let cause = begun(&world, open).await;
        let taken = running.handle.receipt(&other, open, receipt(open, "sent"), cause);
        assert_eq!(within(taken).await.unwrap(), Taken::Missing);
        assert!(receipts(&world, open).await.is_empty());
        running.stop().await;
    }
}

#[tokio::test]
async fn many_receipts_at_once_are_each_taken_once_while_the_reaction_goes_on() {
    let world = World::new().await;
    let running = world.notifier();
    let reaction = world.reaction(&format!("(seq (send {SMS}) (delay 1 day))"), ANN).await;
    world.until_has(reaction, "timer-set", 1).await;
    let cause = begun(&world, reaction).await;
    let statuses: Vec<String> = (0..50).map(|n| format!("s{}", n % 10)).collect();
    let all = statuses.iter().map(|status| {
        let receipt = receipt(reaction, status);
        running.handle.receipt(&world.tenant, reaction, receipt, cause)
    });
    let taken = within(futures_util::future::join_all(all)).await;
    let recorded = taken.iter().filter(|taken| **taken == Ok(Taken::Recorded)).count();
    assert_eq!((recorded, taken.iter().filter(|taken| **taken == Ok(Taken::Known)).count()), (10, 40));
    assert_eq!(receipts(&world, reaction).await.len(), 10);
    assert_eq!(world.events_of_reactions().await.len(), 10, "no event without its receipt");
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_reaction_whose_receipt_is_at_the_door_is_there_when_it_comes_in() {
    let world = World::new().await;
    let slow = Arc::new(Slow(Semaphore::new(0)));
    *world.api.lock().unwrap() = Some(slow.clone());
    world.augment("AU1", api(Service::Engine)).await;
    let running = world.notifier();
    let reaction = world.reaction(&format!("(seq (send {SMS}) (delay 1 day))"), ANN).await;
    world.until_has(reaction, "timer-set", 1).await;
    let cause = begun(&world, reaction).await;
    let receipt = receipt(reaction, "sent");
    let taken = running.handle.receipt(&world.tenant, reaction, receipt, cause);
    let meanwhile = async {
        // Whoever only waits is let out of memory.
        running.settle().await;
        slow.0.add_permits(1);
    };
    let (taken, ()) = within(async { tokio::join!(taken, meanwhile) }).await;
    assert_eq!(taken, Ok(Taken::Recorded));
    assert_eq!(slow.0.available_permits(), 0, "it waited at the door");
    running.stop().await;
    world.replays().await;
}

#[tokio::test]
async fn a_chain_of_receipts_and_reactions_to_them_is_cut_and_the_receipt_is_kept() {
    let world = World::new().await;
    let running = world.notifier_on(world.record.clone(), Options { chain: 1, ..options() });
    let first = world.reaction(&format!("(send {SMS})"), ANN).await;
    assert_eq!(world.end(first).await, Ending::Done);
    assert_eq!(take(&world, &running, first, "sent").await, Taken::Recorded);
    let all = Select::CustomerEvents(world.tenant.clone());
    let event = world.record.read_after(all, Position(0), 10).await.unwrap().pop().unwrap().position;
    let program =
        world.pattern("(send twilio sms {:to-phone-number 1 :from-phone-number 1 :message 1})").await;
    let second = world.matched(program, &[event]).await;
    assert_eq!(world.end(second).await, Ending::Done);
    assert_eq!(take(&world, &running, second, "sent").await, Taken::Recorded);
    let kept = receipts(&world, second).await;
    assert_eq!(kept[0].event, None);
    assert!(kept[0].refused.as_deref().is_some_and(|reason| reason.contains("chain is cut")), "{kept:?}");
    running.stop().await;
    world.replays().await;
}
