//! What every home of the record has to keep, as one suite: [`record_contract`](crate::record_contract) runs it.
//!
//! Nothing here knows how a home works. What is a home's own (locks, formats, full disks) is tested beside it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::ids::{CustomerId, EventId, Partition, Position, TenantId};
use domain::time::Stamp;

use super::ManualClock;
use crate::record::{
    Error, Expect, Feed, Fence, Item, Metadata, NewEvent, NewKey, Outcome, Record, Recorded, Select, Share,
    StreamId, StreamKind, Write,
};

/// A home on trial: an empty record, its clock, and a way to close and open it.
pub trait Home {
    /// The record.
    fn record(&self) -> Arc<dyn Record>;
    /// What it takes its stamps from.
    fn clock(&self) -> &ManualClock;
    /// Closes it and opens it again.
    #[must_use]
    fn reopen(self) -> Self;
}

/// Makes a test of each rule of the contract, on a fresh home each: `record_contract!(TempRecord::new())`.
#[macro_export]
macro_rules! record_contract {
    ($fresh:expr) => {
        $crate::record_contract! { $fresh;
            positions_are_gap_free_and_in_commit_order_whoever_appends,
            a_stream_is_written_only_at_the_version_expected,
            an_item_is_all_or_nothing_and_its_refusal_touches_no_other,
            a_lease_taken_over_fences_its_old_owner,
            an_item_decided_on_another_configuration_is_stale,
            an_idempotency_key_holds_for_24_hours_by_stamp,
            each_partition_is_chained_by_previous_positions,
            stamps_never_fall_when_the_clock_steps_back,
            what_was_appended_is_there_after_reopening,
            rows_are_read_as_they_were_written,
            selections_are_read_in_pages_both_ways,
            a_key_row_is_stored_once_and_gone_when_erased,
            a_feed_waits_for_what_is_appended_and_leaves_nothing_out,
            what_no_record_can_hold_is_refused_before_it_harms_others,
        }
    };
    ($fresh:expr; $($rule:ident,)*) => {
        mod contract {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $rule() {
                    $crate::testing::contract::$rule($fresh).await;
                }
            )*
        }
    };
}

const ACME: &str = "acme";

fn acme() -> TenantId {
    TenantId::from(ACME)
}

fn event(payload: &str) -> NewEvent {
    NewEvent {
        event_type: "noted",
        event_version: 1,
        payload: payload.into(),
        event_id: None,
        configures: false,
    }
}

fn write(kind: StreamKind, id: &str, expect: Expect, payloads: &[&str]) -> Write {
    Write {
        stream: StreamId::new(&acme(), kind, id),
        expect,
        customer: None,
        partition: None,
        events: payloads.iter().map(|payload| event(payload)).collect(),
    }
}

fn template(id: &str, version: u64, payloads: &[&str]) -> Item {
    of(vec![write(StreamKind::Template, id, Expect::Version(version), payloads)])
}

fn of(writes: Vec<Write>) -> Item {
    Item { writes, ..Item::default() }
}

/// A change of a tenant's configuration.
fn configures(tenant: &str, id: &str) -> Item {
    let mut write = write(StreamKind::Pattern, id, Expect::Version(0), &["{}"]);
    write.stream.tenant = TenantId::from(tenant);
    write.events[0].configures = true;
    of(vec![write])
}

fn customer_event(customer: u8, partition: u8, payload: &str) -> Item {
    let customer = CustomerId([customer; 16]);
    let mut write = write(StreamKind::Customer, &customer.to_string(), Expect::Any, &[payload]);
    write.customer = Some(customer);
    write.partition = Some(Partition(partition));
    of(vec![write])
}

fn mark(partition: u8) -> Item {
    let mut write = write(StreamKind::Mark, &partition.to_string(), Expect::Any, &["{}"]);
    write.stream.tenant = TenantId(String::new());
    write.partition = Some(Partition(partition));
    of(vec![write])
}

async fn append(record: &dyn Record, items: Vec<Item>) -> Vec<Outcome> {
    record.append(items).await.expect("an append")
}

