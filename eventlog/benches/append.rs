//! Appending one event and a thousand at once, beside bare SQLite with the same tables and fsyncs; and what sealing
//! costs.
//!
//! `cargo bench -p eventlog --features testing --bench append`, or `… -- one`, `many`, `sealed`, `door`.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../../benches/bare.rs"]
mod bare;
#[path = "../../benches/measure.rs"]
mod measure;

use bare::{Bare, Row};
use domain::customer_event::Origin;
use domain::ids::{EventId, TenantId};
use domain::json::{Limits, parse};
use eventlog::crypto::{Customer, Vault};
use eventlog::customer_stream::Incoming;
use eventlog::record::{Expect, Item, Metadata, NewEvent, Record, StreamId, StreamKind, Write};
use eventlog::testing::TempRecord;
use measure::{Run, asked, compare, measured, tokio_runtime};
use tokio::runtime::Runtime;

/// Appended one by one.
const FEW: u64 = 2_000;
/// Appended by groups.
const MANY: u64 = 100_000;
const GROUP: u64 = 1_000;
/// Of so many customers.
const CUSTOMERS: u64 = 1_000;

fn main() {
    let rows = rows();
    if asked("one") {
        compare(
            "append of one event, each with its fsync",
            vec![
                ("record, one by one", &mut || record(FEW, 1, false)),
                ("bare SQLite, one by one", &mut || alone(&rows, FEW, 1)),
            ],
        );
    }
    if asked("many") {
        compare(
            "append of 1,000 events at once",
            vec![
                ("record, by thousands", &mut || record(MANY, GROUP, false)),
                ("bare SQLite, by thousands", &mut || alone(&rows, MANY, GROUP)),
            ],
        );
    }
    if asked("sealed") {
        compare(
            "sealing's share, 1,000 events at once (target: at most 1.5 times unsealed)",
            vec![
                ("sealed and appended", &mut || record(MANY, GROUP, true)),
                ("appended in clear", &mut || record(MANY, GROUP, false)),
            ],
        );
    }
    if asked("door") {
        compare(
            "through the door: identified, validated, sealed, appended, 1,000 events at once",
            vec![
                ("the door", &mut door),
                ("appended in clear", &mut || record(MANY, GROUP, false)),
                ("bare SQLite, by thousands", &mut || alone(&rows, MANY, GROUP)),
            ],
        );
    }
}

/// An event of about 200 bytes, as stored.
fn event(n: u64) -> String {
    format!(
        r#"{{"id":"{}","type":"call","state":"abandoned","queue":"support","wait":{},"agent":"a{}","note":"the customer hung up before anyone answered the call","segment":"platinum","n":{n}}}"#,
        n % CUSTOMERS,
        n % 300,
        n % 40,
    )
}

/// As a record's rows look: sealed payloads are 49 bytes longer.
fn rows() -> Vec<Row> {
    let row = |n: u64| Row {
        kind: "customer",
        id: format!("acme/{:032x}", n % CUSTOMERS),
        version: 0,
        event_type: "customer-event".into(),
        payload: event(n).into_bytes(),
    };
    (0..MANY).map(row).collect()
}

fn alone(rows: &[Row], count: u64, group: u64) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut bare = Bare::open(folder.path());
    let groups = rows[..count as usize].chunks(group as usize);
    measured(|| {
        groups.for_each(|rows| bare.commit(rows));
        count
    })
}

struct World {
    runtime: Runtime,
    temp: TempRecord,
    tenant: TenantId,
    customers: Vec<Customer>,
    vault: std::sync::Arc<Vault>,
}

fn world() -> World {
    let runtime = tokio_runtime();
    let (temp, tenant, customers, vault) = runtime.block_on(async {
        let temp = TempRecord::new();
        let tenant = temp.tenant("acme", "id").await;
        let vault = temp.vault();
        let mut customers = Vec::new();
        for n in 0..CUSTOMERS {
            let customer = vault.customer(&tenant, &n.to_string()).await.unwrap();
            // Their keys are there, as those of customers who have been seen before.
            let key = vault.sealer(&tenant, customer.id).await.unwrap().row();
            let item = Item { keys: key.clone().into_iter().collect(), ..Item::default() };
            temp.record.append(vec![item]).await.unwrap();
            key.iter().for_each(|key| vault.stored(key));
            customers.push(customer);
        }
        (temp, tenant, customers, vault)
    });
    World { runtime, temp, tenant, customers, vault }
}

fn record(count: u64, group: u64, sealed: bool) -> Run {
    let world = world();
    let clear: Vec<Vec<u8>> = (0..count).map(|n| event(n).into_bytes()).collect();
    let run = measured(|| {
        world.runtime.block_on(async {
            for (first, group) in (0..).step_by(group as usize).zip(clear.chunks(group as usize)) {
                let mut items = Vec::with_capacity(group.len());
                for (n, clear) in (first..).zip(group) {
                    items.push(world.item(n, clear, sealed).await);
                }
                world.temp.record.append(items).await.unwrap();
            }
        });
        count
    });
    drop(world.vault);
    run
}

impl World {
    async fn item(&self, n: u64, clear: &[u8], sealed: bool) -> Item {
        let customer = &self.customers[(n % CUSTOMERS) as usize];
        let payload = match sealed {
            true => self.vault.seal(&self.tenant, customer.id, "customer-event", clear).await.unwrap().0,
            false => clear.to_vec(),
        };
        let write = Write {
            stream: StreamId::new(&self.tenant, StreamKind::Customer, customer.id.to_string()),
            expect: Expect::Any,
            customer: Some(customer.id),
            partition: Some(customer.partition),
            events: vec![NewEvent {
                event_type: "customer-event",
                event_version: 1,
                payload,
                event_id: Some(EventId([7; 16])),
                configures: false,
            }],
        };
        Item { writes: vec![write], ..Item::default() }
    }
}

fn door() -> Run {
    let world = world();
    let door = world.temp.door();
    let incoming: Vec<Incoming> = (0..MANY)
        .map(|n| Incoming {
            tenant: world.tenant.clone(),
            event: parse(event(n).as_bytes(), Limits::EVENT).unwrap(),
            idempotency_key: None,
            origin: Origin::Rest,
            metadata: Metadata::default(),
        })
        .collect();
    measured(|| {
        world.runtime.block_on(async {
            for group in incoming.chunks(GROUP as usize) {
                assert!(door.accept(group.to_vec()).await.iter().all(Result::is_ok));
            }
        });
        MANY
    })
}
