//! What holds of every read model: redelivery is harmless, batches may be cut anywhere, a rebuild equals what was
//! live, damage is noticed, and no clear customer data is there.

use std::time::Duration;

use domain::ids::Position;
use eventlog::record::{Expect, Item, NewEvent, Record, StreamId, StreamKind, Write};
use rusqlite::Connection;

use super::world::{World, dump, matched, new_pattern, reaction, renamed, started};
use crate::{Error, ReactionFilter, Runner, Views, names, rebuild, store, sums};

const ALL: crate::Page = crate::Page { before: None, limit: 1_000 };

#[tokio::test]
async fn a_batch_delivered_twice_changes_nothing_and_batches_may_be_cut_anywhere() {
    let mut world = World::new().await;
    world.day().await;
    let views = world.caught_up().await;
    let whole = dump(&world.path());
    assert!(whole.lines().count() > 20);
    let (end, entries) = (world.end(), world.entries().await);
    views.write(move |connection| store::apply(connection, Position(0), end, &entries)).await.unwrap();
    assert_eq!(dump(&world.path()), whole);

    let path = world.temp.folder().join("cut.db");
    let cut = Views::open(&path).unwrap();
    for end in 1..=end.0 {
        // Each batch begins where the first one did: most of it has been delivered already.
        let entries = world.entries().await;
        let apply = move |connection: &mut _| store::apply(connection, Position(0), Position(end), &entries);
        assert_eq!(cut.write(apply).await.unwrap(), Position(end));
    }
    assert_eq!(dump(&path), whole);
}

#[tokio::test]
async fn a_batch_that_begins_beyond_a_read_models_place_is_refused() {
    let world = World::new().await;
    let views = world.views();
    let skip = |connection: &mut Connection| store::apply(connection, Position(1), Position(2), &[]);
    assert!(matches!(views.write(skip).await, Err(Error::Behind(Position(0)))));
}