async fn appended(record: &dyn Record, item: Item) -> (Position, Position, Stamp) {
    match append(record, vec![item]).await.as_slice() {
        [Outcome::Appended { first, last, stamp }] => (*first, *last, *stamp),
        other => panic!("not appended: {other:?}"),
    }
}

async fn all(record: &dyn Record) -> Vec<Recorded> {
    record.read_after(Select::All, Position(0), usize::MAX).await.expect("all rows")
}

fn positions(rows: &[Recorded]) -> Vec<u64> {
    rows.iter().map(|row| row.position.0).collect()
}

/// Eight appenders at once; every answer is where the rows are, and there is no gap.
pub async fn positions_are_gap_free_and_in_commit_order_whoever_appends(home: impl Home) {
    let record = home.record();
    let appenders: Vec<_> = (0..8)
        .map(|appender| {
            let record = Arc::clone(&record);
            tokio::spawn(async move {
                let mut places = Vec::new();
                for n in 0..25 {
                    let payloads = ["1", "2", "3"];
                    let payloads = &payloads[..1 + n % 3];
                    let (first, last, _) =
                        appended(&*record, template(&format!("TM{appender}-{n}"), 0, payloads)).await;
                    assert_eq!(last.0 - first.0 + 1, payloads.len() as u64);
                    assert!(record.head().borrow().position >= last, "answered before the head moved");
                    places.extend(first.0..=last.0);
                }
                assert!(places.is_sorted(), "an appender's own order was not kept");
                places
            })
        })
        .collect();
    let mut places = BTreeSet::new();
    let mut count = 0;
    for appender in appenders {
        let own = appender.await.expect("an appender");
        count += own.len();
        places.extend(own);
    }
    let expected: Vec<u64> = (1..=count as u64).collect();
    assert_eq!(places.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(positions(&all(&*record).await), expected);
}

/// Conflicts name the version that the stream has; a batch's later items see the earlier ones.
pub async fn a_stream_is_written_only_at_the_version_expected(home: impl Home) {
    let record = home.record();
    let outcomes = append(
        &*record,
        vec![
            template("TM1", 1, &["{}"]),
            template("TM1", 0, &["a", "b"]),
            template("TM1", 0, &["{}"]),
            template("TM1", 2, &["c"]),
            of(vec![
                write(StreamKind::Template, "TM1", Expect::Version(3), &["d"]),
                write(StreamKind::Template, "TM1", Expect::Version(4), &["e"]),
            ]),
            of(vec![write(StreamKind::Template, "TM1", Expect::Any, &["f"])]),
            // A write without events only says where the stream has to be.
            of(vec![
                write(StreamKind::Template, "TM2", Expect::Version(0), &["x"]),
                write(StreamKind::Template, "TM1", Expect::Version(5), &[]),
            ]),
        ],
    )
    .await;
    let refused = |n: usize, at| assert_eq!(outcomes[n], Outcome::Conflict(at), "item {n}");
    refused(0, 0);
    refused(2, 2);
    refused(6, 6);
    let stream = Select::Stream(StreamId::new(&acme(), StreamKind::Template, "TM1"));
    let rows = record.read_after(stream, Position(0), 99).await.expect("the stream");
    let read: Vec<_> = rows.iter().map(|row| (row.version, row.payload.as_slice())).collect();
    let expected: [(u64, &[u8]); 6] = [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d"), (5, b"e"), (6, b"f")];
    assert_eq!(read, expected);
}

/// Whatever refuses an item, nothing of it is stored, and the items around it are.
pub async fn an_item_is_all_or_nothing_and_its_refusal_touches_no_other(home: impl Home) {
    let record = home.record();
    let key = NewKey { tenant: acme(), customer: Some(CustomerId([1; 16])), wrapped: vec![1] };
    let mut refused = of(vec![
        write(StreamKind::Template, "TM1", Expect::Version(0), &["no"]),
        write(StreamKind::Template, "TM2", Expect::Version(7), &["no"]),
    ]);
    refused.keys = vec![key.clone()];
    refused.idempotency = Some([9; 32]);
    let outcomes =
        append(&*record, vec![template("TM3", 0, &["1"]), refused, template("TM4", 0, &["2"])]).await;
    assert_eq!(outcomes[1], Outcome::Conflict(0));
    let rows = all(&*record).await;
    assert_eq!(rows.iter().map(|row| row.payload[0]).collect::<Vec<_>>(), b"12");
    assert_eq!(record.key(&acme(), key.customer).await.expect("a look"), None);
    assert_eq!(record.idempotent([9; 32]).await.expect("a look"), None);
}

/// Epochs rise with every taking over, across restarts too.
pub async fn a_lease_taken_over_fences_its_old_owner<H: Home>(home: H) {
    let record = home.record();
    let leases = ["engine/1".to_owned(), "engine/2".to_owned()];
    let fenced = |fence: &Fence, id: &str| Item { fence: Some(fence.clone()), ..template(id, 0, &["{}"]) };
    let never_taken = Fence { lease: "engine/1".into(), epoch: 0 };
    assert_eq!(append(&*record, vec![fenced(&never_taken, "TM0")]).await, [Outcome::Fenced]);
    let old = record.take_leases(&leases, "a").await.expect("leases");
    appended(&*record, fenced(&old[0], "TM1")).await;
    let new = record.take_leases(&leases[..1], "b").await.expect("a lease");
    assert!(new[0].epoch > old[0].epoch);
    assert_eq!(append(&*record, vec![fenced(&old[0], "TM2")]).await, [Outcome::Fenced]);
    appended(&*record, fenced(&new[0], "TM2")).await;
    appended(&*record, fenced(&old[1], "TM3")).await;
    drop(record);
    let home = home.reopen();
    let record = home.record();
    assert_eq!(append(&*record, vec![fenced(&old[0], "TM4")]).await, [Outcome::Fenced]);
    appended(&*record, fenced(&new[0], "TM4")).await;
}

/// Configuration positions are per tenant; a batch's later items see a change of an earlier one.
pub async fn an_item_decided_on_another_configuration_is_stale(home: impl Home) {
    let record = home.record();
    let on = |position| Item { config: Some(Position(position)), ..customer_event(1, 5, "{}") };
    let outcomes = append(
        &*record,
        vec![on(0), configures(ACME, "PT1"), on(0), on(2), configures("other", "PT1"), on(2), on(4)],
    )
    .await;
    assert_eq!(outcomes[2], Outcome::Stale(Position(2)));
    assert_eq!(outcomes[6], Outcome::Stale(Position(2)));
    let rows = all(&*record).await;
    let carried: Vec<_> = rows.iter().map(|row| row.config.map(|at| at.0)).collect();
    assert_eq!(carried, [Some(0), None, Some(2), None, Some(2)]);
    // One that does not say carries the current one; a mark that of all tenants.
    appended(&*record, customer_event(1, 5, "{}")).await;
    appended(&*record, mark(5)).await;
    let rows = record.read_before(Select::All, None, 2).await.expect("the last rows");
    assert_eq!([rows[1].config, rows[0].config], [Some(Position(2)), Some(Position(4))]);
    for (tenant, position) in [(ACME, 2), ("other", 4), ("nobody", 0), ("", 4)] {
        assert_eq!(
            record.config_position(&TenantId::from(tenant)).await.expect("a position"),
            Position(position)
        );
    }
}

/// By stamp, not by any clock; a duplicate wins over a stale configuration, for it is answered either way.
pub async fn an_idempotency_key_holds_for_24_hours_by_stamp(home: impl Home) {
    let record = home.record();
    let day = 86_400_000;
    let keyed = |key| Item { idempotency: Some([key; 32]), ..customer_event(1, 5, "{}") };
    let (first, ..) = appended(&*record, keyed(1)).await;
    let stale = Item { config: Some(Position(99)), ..keyed(1) };
    assert_eq!(append(&*record, vec![keyed(1), stale]).await, vec![Outcome::Duplicate(first); 2]);
    let twins = append(&*record, vec![keyed(2), keyed(2)]).await;
    assert_eq!(twins[1], Outcome::Duplicate(Position(2)));
    home.clock().advance(day);
    assert_eq!(append(&*record, vec![keyed(1)]).await, [Outcome::Duplicate(first)]);
    assert_eq!(record.idempotent([1; 32]).await.expect("a look"), Some(first));
    home.clock().advance(1);
    assert_eq!(record.idempotent([1; 32]).await.expect("a look"), None);
    let (again, ..) = appended(&*record, keyed(1)).await;
    assert_eq!(append(&*record, vec![keyed(1)]).await, [Outcome::Duplicate(again)]);
    for _ in 0..3 {
        home.clock().advance(day);
        appended(&*record, keyed(3)).await;
        home.clock().advance(1);
    }
    assert_eq!(record.idempotent([1; 32]).await.expect("a look"), None);
}

/// 0 before the first of a partition; other rows are not in the chain, across restarts.
pub async fn each_partition_is_chained_by_previous_positions<H: Home>(home: H) {
    let record = home.record();
    append(&*record, vec![customer_event(1, 5, "{}"), customer_event(2, 63, "{}"), mark(5)]).await;
    append(&*record, vec![template("TM1", 0, &["{}"]), customer_event(3, 5, "{}")]).await;
    let mut reaction = write(StreamKind::Reaction, "RE1", Expect::Version(0), &["{}"]);
    reaction.partition = Some(Partition(5));
    append(&*record, vec![of(vec![reaction]), customer_event(1, 63, "{}")]).await;
    drop(record);
    let home = home.reopen();
    let record = home.record();
    append(&*record, vec![mark(5), customer_event(1, 0, "{}")]).await;
    let rows = all(&*record).await;
    let previous: Vec<_> = rows.iter().map(|row| row.previous.map(|at| at.0)).collect();
    assert_eq!(previous, [Some(0), Some(0), Some(1), None, Some(3), None, Some(2), Some(5), Some(0)]);
    for row in rows.iter().filter(|row| row.previous.is_some()) {
        assert_eq!(row.version, row.position.0, "a customer's or mark's version is its position");
    }
}

/// Neither while it runs nor across a restart.
pub async fn stamps_never_fall_when_the_clock_steps_back<H: Home>(home: H) {
    let record = home.record();
    home.clock().set(Stamp(1_000));
    let mut stamps = vec![appended(&*record, template("TM1", 0, &["{}"])).await.2];
    home.clock().set(Stamp(400));
    stamps.push(appended(&*record, template("TM2", 0, &["{}"])).await.2);
    assert_eq!(record.now(), Stamp(1_000));
    drop(record);
    let home = home.reopen();
    let record = home.record();
    stamps.push(appended(&*record, template("TM3", 0, &["{}"])).await.2);
    home.clock().set(Stamp(1_001));
    stamps.push(appended(&*record, template("TM4", 0, &["{}"])).await.2);
    assert_eq!(stamps, [1_000, 1_000, 1_000, 1_001].map(Stamp));
    let stored: Vec<_> = all(&*record).await.iter().map(|row| row.stamp).collect();
    assert_eq!(stored, stamps);
    assert_eq!(record.head().borrow().stamp, Stamp(1_001));
}

/// Rows, head, configuration positions and versions.
pub async fn what_was_appended_is_there_after_reopening<H: Home>(home: H) {
    let record = home.record();
    append(&*record, vec![template("TM1", 0, &["1", "2"]), configures(ACME, "PT1")]).await;
    let before = all(&*record).await;
    drop(record);
    let home = home.reopen();
    let record = home.record();
    assert_eq!(all(&*record).await, before);
    assert_eq!(record.head().borrow().position, Position(3));
    assert_eq!(record.config_position(&acme()).await.expect("a position"), Position(3));
    assert_eq!(append(&*record, vec![template("TM1", 1, &["{}"])]).await, [Outcome::Conflict(2)]);
    assert_eq!(appended(&*record, template("TM1", 2, &["3"])).await.0, Position(4));
}

/// Every column comes back.
pub async fn rows_are_read_as_they_were_written(home: impl Home) {
    let record = home.record();
    home.clock().set(Stamp(1_234_567));
    let mut item = customer_event(7, 9, "\u{0}é{}");
    item.metadata =
        Metadata { cause: Some(Position(3)), by: Some("clïent".into()), request: Some("r".into()) };
    item.writes[0].events[0].event_id = Some(EventId([3; 16]));
    item.writes[0].events[0].event_version = 12;
    let stream = item.writes[0].stream.clone();
    appended(&*record, item.clone()).await;
    let expected = Recorded {
        position: Position(1),
        stamp: Stamp(1_234_567),
        stream,
        version: 1,
        customer: Some(CustomerId([7; 16])),
        partition: Some(Partition(9)),
        previous: Some(Position(0)),
        config: Some(Position(0)),
        event_type: "noted".into(),
        event_version: 12,
        payload: "\u{0}é{}".into(),
        event_id: Some(EventId([3; 16])),
        configures: false,
        metadata: item.metadata,
    };
    assert_eq!(all(&*record).await, [expected]);
    appended(&*record, configures("", "x/y")).await;
    let row = record.read_at(&[Position(2)]).await.expect("a row").remove(0);
    assert_eq!((row.stream.tenant.as_str(), row.stream.id.as_str(), row.configures), ("", "x/y", true));
}

/// Each selection's rows, ascending and descending, page by page, and by place.
pub async fn selections_are_read_in_pages_both_ways(home: impl Home) {
    let record = home.record();
    let other = |mut item: Item| {
        item.writes[0].stream.tenant = TenantId::from("other");
        item
    };
    append(
        &*record,
        vec![
            configures(ACME, "PT1"),           // 1
            customer_event(1, 5, "{}"),        // 2
            other(customer_event(1, 6, "{}")), // 3
            customer_event(2, 5, "{}"),        // 4
            template("TM1", 0, &["1", "2"]),   // 5, 6
            customer_event(1, 5, "{}"),        // 7
            configures("other", "PT1"),        // 8
            customer_event(1, 5, "{}"),        // 9
            mark(5),                           // 10
            configures(ACME, "PT2"),           // 11
        ],
    )
    .await;
    let stream = |kind, id: &str| Select::Stream(StreamId::new(&acme(), kind, id));
    let customer = CustomerId([1; 16]);
    let share = |number| Share::each_of(8).nth(number).expect("one of eight");
    let cases: [(Select, &[u64]); 14] = [
        (Select::All, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (Select::Domain, &[1, 5, 6, 8, 11]),
        (Select::Configuration(None), &[1, 8, 11]),
        (Select::Configuration(Some(acme())), &[1, 11]),
        (Select::Matching(Share::ALL), &[1, 2, 3, 4, 7, 8, 9, 10, 11]),
        (Select::Matching(share(5)), &[1, 2, 4, 7, 8, 9, 10, 11]),
        (Select::Matching(share(6)), &[1, 3, 8, 11]),
        (Select::Reacting, &[2, 3, 4, 5, 6, 7, 9]),
        (Select::Tenant(acme()), &[1, 2, 4, 5, 6, 7, 9, 11]),
        (Select::Customer(acme(), customer), &[2, 7, 9]),
        (Select::CustomerEvents(acme()), &[2, 4, 7, 9]),
        (stream(StreamKind::Template, "TM1"), &[5, 6]),
        (stream(StreamKind::Customer, &customer.to_string()), &[2, 7, 9]),
        (Select::Tenant(TenantId::from("nobody")), &[]),
    ];
    for (select, expected) in cases {
        let mut up = Vec::new();
        loop {
            let after = Position(up.last().copied().unwrap_or_default());
            let page = record.read_after(select.clone(), after, 2).await.expect("a page");
            assert!(page.len() <= 2);
            up.extend(positions(&page));
            if page.is_empty() {
                break;
            }
        }
        assert_eq!(up, expected, "{select:?} ascending");
        let mut down = Vec::new();
        loop {
            let before = down.last().copied().map(Position);
            let page = record.read_before(select.clone(), before, 2).await.expect("a page");
            down.extend(positions(&page));
            if page.is_empty() {
                break;
            }
        }
        down.reverse();
        assert_eq!(down, expected, "{select:?} descending");
    }
    let asked = [9, 77, 1, 9].map(Position);
    assert_eq!(positions(&record.read_at(&asked).await.expect("rows")), [9, 1, 9]);
}

/// The same row again is no harm; another in its place is refused; none is left after erasing.
pub async fn a_key_row_is_stored_once_and_gone_when_erased<H: Home>(home: H) {
    let record = home.record();
    let customer = CustomerId([1; 16]);
    let with = |wrapped: u8, id: &str| Item {
        keys: vec![NewKey { tenant: acme(), customer: Some(customer), wrapped: vec![wrapped] }],
        ..template(id, 0, &["{}"])
    };
    let outcomes =
        append(&*record, vec![with(1, "TM1"), with(1, "TM2"), with(2, "TM3"), with(1, "TM4")]).await;
    assert_eq!(outcomes[2], Outcome::KeyTaken);
    assert_eq!(all(&*record).await.len(), 3);
    // A tenant's own key, without any event: answered with the end of the record.
    let own =
        Item { keys: vec![NewKey { tenant: acme(), customer: None, wrapped: vec![7] }], ..Item::default() };
    assert_eq!(appended(&*record, own).await.1, Position(3));
    drop(record);
    let home = home.reopen();
    let record = home.record();
    let asked = [None, Some(CustomerId([2; 16])), Some(customer)];
    let found = record.keys(&acme(), &asked).await.expect("keys");
    assert_eq!(found, [Some(vec![7]), None, Some(vec![1])]);
    assert_eq!(record.key(&TenantId::from("other"), Some(customer)).await.expect("a key"), None);
    assert!(record.erase(&acme(), customer).await.expect("an erasing"));
    assert!(!record.erase(&acme(), customer).await.expect("an erasing"));
    assert_eq!(record.keys(&acme(), &asked).await.expect("keys"), [Some(vec![7]), None, None]);
}

/// A reader that starts before, within and after what is there.
pub async fn a_feed_waits_for_what_is_appended_and_leaves_nothing_out(home: impl Home) {
    let record = home.record();
    append(&*record, vec![template("TM1", 0, &["1"]), customer_event(1, 5, "{}")]).await;
    let deadline = Duration::from_secs(10);
    let mut feed = Feed::new(Arc::clone(&record), Select::CustomerEvents(acme()), Position(0));
    assert_eq!(positions(&feed.next(9).await.expect("rows")), [2]);
    let reader = tokio::spawn(async move {
        let mut read = Vec::new();
        while read.len() < 100 {
            read.extend(positions(&feed.next(7).await.expect("rows")));
        }
        read
    });
    for n in 0..100u64 {
        append(&*record, vec![template(&format!("TM{}", n + 2), 0, &["{}"]), customer_event(1, 5, "{}")])
            .await;
    }
    let read = tokio::time::timeout(deadline, reader).await.expect("in time").expect("the reader");
    assert_eq!(read, (0..100).map(|n| 4 + 2 * n).collect::<Vec<u64>>());
}

/// A fault of the program is told to the one who made it.
pub async fn what_no_record_can_hold_is_refused_before_it_harms_others(home: impl Home) {
    let record = home.record();
    let mut unplaced = customer_event(1, 5, "{}");
    unplaced.writes[0].partition = None;
    let mut walled = template("TM1", 0, &["{}"]);
    walled.writes[0].stream.tenant = TenantId::from("acme/x");
    for bad in [customer_event(1, 64, "{}"), unplaced, walled] {
        let refused = record.append(vec![template("TM1", 0, &["{}"]), bad]).await;
        assert!(matches!(refused, Err(Error::Malformed(_))), "{refused:?}");
    }
    assert_eq!(append(&*record, vec![]).await, []);
    assert_eq!(appended(&*record, template("TM1", 0, &["{}"])).await.0, Position(1));
}
