//! Matching in bounded memory: whatever is spilled, whenever checkpoints are written, fail or are gone back to, the
//! matches are those of the reference.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::configuration::Change;
use domain::ids::{CustomerId, Partition, PatternId, Point, Position, TenantId};
use domain::json::Object;
use domain::pattern::{Definition, Event as PatternEvent};
use domain::time::Stamp;
use engine::runtime::{Completed, Matcher, Place, Said};
use eventlog::checkpoint::{Checkpoints, Row};
use system_tests::property::{Case, Dice};
use system_tests::reference::{self, matches};

/// The checkpoint's name.
const NAME: &str = "engine";

/// A customer whose id ends so that few of them share a bucket.
fn customer(number: usize) -> CustomerId {
    let mut id = [number as u8; 16];
    id[15] = (number % 3) as u8;
    CustomerId(id)
}

fn partition(number: usize) -> Partition {
    Partition((number % 2) as u8)
}

/// An event of one of the customers.
struct Step {
    customer: usize,
    time: i64,
    event: Object,
}

struct World {
    patterns: Vec<Case>,
    timelines: Vec<Vec<reference::Event>>,
    /// All customers' events in the order of their times.
    steps: Vec<Step>,
}

impl World {
    fn draw(dice: &mut Dice) -> Self {
        let patterns: Vec<Case> = (0..dice.between(1, 4)).map(|_| Case::draw(dice)).collect();
        let timelines: Vec<_> = (0..dice.between(2, 9)).map(|_| Case::draw(dice).timeline).collect();
        let mut steps: Vec<Step> = timelines
            .iter()
            .enumerate()
            .flat_map(|(customer, timeline)| {
                let step = move |event: &reference::Event| Step {
                    customer,
                    time: event.time,
                    event: event.attributes.clone(),
                };
                timeline.iter().map(step)
            })
            .collect();
        steps.sort_by_key(|step| step.time);
        Self { patterns, timelines, steps }
    }

    fn configured(&self) -> Matcher {
        let mut matcher = Matcher::new();
        for (number, case) in (0_u64..).zip(&self.patterns) {
            let definition = Definition {
                status: true,
                when: Some(case.trigger.to_string()),
                version: 1,
                ..Definition::default()
            };
            let change = Change::Pattern(PatternId(format!("P{number}")), PatternEvent::Created(definition));
            matcher.configure(&tenant(), Position(number + 1), change);
        }
        matcher
    }

    /// What comes out of the reference: by customer and pattern, point and witness.
    fn expected(&self) -> BTreeMap<Id, Vec<u64>> {
        let mut all = BTreeMap::new();
        for (customer, timeline) in self.timelines.iter().enumerate() {
            let positions: Vec<u64> = (0..)
                .zip(&self.steps)
                .filter(|(_, step)| step.customer == customer)
                .map(|(n, _)| at(n))
                .collect();
            for (number, case) in self.patterns.iter().enumerate() {
                for found in matches(&case.trigger, timeline, i64::MAX) {
                    let point = match found.point.place {
                        reference::Place::Event(index) => Point::Event(Position(positions[index])),
                        reference::Place::Tick => Point::Deadline(Stamp(found.point.time)),
                    };
                    let witness = found.witness.iter().map(|index| positions[*index]).collect();
                    all.insert((customer, format!("P{number}"), told(point)), witness);
                }
            }
        }
        all
    }
}

/// Customer, pattern, point.
type Id = (usize, String, String);

fn tenant() -> TenantId {
    TenantId("acme".into())
}

/// The position of a step.
fn at(step: usize) -> u64 {
    100 + 3 * step as u64
}

fn told(point: Point) -> String {
    format!("{point:?}")
}

/// The matcher, and what it has said so far.
struct Run<'w> {
    world: &'w World,
    checkpoints: Checkpoints,
    matcher: Matcher,
    limit: usize,
    found: BTreeMap<Id, Vec<u64>>,
    /// The next step, and the one at which the checkpoint is.
    next: usize,
    saved: usize,
    /// How often something was spilled, and gone back.
    spilled: usize,
    restarts: usize,
}