#[tokio::test]
async fn a_rebuild_equals_what_was_live_and_goes_live_at_its_place() {
    let mut world = World::new().await;
    world.day().await;
    let views = world.caught_up().await;
    let sound = dump(&world.path());
    // The record goes on, but the live read models have not seen it.
    world.pattern("PT9", new_pattern("unseen")).await;
    let bent = Connection::open(world.path()).unwrap();
    // Wrong, but not damaged.
    sums::prepare(&bent).unwrap();
    bent.execute_batch(
        "UPDATE pattern_v1 SET version = 99; DELETE FROM send_v3; UPDATE reaction_v1 SET state = 'done';",
    )
    .unwrap();
    assert_ne!(dump(&world.path()), sound);
    for name in [Some("patterns"), Some("patterns"), None] {
        let mut last = None;
        let record = world.temp.record.clone();
        rebuild(&views, record, &world.vault, name, |progress| last = Some(progress)).await.unwrap();
        assert_eq!(last.map(|progress| progress.position), last.map(|progress| progress.end));
    }
    assert_eq!(dump(&world.path()), sound);
    world.catch_up(&views).await;
    assert_eq!(views.last_pattern_number(&world.tenant).await.unwrap(), 9);
    let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE name LIKE '%beside%' OR name LIKE '%old%'";
    assert_eq!(bent.query_row(tables, [], |row| row.get::<_, u32>(0)).unwrap(), 0);
    let unknown = rebuild(&views, world.temp.record.clone(), &world.vault, Some("nonsense"), |_| ()).await;
    assert!(unknown.unwrap_err().to_string().contains("reactions"));
    assert_eq!(names().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_beside_a_running_server_ends_and_nothing_is_lost() {
    let mut world = World::new().await;
    world.day().await;
    let views = world.views();
    let runner =
        tokio::spawn(Runner::new(views.clone(), world.temp.record.clone(), world.vault.clone()).run());
    // As another process would: with a connection of its own.
    let other = world.views();
    let work = async {
        for n in 0..200 {
            world.pattern("PT1", renamed(&format!("name {n}"))).await;
        }
    };
    let rebuilding = async {
        for _ in 0..3 {
            rebuild(&other, world.temp.record.clone(), &world.vault, None, |_| ()).await.unwrap();
        }
    };
    tokio::join!(work, rebuilding);
    views.wait_for(world.end()).await.unwrap();
    let shown = views.pattern(&world.tenant, &"PT1".into()).await.unwrap().unwrap();
    assert_eq!((shown.definition.name.as_str(), shown.version), ("name 199", 201));
    assert_eq!(
        views.audit(&world.tenant, ALL).await.unwrap().len(),
        world.entries().await.iter().filter(|e| e.tenant == world.tenant && e.customer.is_none()).count()
    );
    assert!(!runner.is_finished());
    runner.abort();
}

#[tokio::test]
async fn a_rebuild_that_fails_leaves_what_is_live_and_the_next_one_starts_afresh() {
    let mut world = World::new().await;
    world.day().await;
    let views = world.caught_up().await;
    let live = dump(&world.path());
    let write = Write {
        stream: StreamId::new(&world.tenant, StreamKind::Pattern, "PT77"),
        expect: Expect::Version(0),
        customer: None,
        partition: None,
        events: vec![NewEvent {
            event_type: "pattern-painted",
            event_version: 1,
            payload: br#""deleted""#.to_vec(),
            event_id: None,
            configures: false,
        }],
    };
    world.temp.record.append(vec![Item { writes: vec![write], ..Item::default() }]).await.unwrap();
    for _ in 0..2 {
        let failed = rebuild(&views, world.temp.record.clone(), &world.vault, None, |_| ()).await;
        let Err(Error::Unreadable { position, reason }) = failed else { panic!("{failed:?}") };
        assert_eq!(position, world.end());
        assert!(reason.contains("pattern-painted"), "{reason}");
    }
    let rows = dump(&world.path());
    assert_eq!(
        rows.lines().filter(|line| !line.contains("beside")).collect::<Vec<_>>(),
        live.lines().collect::<Vec<_>>()
    );
    // Nor does the runner go on over it.
    let stopped = Runner::new(views, world.temp.record.clone(), world.vault.clone()).run();
    let error = tokio::time::timeout(Duration::from_secs(10), stopped).await.unwrap();
    assert!(matches!(error, Error::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn a_write_is_shown_once_the_views_have_come_to_it() {
    let mut world = World::new().await;
    let views = world.views();
    let runner =
        tokio::spawn(Runner::new(views.clone(), world.temp.record.clone(), world.vault.clone()).run());
    for n in 1..=20_u8 {
        let position = world.reaction(reaction(n), vec![matched("PT1"), started(n)]).await;
        views.wait_for(position).await.unwrap();
        let all = views.reactions(&world.tenant, ReactionFilter::default(), ALL).await.unwrap();
        assert_eq!(all.len(), usize::from(n));
    }
    runner.abort();
    let _ = runner.await;
    let beyond = Position(world.end().0 + 1);
    let late = views.wait_for(beyond).await.unwrap_err();
    assert!(matches!(late, Error::Late { wanted, at } if wanted == beyond && at == world.end()), "{late}");
}

#[tokio::test]
async fn a_torn_file_is_noticed_and_made_anew() {
    let mut world = World::new().await;
    world.day().await;
    drop(world.caught_up().await);
    let sound = dump(&world.path());
    let file = std::fs::read(world.path()).unwrap();
    let overwritten = |places: std::ops::Range<usize>| {
        let mut file = file.clone();
        file[places].fill(0xff);
        file
    };
    // How the tables were made, in SQLite's own words, is no text any more.
    let mut unreadable = file.clone();
    for at in 0..file.len() - 12 {
        if &file[at..at + 12] == b"CREATE TABLE" {
            unreadable[at + 20] = 0xff;
        }
    }
    let half = file[..file.len() / 2].to_vec();
    for torn in [vec![b'x'; 5_000], half, overwritten(4_096..12_288), unreadable] {
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(world.temp.folder().join(format!("views.db{suffix}")));
        }
        std::fs::write(world.path(), torn).unwrap();
        let views = world.views();
        assert_eq!(*views.progress().borrow(), Position(0));
        world.catch_up(&views).await;
        drop(views);
        assert_eq!(dump(&world.path()), sound);
    }
}

#[tokio::test]
async fn views_that_know_more_than_the_record_are_made_anew() {
    let mut world = World::new().await;
    world.day().await;
    let views = world.caught_up().await;
    let sound = dump(&world.path());
    let other = World::new().await;
    let runner = Runner::new(views.clone(), other.temp.record.clone(), other.vault.clone()).run();
    let runner = tokio::spawn(runner);
    let mut progress = views.progress();
    tokio::time::timeout(Duration::from_secs(10), progress.wait_for(|at| *at == other.end()))
        .await
        .unwrap()
        .unwrap();
    assert_ne!(dump(&world.path()), sound);
    assert!(views.patterns(&world.tenant).await.unwrap().is_empty());
    runner.abort();
}

#[tokio::test]
async fn an_erased_customers_entries_are_passed_over_and_counted() {
    let mut world = World::new().await;
    world.day().await;
    let gone = world.vault.customer(&world.tenant, "gone").await.unwrap().id;
    world.reaction_of(gone, reaction(9), vec![matched("PT1"), started(9)]).await;
    assert!(
        world
            .vault
            .erase(&world.tenant, gone, eventlog::record::Metadata::default())
            .await
            .unwrap()
            .is_some()
    );
    let views = world.caught_up().await;
    assert!(views.timeline(&world.tenant, gone, ALL).await.unwrap().is_empty());
    let place = dump(&world.path());
    let place = place.lines().find(|line| line.contains("projection.reactions.v1")).unwrap();
    assert!(place.ends_with(" 2"), "{place}");
}

#[tokio::test]
async fn no_clear_customer_data_is_in_the_read_models() {
    let mut world = World::new().await;
    world.day().await;
    drop(world.caught_up().await);
    for suffix in ["", "-wal"] {
        let Ok(bytes) = std::fs::read(world.temp.folder().join(format!("views.db{suffix}"))) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("Quimby") && !text.contains("1234\u{0}"));
    }
}
