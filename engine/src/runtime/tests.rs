//! The live engine over a record in a temporary folder: matches once, whatever is stopped, lost or damaged between.

mod clock;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use domain::customer_event::Origin;
use domain::dsl::Limits;
use domain::ids::{PatternId, Point, Position, ReactionId, TenantId};
use domain::json::Json;
use domain::pattern::{self, Pattern};
use domain::reaction::Match;
use domain::time::Stamp;
use eventlog::aggregates::Commands;
use eventlog::checkpoint::Checkpoints;
use eventlog::crypto::{Opened, Vault};
use eventlog::customer_stream::{Door, Incoming};
use eventlog::record::{
    Expect, Item, Metadata, NewEvent, Outcome, Record, Recorded, Select, StreamId, StreamKind, Write,
};
use eventlog::testing::TempRecord;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::{Engine, Error, Options};
use crate::contributing::contributing;
use crate::replay::{Difference, replay};

mod checkpoints;
mod standby;

struct World {
    home: TempRecord,
    record: Arc<dyn Record>,
    vault: Arc<Vault>,
    door: Door,
    commands: Commands,
    tenant: TenantId,
    running: Option<Running>,
}

type Running = (oneshot::Sender<()>, JoinHandle<Result<(), Error>>, watch::Receiver<Position>);

/// The times of the tests count from here.
const START: i64 = 1_704_067_200_000;

fn minute(minute: i64) -> Stamp {
    Stamp(START + minute * 60_000)
}

const THEN: &str = "(delay 2 minutes)";

impl World {
    async fn new() -> Self {
        let home = TempRecord::new();
        let tenant = home.tenant("acme", "who").await;
        let record: Arc<dyn Record> = home.record.clone();
        let vault = home.vault();
        let door = Door::new(record.clone(), vault.clone());
        let commands = Commands::new(record.clone(), vault.clone());
        Self { home, record, vault, door, commands, tenant, running: None }
    }

    async fn command(&self, pattern: &str, command: pattern::Command) -> Position {
        let stream = StreamId::new(&self.tenant, StreamKind::Pattern, pattern);
        self.commands.execute::<Pattern>(stream, command, Metadata::default()).await.unwrap().position
    }

    async fn create(&self, id: &str, when: &str) -> Position {
        let create = pattern::Command::Create {
            name: id.into(),
            description: None,
            status: true,
            when: Some(when.into()),
            then: Some(THEN.into()),
            templates: BTreeSet::new(),
            limits: Limits::default(),
        };
        self.command(id, create).await
    }

    async fn update(&self, id: &str, status: bool, then: Option<&str>) -> Position {
        let update = pattern::Command::Update {
            expected: None,
            name: None,
            description: None,
            status: Some(status),
            when: None,
            then: then.map(|then| Some(then.into())),
            templates: BTreeSet::new(),
            limits: Limits::default(),
        };
        self.command(id, update).await
    }

    async fn append(&self, item: Item) -> Position {
        match self.record.append(vec![item]).await.unwrap().remove(0) {
            Outcome::Appended { last, .. } => last,
            other => panic!("{other:?}"),
        }
    }

    async fn customer_event(&self, key: &str, name: &str) -> Position {
        let incoming = Incoming {
            tenant: self.tenant.clone(),
            event: Json::object([("who", key), ("type", name)]),
            idempotency_key: None,
            origin: Origin::Rest,
            metadata: Metadata::default(),
        };
        self.door.accept(vec![incoming]).await.remove(0).unwrap().position
    }

    fn minute(&self, at: i64) {
        self.home.clock.set(minute(at));
    }

    fn checkpoints(&self) -> Checkpoints {
        self.home.engine_checkpoints()
    }

    fn start(&mut self) {
        self.start_with(Options { checkpoint_rows: 3, ..Options::default() });
    }

    fn start_with(&mut self, options: Options) {
        let engine = Engine::new(self.record.clone(), self.vault.clone(), self.checkpoints(), options);
        let progress = engine.progress();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(engine.run(async move { drop(stopped.await) }));
        self.running = Some((stop, task, progress));
    }

