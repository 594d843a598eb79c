//! How many reactions a second, each with one echo send, beside appending the same rows and nothing else.
//!
//! `cargo bench -p notifier --bench reactions`

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../../benches/measure.rs"]
mod measure;

use std::sync::Arc;

use domain::customer_event::Origin;
use domain::ids::{PatternId, Point, Position, ReactionId, TenantId};
use domain::json::{Limits, parse};
use domain::pattern;
use domain::reaction::{Event, Match};
use eventlog::crypto::Vault;
use eventlog::customer_stream::Incoming;
use eventlog::record::sqlite::Newest;
use eventlog::record::{
    Expect, Item, Metadata, NewEvent, Outcome, Record, Recorded, Select, StreamId, StreamKind, Write,
};
use eventlog::testing::TempRecord;
use measure::{Run, compare, measured, tokio_runtime};
use notifier::endpoint::Endpoints;
use notifier::runtime::{Notifier, Options};
use tokio::sync::watch;

const REACTIONS: u64 = 20_000;
/// Of so many customers.
const CUSTOMERS: u64 = 1_000;
/// Rows of a reaction after its match: started, begun, succeeded, done.
const ROWS: u64 = 4;

fn main() {
    let sample = Shape::read();
    compare(
        "reactions with one echo send, 20,000 at once (target: at least half of the bare appends)",
        vec![("reactions", &mut || run().0), ("the same rows appended, unsealed", &mut || bare(&sample))],
    );
}

struct World {
    temp: TempRecord,
    vault: Arc<Vault>,
    tenant: TenantId,
}

/// A record with so many matches that wait for their reactions.
async fn world() -> World {
    let temp = TempRecord::new();
    let tenant = temp.tenant("acme", "id").await;
    let world = World { vault: temp.vault(), temp, tenant };
    let program = world.pattern("(send echo message {:message \"hello\"})").await;
    let events = world.events().await;
    for chunk in (0..REACTIONS).collect::<Vec<_>>().chunks(1_000) {
        let mut items = Vec::new();
        for n in chunk {
            items.push(world.matched(*n, program, &events[(n % CUSTOMERS) as usize]).await);
        }
        world.temp.record.append(items).await.unwrap();
    }
    world
}

impl World {
    async fn pattern(&self, then: &str) -> Position {
        let definition =
            pattern::Definition { then: Some(then.into()), status: true, version: 1, ..Default::default() };
        let payload = serde_json::to_vec(&pattern::Event::Created(definition)).unwrap();
        let event = NewEvent {
            event_type: "pattern-created",
            event_version: 1,
            payload,
            event_id: None,
            configures: true,
        };
        let stream = StreamId::new(&self.tenant, StreamKind::Pattern, "PT1");
        let write = Write {
            stream,
            expect: Expect::Version(0),
            customer: None,
            partition: None,
            events: vec![event],
        };
        let item = Item { writes: vec![write], ..Item::default() };
        match self.temp.record.append(vec![item]).await.unwrap().pop() {
            Some(Outcome::Appended { first, .. }) => first,
            other => panic!("{other:?}"),
        }
    }

