//! What is this home's own: many servers at once, formats, damage, restarts. The port's rules are in the contract.

use std::sync::Arc;
use std::time::Duration;

use cqrs_es::persist::PersistedEventRepository;
use domain::client::{Client, Command, Scope};
use domain::ids::{CustomerId, EventId, Partition, Position, TenantId};
use postgres_es::PostgresEventRepository;
use sqlx::{Connection, Executor, PgConnection};

use super::*;
use crate::aggregates::Commands;
use crate::crypto::Vault;
use crate::record::{Expect, Metadata, NewEvent, NewKey, Share, StreamId, StreamKind, Write};
use crate::testing::MASTER;
use crate::testing::postgres::{PostgresServer, TempDatabase, new_database, shared};

crate::record_contract!(TempDatabase::new().await);

fn event(id: &str, payload: Vec<u8>) -> Item {
    let write = Write {
        stream: StreamId::new(&TenantId::from("acme"), StreamKind::Customer, id),
        expect: Expect::Any,
        customer: Some(CustomerId([1; 16])),
        partition: Some(Partition(1)),
        events: vec![NewEvent {
            event_type: "seen",
            event_version: 1,
            payload,
            event_id: Some(EventId([2; 16])),
            configures: false,
        }],
    };
    Item { writes: vec![write], ..Item::default() }
}

/// A second server on the same database.
async fn another(url: &str) -> Arc<PostgresRecord> {
    PostgresRecord::open(Options::new(url).unwrap()).await.unwrap()
}

/// A connection past the record, as one who tampers with it has.
async fn behind(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("in time")
}

/// Reads every row in turn, so many at a time, now and then at another server from where it has come to.
async fn read_all(servers: Vec<Arc<PostgresRecord>>, rows: u64, limit: usize) {
    let (mut at, mut stamp) = (0, Stamp(0));
    for server in servers.iter().cycle() {
        let mut feed = crate::record::Feed::new(server.clone(), Select::All, Position(at));
        for _ in 0..50 {
            if at == rows {
                return;
            }
            for row in feed.next(limit).await.unwrap() {
                assert_eq!(row.position.0, at + 1, "skipped, or out of order");
                assert_eq!(row.previous, Some(Position(at)), "the chain is whole");
                assert!(row.stamp >= stamp, "stamps never fall");
                (at, stamp) = (row.position.0, row.stamp);
            }
        }
    }
}

