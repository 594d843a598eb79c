//! What a checkpoint may hold, and when it may be written and used.

use async_trait::async_trait;
use eventlog::record::{Error, Layer};

use super::*;

#[tokio::test]
async fn what_does_not_fit_into_memory_passes_its_deadline_all_the_same() {
    let mut world = World::new().await;
    world.create("PT1", CART).await;
    world.start_with(Options { memory: 1, ..Options::default() });
    for key in ["ann", "bob", "cid"] {
        world.customer_event(key, "cart").await;
    }
    world.settled().await;
    world.minute(30);
    world.customer_event("bob", "paid").await;
    world.minute(61);
    world.matched(2).await;
    world.settled().await;
    world.stop().await;
    assert_eq!(world.differences().await, []);
}

#[tokio::test]
async fn a_checkpoint_of_a_position_that_the_record_does_not_have_is_not_used() {
    let mut world = World::new().await;
    world.create("PT1", CALLS).await;
    let first = world.customer_event("ann", "call").await;
    world.checkpoints().commit("engine", Position(first.0 + 1), vec![]).await.unwrap();
    world.start();
    world.settled().await;
    let second = world.customer_event("ann", "call").await;
    world.settled().await;
    let [(found, _)] = &world.matches().await[..] else { panic!() };
    assert_eq!(found.witness, [first, second]);
    world.stop().await;
}

#[tokio::test]
async fn a_pattern_that_came_after_the_checkpoint_counts_nothing_from_before_it() {
    let mut world = World::new().await;
    world.create("PT1", CART).await;
    world.start();
    world.customer_event("ann", "other").await;
    world.settled().await;
    world.stop().await;
    world.customer_event("ann", "call").await;
    world.create("PT2", CALLS).await;
    let first = world.customer_event("ann", "call").await;
    world.start();
    world.settled().await;
    assert_eq!(world.matches().await, []);
    let second = world.customer_event("ann", "call").await;
    world.settled().await;
    let [(found, _)] = &world.matches().await[..] else { panic!() };
    assert_eq!(found.witness, [first, second]);
    world.stop().await;
    assert_eq!(world.differences().await, []);
}

/// A record in which matches are asked to be appended, and never are.
struct Holding {
    inner: Arc<dyn Record>,
    asked: watch::Sender<bool>,
}

#[async_trait]
impl Layer for Holding {
    fn inner(&self) -> &dyn Record {
        &*self.inner
    }

    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        if items.iter().any(|item| item.writes.iter().any(|write| write.stream.kind == StreamKind::Reaction))
        {
            self.asked.send_replace(true);
            std::future::pending::<()>().await;
        }
        self.inner.append(items).await
    }
}

#[tokio::test]
async fn a_checkpoint_waits_for_every_match_up_to_it() {
    let mut world = World::new().await;
    world.create("PT1", CALLS).await;
    let record = world.record.clone();
    let (asked, mut is_asked) = watch::channel(false);
    world.record = Arc::new(Holding { inner: record.clone(), asked });
    world.start_with(Options { checkpoint_rows: 1, ..Options::default() });
    world.customer_event("ann", "call").await;
    let completing = world.customer_event("ann", "call").await;
    tokio::time::timeout(Duration::from_secs(30), is_asked.wait_for(|asked| *asked)).await.unwrap().unwrap();
    // Long enough for one that does not wait to be written.
    let checkpoints = world.checkpoints();
    let written = async {
        while checkpoints.position("engine").await.unwrap().is_none_or(|position| position < completing) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), written).await.is_err());
    world.kill().await;
    world.record = record;
    world.start();
    world.settled().await;
    assert_eq!(world.matches().await.len(), 1);
    world.stop().await;
}
