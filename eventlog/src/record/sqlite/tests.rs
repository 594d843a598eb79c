//! What is this home's own: locks, formats, damage, crashes, a full disk. The port's rules are in the contract.

use std::time::Duration;

use domain::customer_event::Origin;
use domain::ids::Partition;
use domain::json::Json;
use rusqlite::Connection;

use super::*;
use crate::customer_stream::Incoming;
use crate::record::{Expect, Feed, Metadata, NewEvent, Share, StreamId, StreamKind, Write};
use crate::testing::TempRecord;

crate::record_contract!(TempRecord::new());

fn event(id: &str, payload: Vec<u8>) -> Item {
    let customer = CustomerId([1; 16]);
    let write = Write {
        stream: StreamId::new(&TenantId::from("acme"), StreamKind::Customer, id),
        expect: Expect::Any,
        customer: Some(customer),
        partition: Some(Partition(1)),
        events: vec![NewEvent {
            event_type: "seen",
            event_version: 1,
            payload,
            event_id: Some(domain::ids::EventId([2; 16])),
            configures: false,
        }],
    };
    Item { writes: vec![write], ..Item::default() }
}

/// `.cargo/config.toml` says why.
#[test]
fn each_connection_has_a_page_cache_of_its_own() {
    let connection = Connection::open_in_memory().unwrap();
    let mut options = connection.prepare("PRAGMA compile_options").unwrap();
    let options: Vec<String> = options.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(options.iter().any(|option| option.starts_with("THREADSAFE=")), "{options:?}");
    assert!(!options.iter().any(|option| option == "ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
    assert!(options.iter().any(|option| option == "DEFAULT_MEMSTATUS=0"), "{options:?}");
}

/// The next event of an aggregate's stream.
fn change(version: u64) -> Item {
    let mut item = event("1", vec![3]);
    let write = &mut item.writes[0];
    write.stream.kind = StreamKind::Pattern;
    write.expect = Expect::Version(version);
    (write.customer, write.partition, write.events[0].event_id) = (None, None, None);
    item
}

/// A connection past the record, as one who tampers with it has.
fn behind(temp: &TempRecord) -> Connection {
    let connection = Connection::open(temp.folder().join(LOG_FILE)).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection
}

#[tokio::test]
async fn a_second_server_is_refused_and_told_who_has_the_folder() {
    let temp = TempRecord::new();
    let Err(Error::Locked(owner)) = SqliteRecord::open(temp.folder(), Options::default()) else {
        panic!("a second writer was let in");
    };
    assert_eq!(owner, format!("process {}", std::process::id()));
    let _ = temp.reopen();
}

#[tokio::test]
async fn a_reader_works_beside_the_server_and_cannot_write() {
    let temp = TempRecord::new();
    temp.record.append(vec![event("1", vec![1])]).await.unwrap();
    let reader = SqliteRecord::open_read_only(temp.folder(), Options::default()).unwrap();
    assert_eq!(reader.head().borrow().position, Position(1));
    temp.record.append(vec![event("1", vec![2])]).await.unwrap();
    assert_eq!(reader.read_after(Select::All, Position(0), 9).await.unwrap().len(), 2);
    assert!(matches!(reader.append(vec![event("1", vec![3])]).await, Err(Error::Unavailable(_))));
    let nowhere = tempfile::tempdir().unwrap();
    assert!(SqliteRecord::open_read_only(nowhere.path(), Options::default()).is_err());
}

#[tokio::test]
async fn a_store_of_a_newer_release_is_refused_and_left_as_it_is() {
    let temp = TempRecord::new();
    behind(&temp).pragma_update(None, "user_version", 99).unwrap();
    let (folder, record) = temp.into_parts();
    drop(record);
    let before = std::fs::read(folder.path().join(LOG_FILE)).unwrap();
    for opened in [
        SqliteRecord::open(folder.path(), Options::default()),
        SqliteRecord::open_read_only(folder.path(), Options::default()),
    ] {
        let told = opened.err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), Some("the store has format 99; this release reads 3"));
    }
    assert_eq!(std::fs::read(folder.path().join(LOG_FILE)).unwrap(), before);
}

