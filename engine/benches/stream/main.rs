//! The record's rows through JetStream, beside a bare publisher and a bare consumer of the same messages.
//!
//! `cargo bench -p engine --bench stream`: a record on PostgreSQL is filled once. Then, in turn: the relay publishes all
//! of it and a bare publisher sends the same messages; an engine reads them from the stream as a server does, alone and
//! with a second one that stands by, and a bare consumer counts them. Every run has a nats-server of its own; the CPU
//! told is that of the process that publishes or reads, without PostgreSQL's, nats-server's and the other side's.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod held;
#[path = "../../../benches/measure.rs"]
mod measure;
mod sides;

use std::io::BufRead;
use std::sync::Arc;

use domain::customer_event::Origin;
use domain::dsl::Limits;
use domain::ids::Position;
use domain::json::Json;
use domain::pattern::{self, Pattern};
use domain::tenant::{self, Tenant};
use eventlog::aggregates::Commands;
use eventlog::crypto::Vault;
use eventlog::customer_stream::{Door, Incoming};
use eventlog::nats::{self, Nats, Relay};
use eventlog::record::postgres::{Options, PostgresRecord};
use eventlog::record::{Metadata, Record, StreamId, StreamKind};
use eventlog::testing::{MASTER, postgres};
use held::Held;
use measure::{compare, tokio_runtime};

/// Events in the record.
const EVENTS: u64 = 60_000;

/// Patterns that look at them.
const PATTERNS: u64 = 100;

const CUSTOMERS: u64 = 20_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["as-relay", database, nats, begin] => as_relay(database, nats, Position(begin.parse().unwrap())),
        _ => tell(),
    }
}

fn tell() {
    let url = tokio_runtime().block_on(postgres::new_database(postgres::shared()));
    let (begin, end) = tokio_runtime().block_on(fill(&url));
    let filled = sides::Filled { url, begin, end };
    let messages = sides::messages(&filled);
    println!("{EVENTS} events, {} bytes a message", messages.bytes());
    compare(
        "publishing to JetStream (target: at most 1.5 times the bare publisher's CPU)",
        vec![
            ("the relay, from PostgreSQL", &mut || sides::relay(&filled)),
            ("a bare publisher, from memory", &mut || sides::publisher(&messages)),
        ],
    );
    compare(
        "reading from JetStream (target: at most 1.5 times the bare consumer's CPU)",
        vec![
            ("one worker, 100 patterns", &mut || sides::engines(&filled, 1, false)),
            ("two workers, half each", &mut || sides::engines(&filled, 2, false)),
            ("the same, ready for the other's half", &mut || sides::engines(&filled, 2, true)),
            ("the tail alone, its rows read", &mut || sides::tail(&filled)),
            ("a bare consumer", &mut || sides::consumer(&filled)),
        ],
    );
}

/// Publishes all rows after a position when it is told to; a process of its own, so that its CPU is not the reader's.
fn as_relay(database: &str, nats: &str, begin: Position) {
    tokio_runtime().block_on(async {
        let record: Arc<dyn Record> = open(database).await;
        let held = Arc::new(Held::at(record, begin));
        let nats = Nats::connect(nats::Options::new(nats), &*held).await.unwrap();
        tokio::spawn(Relay::new(nats, held.clone()).run());
        println!("ready");
        for _ in std::io::stdin().lock().lines() {
            held.let_go();
        }
    });
}

/// The record in that database.
async fn open(url: &str) -> Arc<PostgresRecord> {
    PostgresRecord::open(Options::new(url).unwrap()).await.unwrap()
}

/// Fills a record; where its events begin and end.
async fn fill(url: &str) -> (Position, Position) {
    let record: Arc<dyn Record> = open(url).await;
    let vault = Arc::new(Vault::new(record.clone(), MASTER));
    let commands = Commands::new(record.clone(), vault.clone());
    for command in [
        tenant::Command::Create { name: "Acme".into(), uuid: "6ba7b810-9dad-11d1-80b4-00c04fd430c8".into() },
        tenant::Command::SetKeyAttribute { expected: None, key: "id".into() },
    ] {
        let stream = StreamId::new(&"acme".into(), StreamKind::Tenant, "acme");
        commands.execute::<Tenant>(stream, command, Metadata::default()).await.unwrap();
    }
    for number in 0..PATTERNS {
        let id = format!("PT{number}");
        let create = pattern::Command::Create {
            name: id.clone(),
            description: None,
            status: true,
            // Seldom complete: what is measured is the way in.
            when: Some(format!(r#"(within 1 hours (count 50 (event (= type "t{number}"))))"#)),
            then: Some("(set x 1)".into()),
            templates: std::collections::BTreeSet::new(),
            limits: Limits::default(),
        };
        let stream = StreamId::new(&"acme".into(), StreamKind::Pattern, &id);
        commands.execute::<Pattern>(stream, create, Metadata::default()).await.unwrap();
    }
    let begin = record.head().borrow().position;
    let door = Door::new(record.clone(), vault);
    for first in (0..EVENTS).step_by(1_000) {
        let incoming = (first..first + 1_000).map(event).collect();
        for accepted in door.accept(incoming).await {
            accepted.unwrap();
        }
    }
    let end = record.head().borrow().position;
    (begin, end)
}

fn event(n: u64) -> Incoming {
    let (who, kind) = (format!("c{}", n.wrapping_mul(7_919) % CUSTOMERS), format!("t{}", n % PATTERNS));
    let note = "the customer hung up before anyone answered the call".to_owned();
    Incoming {
        tenant: "acme".into(),
        event: Json::object([("id", who), ("type", kind), ("note", note), ("n", n.to_string())]),
        idempotency_key: None,
        origin: Origin::Rest,
        metadata: Metadata::default(),
    }
}