/// `CXENGAGE_ROWS` says how many rows.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_write_at_once_share_one_sequence_and_no_reader_skips() {
    const BATCH: u64 = 20;
    let asked = std::env::var("CXENGAGE_ROWS").ok().and_then(|rows| rows.parse::<u64>().ok());
    let batches = asked.unwrap_or(6_000) / 3 / BATCH;
    let rows = 3 * BATCH * batches;
    let temp = TempDatabase::new().await;
    let servers = vec![another(&temp.url).await, another(&temp.url).await, another(&temp.url).await];
    // Transactions that began before all and end late, or are rolled back, hold nobody up and hide nothing.
    let mut early = behind(&temp.url).await;
    let mut early = early.begin().await.unwrap();
    sqlx::query("SELECT txid_current()").execute(&mut *early).await.unwrap();
    let readers: Vec<_> = [7, 100, 1_000]
        .into_iter()
        .map(|limit| tokio::spawn(read_all(servers.clone(), rows, limit)))
        .collect();
    let writers: Vec<_> = servers
        .iter()
        .cloned()
        .map(|record| {
            tokio::spawn(async move {
                let mut last = Position(0);
                for n in 0..batches {
                    let items = (0..BATCH).map(|_| event("1", n.to_le_bytes().to_vec())).collect();
                    for outcome in record.append(items).await.unwrap() {
                        let Outcome::Appended { first, .. } = outcome else { panic!("{outcome:?}") };
                        assert!(first > last && record.head().borrow().position >= first);
                        last = first;
                    }
                }
            })
        })
        .collect();
    let limit = Duration::from_secs(30 + rows / 500);
    for task in writers.into_iter().chain(readers) {
        tokio::time::timeout(limit, task).await.expect("in time").unwrap();
    }
    early.rollback().await.unwrap();
    assert_eq!(temp.record.read_before(Select::All, None, 1).await.unwrap()[0].position, Position(rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_server_configured_refuses_an_older_decision_and_is_then_known() {
    let temp = TempDatabase::new().await;
    let other = another(&temp.url).await;
    let acme = TenantId::from("acme");
    let mut configuring = event("1", b"{}".to_vec());
    configuring.writes[0].stream.kind = StreamKind::Pattern;
    configuring.writes[0].expect = Expect::Version(0);
    configuring.writes[0].events[0].configures = true;
    other.append(vec![configuring]).await.unwrap();
    let decided = Item { config: Some(Position(0)), ..event("1", vec![1]) };
    assert_eq!(temp.record.append(vec![decided]).await.unwrap(), [Outcome::Stale(Position(1))]);
    assert_eq!(temp.record.config_position(&acme).await.unwrap(), Position(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_told_of_what_was_appended() {
    let temp = TempDatabase::new().await;
    let other = another(&temp.url).await;
    let mut head = other.head();
    temp.record.append(vec![event("1", vec![1])]).await.unwrap();
    within(head.wait_for(|head| head.position == Position(1))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_key_is_not_brought_back_by_another_server() {
    let temp = TempDatabase::new().await;
    let other = another(&temp.url).await;
    let (acme, customer) = (TenantId::from("acme"), CustomerId([1; 16]));
    let key = |wrapped: u8| Item {
        keys: vec![NewKey { tenant: acme.clone(), customer: Some(customer), wrapped: vec![wrapped] }],
        ..Item::default()
    };
    temp.record.append(vec![key(1)]).await.unwrap();
    assert!(temp.record.erase(&acme, customer).await.unwrap());
    assert_eq!(other.append(vec![key(1)]).await.unwrap(), [Outcome::KeyTaken]);
    assert!(matches!(other.append(vec![key(2)]).await.unwrap()[..], [Outcome::Appended { .. }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_s_clock_gives_the_stamps() {
    let url = new_database(shared()).await;
    let record = another(&url).await;
    let clock = || async {
        let sql = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut behind(&url).await).await.unwrap()
    };
    let before = clock().await;
    let Outcome::Appended { stamp, .. } = record.append(vec![event("1", vec![1])]).await.unwrap()[0] else {
        panic!("not appended");
    };
    let now = record.now().0;
    let after = clock().await;
    assert!((before..=after).contains(&stamp.0), "{before} {stamp:?} {after}");
    assert!((before - 2_000..=after).contains(&now), "{before} {now} {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_works_beside_the_servers_and_cannot_write() {
    let temp = TempDatabase::new().await;
    temp.record.append(vec![event("1", vec![1])]).await.unwrap();
    let reader = PostgresRecord::open_read_only(Options::new(&temp.url).unwrap()).await.unwrap();
    assert_eq!(reader.head().borrow().position, Position(1));
    assert_eq!(reader.read_after(Select::All, Position(0), 9).await.unwrap().len(), 1);
    assert!(matches!(reader.append(vec![event("1", vec![3])]).await, Err(Error::Unavailable(_))));
    let empty = new_database(shared()).await;
    assert!(PostgresRecord::open_read_only(Options::new(&empty).unwrap()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_newer_release_is_refused_and_left_as_it_is() {
    let temp = TempDatabase::new().await;
    behind(&temp.url).await.execute("UPDATE cxengage.format SET format = 99").await.unwrap();
    let options = || Options::new(&temp.url).unwrap();
    for opened in [PostgresRecord::open(options()).await, PostgresRecord::open_read_only(options()).await] {
        let told = opened.err().map(|error| error.to_string());
        assert_eq!(told.as_deref(), Some("the store has format 99; this release reads 3"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_first_format_is_migrated_at_a_start_and_keeps_what_it_holds() {
    let url = new_database(shared()).await;
    let mut connection = behind(&url).await;
    let first = "CREATE SCHEMA cxengage; \
                 CREATE TABLE cxengage.format (format integer NOT NULL, partitions integer NOT NULL); \
                 INSERT INTO cxengage.format VALUES (1, 64)";
    let filled = "INSERT INTO cxengage.head (position, stamp, partitions) \
                  VALUES (7, 1234, array_fill(0::bigint, ARRAY[64])); \
                  INSERT INTO cxengage.keys VALUES ('acme', '', 'wrapped'); \
                  INSERT INTO cxengage.leases VALUES ('engine/1', 5, 'before')";
    for statements in [first, include_str!("schema.sql"), filled] {
        connection.execute(statements).await.unwrap();
    }
    let refused = PostgresRecord::open_read_only(Options::new(&url).unwrap()).await.err();
    let refused = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("format 1"), "a command that only reads changes nothing: {refused}");
    let record = another(&url).await;
    assert_eq!(*record.head().borrow(), Head { position: Position(7), stamp: Stamp(1234) });
    assert_eq!(record.key(&"acme".into(), None).await.unwrap(), Some(b"wrapped".to_vec()));
    let fences = record.take_leases(&["engine/1".to_owned()], "now").await.unwrap();
    assert_eq!(fences[0].epoch, 7, "whoever held it before is fenced off by the migration already");
    let outcomes = record.append(vec![event("1", vec![1])]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Appended { first: Position(8), .. }]), "{outcomes:?}");
    assert!(!record.store_id().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_at_once_make_the_tables_once() {
    let url = new_database(shared()).await;
    let starts: Vec<_> = (0..4)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { another(&url).await.append(vec![event("1", vec![1])]).await.unwrap() })
        })
        .collect();
    for start in starts {
        within(start).await.unwrap();
    }
    let record = another(&url).await;
    assert_eq!(record.head().borrow().position, Position(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_was_changed_is_noticed_whichever_column_it_is() {
    let temp = TempDatabase::new().await;
    temp.record.append(vec![event("1", vec![1]), event("1", vec![2]), event("2", vec![3])]).await.unwrap();
    let mut behind = behind(&temp.url).await;
    behind
        .execute("CREATE TEMP TABLE kept AS SELECT * FROM cxengage.events WHERE position = 1")
        .await
        .unwrap();
    let changes = [
        "stamp = stamp + 1",
        "tenant = 'acmf'",
        "aggregate_type = 'mark'",
        "aggregate_id = 'acme/3'",
        "sequence = 77",
        "event_type = 'Seen'",
        "event_version = '2'",
        r"payload = '\x02'",
        r#"metadata = '{"by":"x"}'"#,
        "customer = NULL",
        "partition = 2",
        "previous = 1",
        "config = NULL",
        r"event_id = '\x00'",
        "configures = true",
        r"checksum = '\x0011223344556677'",
    ];
    for change in changes {
        let sql = format!("UPDATE cxengage.events SET {change} WHERE position = 1");
        behind.execute(sql.as_str()).await.unwrap();
        let Err(Error::Damaged(told)) = temp.record.read_at(&[Position(1)]).await else {
            panic!("{change} was not noticed");
        };
        assert!(told.contains("position 1"), "{told}");
        let restore = "DELETE FROM cxengage.events WHERE position = 1; \
                       INSERT INTO cxengage.events SELECT * FROM kept";
        behind.execute(restore).await.unwrap();
    }
    assert_eq!(temp.record.read_at(&[Position(1)]).await.unwrap().len(), 1);
    behind.execute("DELETE FROM cxengage.events WHERE position = 2").await.unwrap();
    for select in [Select::All, Select::Matching(Share::ALL)] {
        let read = temp.record.read_after(select, Position(1), 9).await;
        assert!(matches!(&read, Err(Error::Damaged(told)) if told.contains("position 2")), "{read:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrative_streams_can_be_read_by_postgres_es() {
    let temp = TempDatabase::new().await;
    let vault = Arc::new(Vault::new(temp.record.clone(), MASTER));
    let commands = Commands::new(temp.record.clone(), vault);
    let command = Command::Create {
        name: "ops".into(),
        secret_hash: "x".into(),
        scopes: vec![Scope::Admin],
        tenants: Vec::new(),
    };
    let stream = StreamId::new(&TenantId(String::new()), StreamKind::Client, "ops");
    commands.execute::<Client>(stream.clone(), command, Metadata::default()).await.unwrap();
    let ours = temp.record.read_after(Select::Stream(stream), Position(0), 9).await.unwrap();

    let pool = PgPool::connect(&temp.url).await.unwrap();
    let repository =
        PostgresEventRepository::new(pool).with_tables("cxengage.events_json", "cxengage.no_snapshots");
    let theirs = repository.get_events::<Client>("/ops").await.unwrap();
    assert_eq!(theirs.len(), ours.len());
    for (theirs, ours) in theirs.iter().zip(&ours) {
        assert_eq!(theirs.aggregate_type, "client");
        assert_eq!(theirs.sequence as u64, ours.version);
        assert_eq!(theirs.event_type, ours.event_type);
        assert_eq!(theirs.event_version, ours.event_version.to_string());
        assert_eq!(theirs.payload, serde_json::from_slice::<serde_json::Value>(&ours.payload).unwrap());
    }
}

/// What a restart of the database does to who writes: each is answered, and nothing answered is lost.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_outlives_a_crash_of_the_database_and_writing_goes_on() {
    let mut server = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap();
    let url = new_database(&server).await;
    let record = another(&url).await;
    let (stop, mut stopped) = watch::channel(false);
    let writing = tokio::spawn({
        let record = record.clone();
        async move {
            let mut accepted = Vec::new();
            while !*stopped.borrow_and_update() {
                match record.append(vec![event("1", vec![1])]).await {
                    Ok(outcomes) => match outcomes[..] {
                        [Outcome::Appended { first, .. }] => accepted.push(first),
                        ref other => panic!("{other:?}"),
                    },
                    Err(Error::Unavailable(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
            accepted
        }
    });
    let mut head = record.head();
    let mut server = {
        for _ in 0..3 {
            let reached = head.borrow().position.0;
            within(head.wait_for(|head| head.position.0 > reached + 20)).await.unwrap();
            server = tokio::task::spawn_blocking(move || {
                server.restart("immediate");
                server
            })
            .await
            .unwrap();
        }
        server
    };
    let reached = head.borrow().position.0;
    within(head.wait_for(|head| head.position.0 > reached + 20)).await.unwrap();
    stop.send(true).unwrap();
    let accepted = within(writing).await.unwrap();
    assert!(accepted.is_sorted_by(|a, b| a < b));
    assert_eq!(record.read_at(&accepted).await.unwrap().len(), accepted.len());
    server.restart("fast");
    let rows = record.read_after(Select::All, Position(0), usize::MAX).await.unwrap();
    assert!(rows.len() >= accepted.len());
}