#[tokio::test]
async fn a_row_that_was_changed_is_noticed_whichever_column_it_is() {
    let temp = TempRecord::new();
    temp.record.append(vec![event("1", vec![1]), event("1", vec![2]), event("2", vec![3])]).await.unwrap();
    let behind = behind(&temp);
    behind.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM events WHERE position = 1").unwrap();
    let changes = [
        "stamp = stamp + 1",
        "tenant = 'acmf'",
        "aggregate_type = 'mark'",
        "aggregate_id = 'acme/3'",
        "sequence = 77",
        "event_type = 'Seen'",
        "event_version = '2'",
        "payload = x'02'",
        "metadata = '{\"by\":\"x\"}'",
        "customer = NULL",
        "partition = 2",
        "previous = 1",
        "config = NULL",
        "event_id = x'00'",
        "configures = 1",
        "checksum = checksum + 1",
    ];
    for change in changes {
        behind.execute(&format!("UPDATE events SET {change} WHERE position = 1"), []).unwrap();
        let Err(Error::Damaged(told)) = temp.record.read_at(&[Position(1)]).await else {
            panic!("{change} was not noticed");
        };
        assert!(told.contains("position 1"), "{told}");
        behind.execute_batch("REPLACE INTO events SELECT * FROM kept").unwrap();
    }
    assert_eq!(temp.record.read_at(&[Position(1)]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_row_that_is_gone_is_noticed() {
    let temp = TempRecord::new();
    temp.record.append(vec![event("1", vec![1]), event("1", vec![2]), event("2", vec![3])]).await.unwrap();
    behind(&temp).execute("DELETE FROM events WHERE position = 2", []).unwrap();
    let read = temp.record.read_after(Select::All, Position(0), 9).await;
    assert!(matches!(&read, Err(Error::Damaged(told)) if told.contains("position 2")), "{read:?}");
    for select in [Select::All, Select::Matching(Share::ALL)] {
        assert!(temp.record.read_after(select, Position(1), 9).await.is_err());
    }
}

/// What a crash leaves: the files as they are at some moment, without a farewell.
#[tokio::test]
async fn what_was_answered_is_in_the_files_at_once() {
    let temp = TempRecord::new();
    let crashed = tempfile::tempdir().unwrap();
    for n in 1..=20 {
        temp.record.append(vec![event("1", vec![n]), event("2", vec![n])]).await.unwrap();
        for file in ["log.db", "log.db-wal"] {
            std::fs::copy(temp.folder().join(file), crashed.path().join(file)).unwrap();
        }
        let record = SqliteRecord::open(crashed.path(), Options::default()).unwrap();
        let rows = record.read_after(Select::All, Position(0), 999).await.unwrap();
        assert_eq!(rows.len(), 2 * usize::from(n));
        drop(record);
        std::fs::remove_file(crashed.path().join("log.db")).unwrap();
    }
}

#[tokio::test]
async fn a_full_disk_fails_its_group_whole_and_writing_goes_on_when_there_is_room() {
    let temp = TempRecord::new();
    temp.record.append(vec![event("1", vec![1]), change(0)]).await.unwrap();
    let writer = temp.record.writer.as_ref().unwrap();
    writer.limit_pages(1);
    let big = || vec![change(1), event("1", vec![2; 200_000]), event("2", vec![2])];
    let full = temp.record.append(big()).await;
    assert!(matches!(full, Err(Error::Unavailable(_))), "{full:?}");
    assert_eq!(temp.record.head().borrow().position, Position(2));
    assert_eq!(temp.record.read_after(Select::All, Position(0), 9).await.unwrap().len(), 2);
    writer.limit_pages(1_000_000);
    // Nothing of it has stayed at hand either.
    let outcomes = temp.record.append(big()).await.unwrap();
    assert!(matches!(outcomes[2], Outcome::Appended { first: Position(5), .. }), "{outcomes:?}");
    let outcomes = temp.record.append(vec![change(1), change(2)]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Conflict(2), Outcome::Appended { .. }]), "{outcomes:?}");
    let rows = temp.record.read_after(Select::All, Position(0), 9).await.unwrap();
    let previous: Vec<_> = rows.iter().filter(|row| row.customer.is_some()).map(|row| row.previous).collect();
    assert_eq!(previous, [0, 1, 4].map(|n| Some(Position(n))));
}

#[tokio::test]
async fn who_follows_the_domain_log_is_not_woken_for_events_and_misses_nothing_of_his_own() {
    let temp = TempRecord::new();
    let (mut all, mut domain) = (temp.record.head(), temp.record.domain_head());
    let mut feed = Feed::new(temp.record.clone(), Select::Domain, Position(0));
    for (item, is_domain, at) in
        [(event("1", vec![1]), false, 0), (change(0), true, 2), (event("1", vec![2]), false, 2)]
    {
        temp.record.append(vec![item]).await.unwrap();
        assert_eq!(domain.borrow().position, Position(at), "whoever has an answer finds it");
        all.changed().await.unwrap();
        if is_domain {
            domain.changed().await.unwrap();
        }
        assert!(!domain.has_changed().unwrap());
    }
    // In one group with events, before or after them.
    temp.record.append(vec![change(1), event("1", vec![3])]).await.unwrap();
    let rows = feed.next(9).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.position.0).collect::<Vec<_>>(), [2, 4]);
    assert_eq!((domain.borrow().position, feed.position()), (Position(5), Position(5)));
    temp.record.append(vec![event("1", vec![4])]).await.unwrap();
    drop(feed);
    assert_eq!(
        temp.reopen().record.domain_head().borrow().position,
        Position(6),
        "there may be some up to there"
    );
}