impl Run<'_> {
    fn take(&mut self, completed: Vec<Completed>) {
        for completed in completed {
            let number = (0..self.world.timelines.len()).find(|n| customer(*n) == completed.customer);
            let id = (number.expect("a customer"), completed.found.pattern.0, told(completed.found.point));
            let witness: Vec<u64> = completed.found.witness.iter().map(|position| position.0).collect();
            let before = self.found.insert(id.clone(), witness.clone());
            assert!(before.is_none_or(|before| before == witness), "{id:?} comes out in two ways");
        }
    }

    fn step(&mut self) {
        let step = &self.world.steps[self.next];
        let place = Place {
            partition: partition(step.customer),
            position: Position(at(self.next)),
            stamp: Stamp(step.time),
        };
        let mut completed = Vec::new();
        self.matcher.pass(place, &mut completed).expect("read back");
        let event =
            self.matcher.event(&tenant(), customer(step.customer), place, &step.event, &mut completed);
        event.expect("read back");
        self.take(completed);
        self.next += 1;
    }

    /// A snapshot, some more steps before it is written, if it ever is, and then as much spilled as may be.
    async fn save(&mut self, dice: &mut Dice) {
        let (snapshot, upto) = (self.matcher.snapshot().expect("read back"), self.next);
        let number = snapshot.number();
        for _ in 0..dice.between(0, 4).min(self.world.steps.len() - self.next) {
            self.step();
            self.spill();
        }
        if dice.chance(20) {
            return;
        }
        self.checkpoints.commit_each(NAME, Position(at(upto)), snapshot.changes()).await.expect("written");
        self.matcher.saved(number);
        self.saved = upto;
        self.spill();
    }

    fn spill(&mut self) {
        let before = self.matcher.used();
        while self.matcher.spill(self.limit) {}
        self.spilled += usize::from(self.matcher.used() < before);
    }

    /// Begins anew from the checkpoint.
    async fn restart(&mut self) {
        let mut matcher = self.world.configured();
        matcher.spill_to(Arc::new(self.checkpoints.rows(NAME).expect("opened")));
        let limit = self.limit;
        let restore = move |(matcher, said): &mut (Matcher, Said), key: &[u8], row: &[u8]| {
            matcher.restore(said, key, row, limit).expect("it is of use");
            Ok(())
        };
        let begin = (matcher, Said::default());
        match self.checkpoints.fold(NAME, begin, restore).await.expect("read") {
            Some((_, (matcher, _))) => self.matcher = matcher,
            None => {
                self.matcher = self.world.configured();
                self.matcher.spill_to(Arc::new(self.checkpoints.rows(NAME).expect("opened")));
            }
        }
        self.next = self.saved;
        self.restarts += 1;
    }

    /// Lets every deadline pass.
    fn end(&mut self) {
        for number in 0..2 {
            let place =
                Place { partition: Partition(number), position: Position(1 << 40), stamp: Stamp(i64::MAX) };
            let mut completed = Vec::new();
            self.matcher.pass(place, &mut completed).expect("read back");
            self.take(completed);
        }
    }
}

#[tokio::test]
async fn matches_do_not_depend_on_how_much_memory_there_is() {
    let seed = std::env::var("CXENGAGE_SEED").map_or_else(
        |_| std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64),
        |seed| seed.parse().expect("a whole number"),
    );
    let (mut spilled, mut restarts, mut matched, mut ticked) = (0, 0, 0, 0);
    let folder = tempfile::tempdir().expect("a folder");
    for round in 0..250 {
        let seed = seed.wrapping_add(round);
        let dice = &mut Dice::new(seed);
        let world = World::draw(dice);
        let checkpoints = Checkpoints::open_engine(folder.path()).expect("opened");
        checkpoints.forget(NAME).await.expect("forgotten");
        let matcher = world.configured();
        let limit = *dice.one_of(&[0, 0, 400, 2_000]);
        let found = BTreeMap::new();
        let mut run = Run {
            world: &world,
            checkpoints,
            matcher,
            limit,
            found,
            next: 0,
            saved: 0,
            spilled: 0,
            restarts: 0,
        };
        run.restart().await;
        while run.next < world.steps.len() {
            match dice.between(1, 100) {
                1..=30 => run.save(dice).await,
                31..=35 if run.restarts < 5 => run.restart().await,
                _ => run.step(),
            }
        }
        if dice.chance(50) {
            run.save(dice).await;
        }
        run.end();
        assert_eq!(run.found, world.expected(), "again with CXENGAGE_SEED={seed}");
        spilled += run.spilled;
        restarts += run.restarts;
        matched += run.found.len();
        ticked += run.found.keys().filter(|(_, _, point)| point.starts_with("Deadline")).count();
    }
    println!("{spilled} times spilled, {restarts} starts, {matched} matches, {ticked} of them deadlines");
    assert!(spilled > 500 && restarts > 300 && matched > 1_000 && ticked > 100, "too little to say anything");
}

#[tokio::test]
async fn a_row_that_is_damaged_while_its_states_are_spilled_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let checkpoints = Checkpoints::open_engine(folder.path()).expect("opened");
    let dice = &mut Dice::new(3);
    // One that holds something after its first event.
    let world = loop {
        let world = World::draw(dice);
        let mut matcher = world.configured();
        let place =
            Place { partition: partition(world.steps[0].customer), position: Position(9), stamp: Stamp(0) };
        let event = &world.steps[0].event;
        matcher
            .event(&tenant(), customer(world.steps[0].customer), place, event, &mut Vec::new())
            .expect("fed");
        if matcher.used() > 0 {
            break world;
        }
    };
    let mut run = Run {
        matcher: world.configured(),
        world: &world,
        checkpoints: checkpoints.clone(),
        limit: 0,
        found: BTreeMap::new(),
        next: 0,
        saved: 0,
        spilled: 0,
        restarts: 0,
    };
    run.restart().await;
    run.step();
    let snapshot = run.matcher.snapshot().expect("taken");
    let number = snapshot.number();
    checkpoints.commit_each(NAME, Position(200), snapshot.changes()).await.expect("written");
    run.matcher.saved(number);
    run.spill();
    assert!(run.spilled > 0);
    let (_, rows) = checkpoints.load(NAME).await.expect("sound").expect("there");
    let emptied = |(key, row): Row| (key, Some(row[..2].to_vec()));
    let rows: Vec<_> = rows.into_iter().filter(|(key, _)| !key.is_empty()).map(emptied).collect();
    checkpoints.commit(NAME, Position(200), rows).await.expect("written");
    let first = &world.steps[0];
    let place =
        Place { partition: partition(first.customer), position: Position(300), stamp: Stamp(i64::MAX) };
    let passed = run.matcher.pass(place, &mut Vec::new());
    let fed = run.matcher.event(&tenant(), customer(first.customer), place, &first.event, &mut Vec::new());
    assert!(passed.is_err() || fed.is_err());
}