    /// An event of each customer.
    async fn events(&self) -> Vec<Recorded> {
        let incoming = |n: u64| Incoming {
            tenant: self.tenant.clone(),
            event: parse(
                format!(r#"{{"id":"{n}","name":"somebody","type":"call"}}"#).as_bytes(),
                Limits::EVENT,
            )
            .unwrap(),
            idempotency_key: None,
            origin: Origin::Rest,
            metadata: Metadata::default(),
        };
        self.temp.door().accept((0..CUSTOMERS).map(incoming).collect()).await;
        let select = Select::CustomerEvents(self.tenant.clone());
        let rows = self.temp.record.read_after(select, Position(0), 2_000).await.unwrap();
        assert_eq!(rows.len() as u64, CUSTOMERS);
        rows
    }

    /// What the engine appends for a match.
    async fn matched(&self, n: u64, program: Position, event: &Recorded) -> Item {
        let (customer, pattern) = (event.customer.unwrap(), PatternId(format!("PT{n}")));
        let point = Point::Event(event.position);
        let id = ReactionId::of(&self.tenant, &pattern, 1, customer, point);
        let witness = vec![event.position];
        let matched = Event::Matched(Match { pattern, version: 1, point, at: event.stamp, witness, program });
        let clear = matched.to_json().unwrap();
        let sealed = self.vault.seal(&self.tenant, customer, matched.event_type(), &clear).await.unwrap();
        let event = NewEvent {
            event_type: matched.event_type(),
            event_version: 1,
            payload: sealed.0,
            event_id: None,
            configures: false,
        };
        let write = Write {
            stream: StreamId::new(&self.tenant, StreamKind::Reaction, id.to_string()),
            expect: Expect::Version(0),
            customer: Some(customer),
            partition: None,
            events: vec![event],
        };
        let write =
            Write { partition: Some(eventlog::crypto::partition_of(&self.tenant, customer)), ..write };
        Item { writes: vec![write], ..Item::default() }
    }

    fn notifier(&self) -> Notifier {
        Notifier::new(
            Newest::of(self.temp.record.clone()),
            self.temp.vault(),
            Arc::new(self.temp.door()),
            Arc::new(self.temp.checkpoints()),
            Endpoints::built_in(),
            Options::default(),
        )
    }
}

/// Runs all reactions that wait; the record that it was done on comes along.
fn run() -> (Run, World) {
    let runtime = tokio_runtime();
    let world = runtime.block_on(world());
    let (stop, mut stopped) = watch::channel(false);
    let notifier = world.notifier();
    let mut head = world.temp.record.head();
    let until = head.borrow().position.0 + REACTIONS * ROWS;
    let mut task = None;
    let run = measured(|| {
        runtime.block_on(async {
            task = Some(tokio::spawn(notifier.run(async move {
                let _ = stopped.wait_for(|stop| *stop).await;
            })));
            head.wait_for(|head| head.position.0 >= until).await.unwrap();
        });
        REACTIONS
    });
    runtime.block_on(async {
        stop.send_replace(true);
        task.unwrap().await.unwrap().unwrap();
    });
    (run, world)
}

/// What a reaction appended: for each item its rows' names and lengths.
struct Shape(Vec<Vec<(&'static str, usize)>>);

impl Shape {
    /// As a reaction of a real run has it.
    fn read() -> Self {
        let (_, world) = run();
        let rows = tokio_runtime().block_on(async {
            let end = world.temp.record.head().borrow().position;
            let last = world.temp.record.read_at(&[end]).await.unwrap().pop().unwrap();
            world.temp.record.read_after(Select::Stream(last.stream), Position(0), 100).await.unwrap()
        });
        assert_eq!(rows.len() as u64, 1 + ROWS);
        let rows: Vec<_> = rows[1..]
            .iter()
            .map(|row| (&*Box::leak(row.event_type.clone().into_boxed_str()), row.payload.len()))
            .collect();
        Self(rows.chunks(2).map(<[_]>::to_vec).collect())
    }
}

/// As many rows of the same lengths, in as many items, a thousand items at a time.
fn bare(shape: &Shape) -> Run {
    let runtime = tokio_runtime();
    let temp = TempRecord::new();
    let tenant = TenantId::from("acme");
    let items = |round: usize, first: u64| -> Vec<Item> {
        let item = |n: u64| {
            let customer =
                domain::ids::CustomerId((n % CUSTOMERS + 1).to_be_bytes().repeat(2).try_into().unwrap());
            let events = shape.0[round].iter().map(|&(event_type, bytes)| NewEvent {
                event_type,
                event_version: 1,
                payload: vec![7; bytes],
                event_id: None,
                configures: false,
            });
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
            let write = Write {
                stream: StreamId::new(&tenant, StreamKind::Reaction, ReactionId(id).to_string()),
                expect: Expect::Version(2 * round as u64),
                customer: Some(customer),
                partition: Some(eventlog::crypto::partition_of(&tenant, customer)),
                events: events.collect(),
            };
            let metadata = Metadata { cause: Some(Position(n + 1)), ..Metadata::default() };
            Item { writes: vec![write], metadata, ..Item::default() }
        };
        (first..first + 1_000).map(item).collect()
    };
    // The second item of a reaction comes some thousands of others after its first, as it does when they run.
    let batches: Vec<Vec<Item>> =
        (0..REACTIONS).step_by(1_000).flat_map(|first| [items(0, first), items(1, first)]).collect();
    measured(|| {
        runtime.block_on(async {
            for batch in batches {
                temp.record.append(batch).await.unwrap();
            }
        });
        REACTIONS
    })
}