#[tokio::test]
async fn who_sends_faster_than_the_disk_takes_waits_for_room() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { queue_bytes: 4096, ..Options::default() };
    let record = SqliteRecord::open(folder.path(), options).unwrap();
    // Each is larger than the whole queue: they go through one by one, and all do.
    let sends = (0..20u8).map(|n| {
        let record = Arc::clone(&record);
        tokio::spawn(async move { record.append(vec![event("1", vec![n; 10_000])]).await.unwrap() })
    });
    for send in sends.collect::<Vec<_>>() {
        tokio::time::timeout(Duration::from_secs(10), send).await.unwrap().unwrap();
    }
    assert_eq!(record.head().borrow().position, Position(20));
}

#[tokio::test]
async fn the_newest_rows_are_in_memory_as_they_are_in_the_file() {
    let temp = TempRecord::new();
    let tenant = temp.tenant("acme", "id").await;
    let door = temp.door();
    for n in 0..100 {
        let incoming = Incoming {
            tenant: tenant.clone(),
            event: Json::object([("id", n.to_string())]),
            idempotency_key: None,
            origin: Origin::Rest,
            metadata: Metadata { request: Some(format!("r{n}")), ..Metadata::default() },
        };
        door.accept(vec![incoming]).await.remove(0).unwrap();
    }
    let newest = Newest::of(temp.record.clone());
    let shares = Share::each_of(3).map(Select::Matching);
    for select in [Select::All, Select::Domain, Select::Reacting].into_iter().chain(shares) {
        for (after, limit) in [(0, 1_000), (7, 20), (90, 1_000), (1_000, 1)] {
            let read = |record: Arc<dyn Record>| {
                let select = select.clone();
                async move { record.read_after(select, Position(after), limit).await.unwrap() }
            };
            let (memory, file) = (read(newest.clone()).await, read(temp.record.clone()).await);
            assert_eq!(memory, file, "{select:?} after {after}");
            assert!(after > 7 || !file.is_empty() || matches!(select, Select::Domain));
        }
    }
    // They are not read from the file, whatever becomes of that.
    behind(&temp).execute("DELETE FROM events", []).unwrap();
    assert_eq!(newest.read_after(Select::All, Position(5), 10).await.unwrap().len(), 10);
    assert!(temp.record.read_after(Select::All, Position(5), 10).await.unwrap().is_empty());
}
