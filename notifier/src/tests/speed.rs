//! How many reactions a second, beside what the record takes: `cargo test -p notifier speed -- --ignored --nocapture`.

use std::time::Instant;

use domain::ids::Position;
use eventlog::record::{Expect, Item, NewEvent, StreamId, StreamKind, Write};

use super::world::{World, within};
use crate::runtime::Options;

const REACTIONS: u32 = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures; run it alone"]
async fn reactions_with_one_send_beside_bare_appends() {
    let world = World::new().await;
    let program = world.pattern("(send echo message {:message \"hello\"})").await;
    let events: Vec<Position> = {
        let mut events = Vec::new();
        for n in 0..100 {
            events.push(world.event(&format!(r#"{{"id":"{n}","name":"somebody"}}"#)).await);
        }
        events
    };
    world.matches(program, &events, REACTIONS).await;
    let begun = Instant::now();
    let running = world.notifier_on(world.record.clone(), Options::default());
    let mut head = world.record.head();
    let rows = u64::from(REACTIONS) * 4;
    let start = head.borrow().position.0;
    within(head.wait_for(|head| head.position.0 >= start + rows)).await.unwrap();
    let took = begun.elapsed();
    running.stop().await;
    let reactions = f64::from(REACTIONS) / took.as_secs_f64();
    let bare = bare(&world).await;
    println!("{reactions:.0} reactions/s of two items and four rows each; bare: {bare:.0}/s");
}

/// As many rows of the same shape, appended two by two in batches of a thousand items, without deciding anything.
async fn bare(world: &World) -> f64 {
    let customer = world.vault.customer(&world.tenant, "0").await.unwrap();
    let event = |_| NewEvent {
        event_type: "send-begun",
        event_version: 1,
        payload: vec![7; 300],
        event_id: None,
        configures: false,
    };
    let begun = Instant::now();
    for batch in 0..2 * REACTIONS / 1_000 {
        let items = (0..1_000).map(|n| {
            let id = (batch * 1_000 + n).to_string();
            let write = Write {
                stream: StreamId::new(&world.tenant, StreamKind::Reaction, id),
                expect: Expect::Version(0),
                customer: Some(customer.id),
                partition: Some(customer.partition),
                events: (0..2).map(event).collect(),
            };
            Item { writes: vec![write], ..Item::default() }
        });
        world.record.append(items.collect()).await.unwrap();
    }
    f64::from(REACTIONS) / begun.elapsed().as_secs_f64()
}