    /// Waits until all that is there has been matched.
    async fn settled(&mut self) {
        let head = self.record.head().borrow().position;
        let (_, _, progress) = self.running.as_mut().unwrap();
        let reached = progress.wait_for(|position| *position >= head);
        tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap().unwrap();
    }

    async fn stop(&mut self) {
        let (stop, task, _) = self.running.take().unwrap();
        stop.send(()).unwrap();
        task.await.unwrap().unwrap();
    }

    /// Ends it as a crash does: nothing is finished.
    async fn kill(&mut self) {
        let (_stop, task, _) = self.running.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    async fn rows(&self) -> Vec<Recorded> {
        self.record.read_after(Select::All, Position(0), 10_000).await.unwrap()
    }

    /// The matches as recorded, with their causes.
    async fn matches(&self) -> Vec<(Match, Position)> {
        let mut matches = Vec::new();
        for row in self.rows().await.iter().filter(|row| row.event_type == Match::TYPE) {
            let Opened::Clear(clear) = self.vault.open(row).await.unwrap() else { panic!("erased") };
            let found: Match = serde_json::from_slice(&clear).unwrap();
            let id = ReactionId::of(
                &self.tenant,
                &found.pattern,
                found.version,
                row.customer.unwrap(),
                found.point,
            );
            assert_eq!((row.stream.id.clone(), row.version), (id.to_string(), 1));
            matches.push((found, row.metadata.cause.unwrap()));
        }
        matches
    }

    /// Waits until so many matches are there.
    async fn matched(&self, count: usize) {
        let mut head = self.record.head();
        let matched = async {
            while self.matches().await.len() < count {
                head.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(30), matched).await.expect("the matches come in time");
    }

    async fn differences(&self) -> Vec<Difference> {
        replay(&self.record, &self.vault, &self.tenant, None).await.unwrap().differences
    }
}

const CALLS: &str = r#"(within 60 minutes (count 2 (event (= type "call"))))"#;
const CART: &str = r#"(within 60 minutes (seq (event (= type "cart")) (fail (event (= type "paid")))))"#;

#[tokio::test]
async fn a_match_is_recorded_with_its_witness_its_cause_and_the_program_in_force() {
    let mut world = World::new().await;
    let first_program = world.create("PT1", CALLS).await;
    world.start();
    let one = world.customer_event("ann", "call").await;
    let two = world.customer_event("bob", "call").await;
    // Another `then` keeps what was contributed; another version starts afresh.
    let second_program = world.update("PT1", true, Some("(delay 1 minutes)")).await;
    let three = world.customer_event("ann", "call").await;
    world.settled().await;
    let expected = Match {
        pattern: PatternId::from("PT1"),
        version: 1,
        point: Point::Event(three),
        at: minute(0),
        witness: vec![one, three],
        program: second_program,
    };
    assert!(first_program < second_program);
    assert_eq!(world.matches().await, [(expected, three)]);
    world.update("PT1", false, None).await;
    let program = world.update("PT1", true, None).await;
    world.customer_event("bob", "call").await;
    let contributed = |world: &World, key: &'static str| {
        let (record, vault, tenant) = (world.record.clone(), world.vault.clone(), world.tenant.clone());
        async move {
            let pattern = PatternId::from("PT1");
            let found = contributing(&record, &vault, &tenant, &pattern, key).await.unwrap().unwrap();
            (found.version, found.events.into_iter().map(|e| e.position).collect::<Vec<_>>())
        }
    };
    let four = world.record.head().borrow().position;
    assert_eq!(contributed(&world, "bob").await, (2, vec![four]));
    assert_eq!(contributed(&world, "ann").await, (2, vec![]));
    world.minute(61);
    assert_eq!(contributed(&world, "bob").await, (2, vec![]));
    world.minute(60);
    let five = world.customer_event("bob", "call").await;
    world.settled().await;
    let last = world.matches().await.pop().unwrap().0;
    assert_eq!((last.version, last.witness, last.program), (2, vec![four, five], program));
    assert!(two < four);
    world.update("PT1", false, None).await;
    world.customer_event("bob", "call").await;
    world.customer_event("bob", "call").await;
    world.settled().await;
    assert_eq!(world.matches().await.len(), 2);
    assert_eq!(world.differences().await, []);
    world.stop().await;
}

/// What happens, the engine being stopped, killed, or robbed of its checkpoint after the steps that `disturb` says.
async fn journey(disturb: impl Fn(usize) -> u8) -> Vec<(Match, Position)> {
    let mut world = World::new().await;
    world.create("PT1", CALLS).await;
    world.create("PT2", CART).await;
    world.start();
    let steps = [
        ("ann", "cart", 0),
        ("ann", "call", 1),
        ("bob", "cart", 5),
        ("bob", "paid", 9),
        ("cid", "cart", 20),
        ("ann", "call", 50),
        ("bob", "call", 58),
        ("ann", "other", 61),
        ("cid", "other", 81),
        ("bob", "call", 90),
        ("ann", "cart", 95),
        ("ann", "other", 200),
    ];
    for (number, (key, name, minute)) in steps.into_iter().enumerate() {
        world.minute(minute);
        world.customer_event(key, name).await;
        match disturb(number) {
            0 => {}
            1 => world.settled().await,
            2 => {
                world.stop().await;
                world.start();
            }
            3 => {
                world.kill().await;
                world.start();
            }
            4 => {
                world.stop().await;
                world.checkpoints().forget("engine").await.unwrap();
                world.start();
            }
            _ => {
                world.settled().await;
                world.stop().await;
                let head = world.record.head().borrow().position;
                let damaged = vec![(vec![3], Some(vec![9, 9])), (vec![99], Some(vec![1]))];
                world.checkpoints().commit("engine", head, damaged).await.unwrap();
                world.start();
            }
        }
    }
    world.settled().await;
    assert_eq!(world.differences().await, []);
    world.stop().await;
    world.matches().await
}

#[tokio::test]
async fn stops_crashes_and_lost_or_damaged_checkpoints_change_no_match() {
    let content = |matches: Vec<(Match, Position)>| {
        let mut content: Vec<_> =
            matches.into_iter().map(|(m, _)| (m.at, m.pattern, m.witness.len())).collect();
        content.sort();
        content
    };
    let undisturbed = content(journey(|_| 1).await);
    let (calls, cart) = (PatternId::from("PT1"), PatternId::from("PT2"));
    let expected = [
        (minute(50), calls.clone(), 2),
        (minute(60), cart.clone(), 1),
        (minute(80), cart.clone(), 1),
        (minute(90), calls, 2),
        (minute(155), cart, 1),
    ];
    assert_eq!(undisturbed, expected);
    for disturbance in 2..=5 {
        assert_eq!(content(journey(|_| disturbance).await), expected, "{disturbance}");
    }
    assert_eq!(content(journey(|n| [0, 3, 2, 0, 3, 1, 5, 4, 3, 2, 0, 0][n]).await), expected);
}

#[tokio::test]
async fn what_comes_at_the_very_deadline_still_counts() {
    let mut world = World::new().await;
    world.create("PT1", CART).await;
    world.start();
    world.customer_event("ann", "cart").await;
    world.customer_event("bob", "cart").await;
    world.minute(60);
    world.customer_event("ann", "paid").await;
    world.minute(61);
    let later = world.customer_event("ann", "other").await;
    world.customer_event("bob", "other").await;
    world.settled().await;
    let [(found, cause)] = &world.matches().await[..] else { panic!("bob's alone") };
    assert!(found.at == minute(60) && *cause > later);
    world.stop().await;
    assert_eq!(world.differences().await, []);
}

#[tokio::test]
async fn a_deadline_passes_by_itself_with_one_mark() {
    let mut world = World::new().await;
    let cart = r#"(within 1 seconds (seq (event (= type "cart")) (fail (event (= type "paid")))))"#;
    world.create("PT1", cart).await;
    world.start();
    let at = world.customer_event("ann", "cart").await;
    world.settled().await;
    world.home.clock.advance(1_001);
    let mut head = world.record.head();
    let matched = head.wait_for(|head| head.position.0 >= at.0 + 2);
    tokio::time::timeout(Duration::from_secs(30), matched).await.unwrap().unwrap();
    world.settled().await;
    let rows = world.rows().await;
    let cart = rows.iter().find(|row| row.position == at).unwrap();
    let marks: Vec<_> = rows.iter().filter(|row| row.stream.kind == StreamKind::Mark).collect();
    let [mark] = marks.as_slice() else { panic!("{marks:?}") };
    assert_eq!((mark.partition, mark.previous), (cart.partition, Some(at)));
    let due = Stamp(cart.stamp.0 + 1_000);
    assert!(mark.stamp > due);
    let [(found, cause)] = &world.matches().await[..] else { panic!() };
    assert_eq!((found.point, found.at, *cause), (Point::Deadline(due), due, mark.position));
    assert_eq!(found.witness, [at]);
    world.stop().await;
    assert_eq!(world.differences().await, []);
}

#[tokio::test]
async fn an_engine_that_lost_its_leases_appends_nothing_and_stops() {
    let mut world = World::new().await;
    world.create("PT1", CALLS).await;
    world.start();
    world.customer_event("ann", "call").await;
    world.settled().await;
    let leases: Vec<String> = (0..domain::ids::PARTITIONS).map(|p| format!("engine/{p}")).collect();
    world.record.take_leases(&leases, "another").await.unwrap();
    world.customer_event("ann", "call").await;
    let (_stop, task, _) = world.running.take().unwrap();
    assert!(matches!(task.await.unwrap(), Err(Error::Fenced(lease)) if lease.starts_with("engine/")));
    assert_eq!(world.matches().await, []);
    assert!(matches!(world.differences().await[..], [Difference::Missing(..)]));
}

#[tokio::test]
async fn replay_tells_what_is_surplus_and_what_differs_and_leaves_out_the_erased() {
    let mut world = World::new().await;
    let pattern = world.create("PT1", r#"(event (= type "call"))"#).await;
    for key in ["ann", "bob", "cid"] {
        world.customer_event(key, "call").await;
    }
    world.start();
    world.settled().await;
    world.stop().await;
    assert_eq!(world.differences().await, []);
    let forge = async |key: &str, point: Point, witness: Vec<Position>| {
        let customer = world.vault.customer(&world.tenant, key).await.unwrap();
        let (program, pattern) = (pattern, PatternId::from("PT1"));
        let id = ReactionId::of(&world.tenant, &pattern, 1, customer.id, point);
        let found = Match { pattern, version: 1, point, at: Stamp(0), witness, program };
        let clear = serde_json::to_vec(&found).unwrap();
        let sealed = world.vault.seal(&world.tenant, customer.id, Match::TYPE, &clear).await.unwrap();
        let event = NewEvent {
            event_type: Match::TYPE,
            event_version: 1,
            payload: sealed.0,
            event_id: None,
            configures: false,
        };
        let write = Write {
            stream: StreamId::new(&world.tenant, StreamKind::Reaction, id.to_string()),
            expect: Expect::Version(0),
            customer: Some(customer.id),
            partition: Some(customer.partition),
            events: vec![event],
        };
        world.append(Item { writes: vec![write], ..Item::default() }).await;
        id
    };
    let forged = forge("bob", Point::Deadline(Stamp(5)), vec![]).await;
    assert!(matches!(world.differences().await[..], [Difference::Surplus(id, _)] if id == forged));
    let cid = world.vault.customer(&world.tenant, "cid").await.unwrap();
    assert!(world.vault.erase(&world.tenant, cid.id, Metadata::default()).await.unwrap().is_some());
    let report = replay(&world.record, &world.vault, &world.tenant, Some(Stamp(1))).await.unwrap();
    assert_eq!((report.events, report.erased, report.matches, report.differences), (2, 2, 2, vec![]));
}
