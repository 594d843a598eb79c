//! Against a real nats-server: what it brings, and that nothing is missed while it is away, emptied or killed.

use std::sync::Arc;
use std::time::Duration;

use domain::customer_event::Origin;
use domain::ids::{Position, TenantId};
use domain::json::{self, Limits};
use tokio::task::JoinSet;

use super::{Error, LOG, Nats, Options, Relay, follow};
use crate::customer_stream::{Door, Incoming};
use crate::record::{Counts, Feed, Metadata, Record, Recorded, Select, Tail};
use crate::testing::{NatsServer, TempRecord};

/// A record, its relay and a tail of it.
struct World {
    temp: TempRecord,
    door: Door,
    tenant: TenantId,
    tail: Arc<Tail>,
    nats: Nats,
    tasks: JoinSet<()>,
    sent: u32,
}

impl World {
    async fn new(server: &NatsServer) -> Self {
        let temp = TempRecord::new();
        let tenant = temp.tenant("acme", "id").await;
        let nats = Nats::connect(Options::new(server.url()), &*temp.record).await.unwrap();
        let tail = Tail::new(temp.record.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(Relay::new(nats.clone(), temp.record.clone()).run());
        tasks.spawn(tail.clone().watch());
        tasks.spawn(follow(tail.clone(), nats.clone()));
        Self { door: temp.door(), temp, tenant, tail, nats, tasks, sent: 0 }
    }

    /// Sends so many events.
    async fn send(&mut self, events: u32) {
        let incoming = (0..events).map(|n| {
            let text = format!("{{\"id\":\"{}\",\"n\":{}}}", n % 7, self.sent + n);
            Incoming {
                tenant: self.tenant.clone(),
                event: json::parse(text.as_bytes(), Limits::EVENT).unwrap(),
                idempotency_key: None,
                origin: Origin::Rest,
                metadata: Metadata::default(),
            }
        });
        for accepted in self.door.accept(incoming.collect()).await {
            accepted.unwrap();
        }
        self.sent += events;
    }

    /// Sends one event at a time until the tail has taken `more` rows out of the stream.
    async fn until_brought(&mut self, more: u64) {
        let wanted = self.tail.counts().brought + more;
        let patience = tokio::time::Instant::now() + Duration::from_secs(30);
        while self.tail.counts().brought < wanted {
            assert!(
                tokio::time::Instant::now() < patience,
                "the stream brings nothing: {:?}",
                self.tail.counts()
            );
            self.send(1).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All rows after a position, as the tail's readers get them.
    async fn read_up(&self, feed: &mut Feed) -> Vec<Recorded> {
        let end = self.temp.record.head().borrow().position;
        let mut rows = Vec::new();
        while feed.position() < end {
            let next = tokio::time::timeout(Duration::from_secs(20), feed.next(100)).await;
            rows.extend(next.expect("rows come in time").unwrap());
        }
        rows
    }

    fn feed(&self) -> Feed {
        Feed::new(self.tail.clone(), Select::All, Position(0))
    }
}

async fn all(record: &dyn Record) -> Vec<Recorded> {
    record.read_after(Select::All, Position(0), 1_000_000).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_come_through_the_stream_in_order_and_whole() {
    let server = NatsServer::start();
    let mut world = World::new(&server).await;
    let mut feed = world.feed();
    // What was stored before the consumer was there is a gap, and no fault.
    world.until_brought(1).await;
    let before = world.tail.counts();
    for _ in 0..20 {
        world.send(100).await;
    }
    let rows = world.read_up(&mut feed).await;
    assert_eq!(rows, all(&*world.temp.record).await);
    let Counts { brought, gaps, late, unreadable } = world.tail.counts();
    let in_time = late == before.late;
    assert!(!in_time || brought >= before.brought + 2_000, "the rows came from elsewhere: {before:?}");
    assert_eq!((gaps, unreadable), (before.gaps, 0));
    let domain = world.tail.read_after(Select::Domain, Position(0), 100).await.unwrap();
    assert_eq!(domain, world.temp.record.read_after(Select::Domain, Position(0), 100).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_wiped_takes_nothing_with_it() {
    let mut server = NatsServer::start();
    let mut world = World::new(&server).await;
    let mut feed = world.feed();
    world.until_brought(10).await;
    let mut rows = world.read_up(&mut feed).await;
    for wipe in [false, true] {
        server.kill();
        world.send(500).await;
        // While it is away, the rows come from the record.
        rows.extend(world.read_up(&mut feed).await);
        if wipe {
            server.wipe();
        }
        server.run();
        world.send(500).await;
        rows.extend(world.read_up(&mut feed).await);
        world.until_brought(10).await;
        rows.extend(world.read_up(&mut feed).await);
    }
    assert_eq!(rows, all(&*world.temp.record).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_emptied_or_deleted_is_gone_on_with() {
    let server = NatsServer::start();
    let mut world = World::new(&server).await;
    let mut feed = world.feed();
    world.until_brought(5).await;
    world.nats.jetstream.get_stream(LOG).await.unwrap().purge().await.unwrap();
    world.send(300).await;
    world.until_brought(5).await;
    world.nats.jetstream.delete_stream(LOG).await.unwrap();
    world.send(300).await;
    world.until_brought(5).await;
    let rows = world.read_up(&mut feed).await;
    assert_eq!(rows, all(&*world.temp.record).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_stream_skips_doubles_or_breaks_is_taken_from_the_record() {
    let server = NatsServer::start();
    let temp = TempRecord::new();
    let tenant = temp.tenant("acme", "id").await;
    let nats = Nats::connect(Options::new(server.url()), &*temp.record).await.unwrap();
    let tail = Tail::new(temp.record.clone());
    let mut tasks = JoinSet::new();
    tasks.spawn(tail.clone().watch());
    tasks.spawn(follow(tail.clone(), nats.clone()));
    let mut world = World { door: temp.door(), temp, tenant, tail, nats, tasks, sent: 0 };
    let mut feed = world.feed();
    world.send(200).await;
    // A relay gone mad: every third row is left out, every fifth comes twice, every seventh is broken.
    for row in all(&*world.temp.record).await {
        let n = row.position.0;
        let mut bytes = super::message::encode(&row);
        if n % 7 == 0 {
            bytes[20] ^= 1;
        }
        for _ in 0..if n % 3 == 0 {
            0
        } else if n % 5 == 0 {
            2
        } else {
            1
        } {
            let subject = super::message::subject(&row);
            world.nats.jetstream.publish(subject, bytes.clone().into()).await.unwrap().await.unwrap();
        }
    }
    let rows = world.read_up(&mut feed).await;
    assert_eq!(rows, all(&*world.temp.record).await);
    world.send(1).await;
    assert_eq!(world.read_up(&mut feed).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_life_of_the_record_is_emptied_before_it_is_gone_on_with() {
    let server = NatsServer::start();
    let mut world = World::new(&server).await;
    world.until_brought(20).await;
    world.tasks.shutdown().await;
    // As after a restored backup: the stream ends with a row that this record does not have.
    let mut other = all(&*world.temp.record).await.pop().unwrap();
    other.position.0 += 1_000;
    let publish =
        world.nats.jetstream.publish(super::message::subject(&other), super::message::encode(&other).into());
    publish.await.unwrap().await.unwrap();
    world.tail = Tail::new(world.temp.record.clone());
    world.tasks.spawn(Relay::new(world.nats.clone(), world.temp.record.clone()).run());
    world.tasks.spawn(world.tail.clone().watch());
    world.tasks.spawn(follow(world.tail.clone(), world.nats.clone()));
    let mut feed = world.feed();
    world.until_brought(5).await;
    let rows = world.read_up(&mut feed).await;
    assert_eq!(rows, all(&*world.temp.record).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_other_settings_and_a_server_that_is_not_there_are_refused_with_what_to_do() {
    let server = NatsServer::start();
    let temp = TempRecord::new();
    temp.tenant("acme", "id").await;
    Nats::connect(Options::new(server.url()), &*temp.record).await.unwrap();
    let other = Options { retention: Duration::from_secs(60), ..Options::new(server.url()) };
    let refused = Nats::connect(other, &*temp.record).await.err().unwrap();
    assert!(matches!(refused, Error::Settings { .. }), "{refused}");
    assert!(refused.to_string().contains("nats stream edit CXENGAGE_LOG --max-age 60s"), "{refused}");
    let foreign = TempRecord::new();
    foreign.tenant("other", "id").await;
    let foreign = Nats::connect(Options::new(server.url()), &*foreign.record).await.err().unwrap();
    assert!(matches!(foreign, Error::Foreign { .. }), "{foreign}");
    let nowhere = Nats::connect(Options::new("nats://127.0.0.1:1"), &*temp.record).await.err().unwrap();
    assert!(nowhere.to_string().contains("nats://127.0.0.1:1"), "{nowhere}");
}
