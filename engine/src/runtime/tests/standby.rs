//! Standing by: what is committed is another's, what is not is found again.

use super::*;

#[tokio::test]
async fn whoever_stood_by_drops_what_is_committed_and_appends_what_is_not() {
    let mut world = World::new().await;
    world.create("PT1", CALLS).await;
    let folder = tempfile::tempdir().unwrap();
    let checkpoints = Checkpoints::open_engine(folder.path()).unwrap();
    let engine = Engine::new(world.record.clone(), world.vault.clone(), checkpoints, Options::default());
    let (limit, limited) = watch::channel(Position(0));
    let (enough, told) = oneshot::channel();
    let standing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.stand_by(limited, async move { drop(told.await) }).await }
    });
    world.start();
    world.customer_event("ann", "call").await;
    world.customer_event("ann", "call").await;
    world.customer_event("bob", "call").await;
    world.settled().await;
    let committed = world.record.head().borrow().position;
    world.kill().await;
    // Nobody has matched this yet, and it is not for who stands by to do so.
    let second = world.customer_event("bob", "call").await;
    limit.send_replace(committed);
    let mut progress = engine.progress();
    let reached = progress.wait_for(|position| *position >= committed);
    let reached = *tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap().unwrap();
    assert_eq!(reached, committed);
    assert_eq!(world.matches().await.len(), 1);
    enough.send(()).unwrap();
    standing.await.unwrap().unwrap();

    let (stop, stopped) = oneshot::channel();
    let progress = engine.progress();
    let task = tokio::spawn(engine.run(async move { drop(stopped.await) }));
    world.running = Some((stop, task, progress));
    world.settled().await;
    let causes: Vec<_> = world.matches().await.into_iter().map(|(_, cause)| cause).collect();
    assert_eq!((causes.len(), causes.last()), (2, Some(&second)));
    world.stop().await;
    assert_eq!(world.differences().await, []);
}
