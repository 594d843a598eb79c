//! What the tests run in: a record, a clock that they set, a stand-in for Twilio, and what the engine would append.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::customer_event::{CustomerEvent, Origin};
use domain::dsl::Limits;
use domain::ids::{CustomerId, EventId, PatternId, Point, Position, ReactionId, TenantId};
use domain::json::{Json, Limits as JsonLimits, Object, parse};
use domain::reaction::{Effect, Event, Input, InputKind, Match, Outcome as Ending};
use domain::time::Stamp;
use domain::{augment, pattern, template, tenant};
use eventlog::augment::{Api, Augmenter};
use eventlog::checkpoint::Checkpoints;
use eventlog::crypto::{Opened, Vault};
use eventlog::customer_stream::Door;
use eventlog::files::{FileStore, Files};
use eventlog::record::sqlite::{Options as RecordOptions, SqliteRecord};
use eventlog::record::{
    Error, Expect, Item, Layer, Metadata, NewEvent, Outcome, Record, Recorded, Select, StreamId, StreamKind,
    Write,
};
use eventlog::testing::ManualClock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::endpoint::Endpoints;
use crate::endpoint::double::Double;
use crate::replay;
use crate::runtime::{Handle, Notifier, Options};

pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) record: Arc<dyn Record>,
    pub(super) vault: Arc<Vault>,
    pub(super) checkpoints: Arc<Checkpoints>,
    pub(super) twilio: Arc<Double>,
    /// Who is asked for augments, if anybody.
    pub(super) api: Mutex<Option<Arc<dyn Api>>>,
    files: Arc<dyn Files>,
    pub(super) tenant: TenantId,
    patterns: AtomicUsize,
    folder: tempfile::TempDir,
}

/// A notifier that runs.
pub(super) struct Running {
    pub(super) handle: Handle,
    pub(super) task: JoinHandle<Result<(), crate::runtime::Error>>,
    stop: watch::Sender<bool>,
}

impl Running {
    /// Ends it as it should end.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        within(self.task).await.unwrap().unwrap();
    }

    /// Has gone through its loop, with all that is due by now.
    pub(super) async fn settle(&self) {
        within(self.settled()).await;
    }

    /// As [`Self::settle`], for as long as it takes.
    pub(super) async fn settled(&self) {
        for _ in 0..3 {
            let _ = self.handle.cancel(&TenantId::from("nobody"), ReactionId([0; 16]), "nobody").await;
        }
    }

    /// Ends it as it should end, or as a crash does if the record stops at its very last append, which shows in the
    /// record before it is known to have stopped; whether it was a crash.
    pub(super) async fn stop_or_crash(self, record: &Stopping) -> bool {
        let task = self.task.abort_handle();
        tokio::select! {
            () = self.stop() => false,
            () = record.stopped() => {
                task.abort();
                true
            }
        }
    }

    /// Ends it as a crash does.
    pub(super) async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// What is waited for comes, or the test fails.
pub(super) async fn within<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it should have come by now")
}

pub(super) fn options() -> Options {
    Options {
        tick: Duration::from_millis(2),
        checkpoint: Duration::from_millis(5),
        drain: Duration::from_millis(50),
        grace: Duration::from_secs(5),
        // Whatever only waits is read back from the record when that comes.
        awake: 0,
        ..Options::default()
    }
}

pub(super) const SMS: &str =
    "twilio sms {:to-phone-number *phone* :from-phone-number \"1\" :message \"hello\"}";

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(Stamp(1_000_000));
        let options = RecordOptions { clock: clock.clone(), ..RecordOptions::default() };
        let store = SqliteRecord::open(folder.path(), options).unwrap();
        let (record, files): (Arc<dyn Record>, Arc<dyn Files>) = (store.clone(), store);
        let vault = Arc::new(Vault::new(record.clone(), [7; 32]));
        let world = Self {
            clock,
            record,
            vault,
            checkpoints: Arc::new(Checkpoints::open(folder.path()).unwrap()),
            twilio: Double::new("twilio"),
            api: Mutex::default(),
            files,
            tenant: TenantId::from("T1"),
            patterns: AtomicUsize::new(0),
            folder,
        };
        world.new_tenant(&world.tenant).await;
        world
    }

    pub(super) async fn new_tenant(&self, tenant: &TenantId) {
        let created = tenant::Event::Created { name: "T".into(), uuid: tenant.to_string() };
        let key = tenant::Event::KeyAttributeSet { key: "id".into() };
        let stream = StreamId::new(tenant, StreamKind::Tenant, tenant.as_str());
        let events = vec![event("tenant-created", &created, false), event("key-attribute-set", &key, true)];
        let mut item = item(stream, Expect::Version(0), events);
        item.keys = vec![self.vault.new_tenant_key(tenant).await.unwrap()];
        self.append(item).await;
    }

    pub(super) fn advance(&self, millis: i64) {
        self.clock.advance(millis);
    }

    pub(super) fn notifier(&self) -> Running {
        self.notifier_on(self.record.clone(), options())
    }

    pub(super) fn notifier_on(&self, record: Arc<dyn Record>, options: Options) -> Running {
        self.notifier_with(record, Endpoints::built_in().with(self.twilio.clone()), options)
    }

    pub(super) fn notifier_with(
        &self,
        record: Arc<dyn Record>,
        endpoints: Endpoints,
        options: Options,
    ) -> Running {
        let vault = Arc::new(Vault::new(record.clone(), [7; 32]));
        let files = FileStore::new(self.files.clone(), vault.clone());
        let augmenter = Augmenter::new(files, self.api.lock().unwrap().clone());
        let door = Arc::new(Door::new(record.clone(), vault.clone()).augmented_by(augmenter));
        let notifier = Notifier::new(record, vault, door, self.checkpoints.clone(), endpoints, options);
        let (stop, mut stopped) = watch::channel(false);
        let handle = notifier.handle();
        let task = tokio::spawn(notifier.run(async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        }));
        Running { handle, task, stop }
    }

    pub(super) async fn append(&self, item: Item) -> (Position, Stamp) {
        match self.record.append(vec![item]).await.unwrap().pop().unwrap() {
            Outcome::Appended { last, stamp, .. } => (last, stamp),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn pattern(&self, then: &str) -> Position {
        let id = format!("PT{}", self.patterns.fetch_add(1, Ordering::SeqCst) + 1);
        let definition =
            pattern::Definition { then: Some(then.into()), status: true, version: 1, ..Default::default() };
        let stream = StreamId::new(&self.tenant, StreamKind::Pattern, id);
        let created = event("pattern-created", &pattern::Event::Created(definition), true);
        self.append(item(stream, Expect::Version(0), vec![created])).await.0
    }

    pub(super) async fn augment(&self, id: &str, definition: augment::Definition) {
        let stream = StreamId::new(&self.tenant, StreamKind::Augment, id);
        let created = event("augment-created", &augment::Event::Created(definition), true);
        self.append(item(stream, Expect::Version(0), vec![created])).await;
    }

    pub(super) async fn template(&self, id: &str, version: u64, text: &str) {
        let definition = template::Definition { template: text.into(), ..Default::default() };
        let stream = StreamId::new(&self.tenant, StreamKind::Template, id);
        let updated = event("template-updated", &template::Event::Updated(definition), false);
        self.append(item(stream, Expect::Version(version), vec![updated])).await;
    }

    pub(super) async fn event(&self, json: &str) -> Position {
        self.event_from(&self.tenant, json, Origin::Rest).await
    }

    pub(super) async fn event_from(&self, tenant: &TenantId, json: &str, origin: Origin) -> Position {
        let object = object(json);
        let key = object.get("id").and_then(Json::as_text).unwrap().to_owned();
        let customer = self.vault.customer(tenant, &key).await.unwrap();
        let content = CustomerEvent {
            id: EventId([1; 16]),
            key,
            event: object,
            augmented: Default::default(),
            contributing: true,
            origin,
        };
        let clear = serde_json::to_vec(&content).unwrap();
        let (payload, key) = self.vault.seal(tenant, customer.id, CustomerEvent::TYPE, &clear).await.unwrap();
        let stream = StreamId::new(tenant, StreamKind::Customer, customer.id.to_string());
        let new = NewEvent {
            event_type: CustomerEvent::TYPE,
            event_version: 1,
            payload,
            event_id: Some(content.id),
            configures: false,
        };
        let mut item = item(stream, Expect::Any, vec![new]);
        item.writes[0].customer = Some(customer.id);
        item.writes[0].partition = Some(customer.partition);
        item.keys.extend(key);
        item.config = Some(self.record.config_position(tenant).await.unwrap());
        self.append(item).await.0
    }

    /// What the engine appends for a match whose last event is the last of the witness.
    pub(super) async fn matched(&self, program: Position, witness: &[Position]) -> ReactionId {
        self.matched_for(&self.tenant, program, witness).await
    }

    pub(super) async fn matched_for(
        &self,
        tenant: &TenantId,
        program: Position,
        witness: &[Position],
    ) -> ReactionId {
        let last = *witness.last().unwrap();
        let row = self.record.read_at(&[last]).await.unwrap().pop().unwrap();
        let (customer, partition) = (row.customer.unwrap(), row.partition.unwrap());
        let pattern = PatternId::from("PT1");
        let point = Point::Event(last);
        let id = ReactionId::of(tenant, &pattern, u32::try_from(program.0).unwrap(), customer, point);
        let matched = Match { pattern, version: 1, point, at: row.stamp, witness: witness.to_vec(), program };
        let new = self.sealed(tenant, customer, &Event::Matched(matched)).await;
        let stream = StreamId::new(tenant, StreamKind::Reaction, id.to_string());
        let mut item = item(stream, Expect::Version(0), vec![new]);
        item.writes[0].customer = Some(customer);
        item.writes[0].partition = Some(partition);
        item.metadata = Metadata { cause: Some(last), ..Metadata::default() };
        self.append(item).await;
        id
    }

    /// So many matches, each of one of the events in turn.
    pub(super) async fn matches(
        &self,
        program: Position,
        events: &[Position],
        times: u32,
    ) -> Vec<ReactionId> {
        let rows = self.record.read_at(events).await.unwrap();
        let (mut items, mut reactions) = (Vec::new(), Vec::new());
        for (n, row) in (0..times).zip(rows.iter().cycle()) {
            let (customer, pattern) = (row.customer.unwrap(), PatternId(format!("PT{n}")));
            let (point, witness) = (Point::Event(row.position), vec![row.position]);
            let id = ReactionId::of(&self.tenant, &pattern, 1, customer, point);
            let matched = Match { pattern, version: 1, point, at: row.stamp, witness, program };
            let new = self.sealed(&self.tenant, customer, &Event::Matched(matched)).await;
            let stream = StreamId::new(&self.tenant, StreamKind::Reaction, id.to_string());
            let mut item = item(stream, Expect::Version(0), vec![new]);
            item.writes[0].customer = Some(customer);
            item.writes[0].partition = row.partition;
            items.push(item);
            reactions.push(id);
        }
        self.record.append(items).await.unwrap();
        reactions
    }

    /// A reaction of that program for one event.
    pub(super) async fn reaction(&self, then: &str, event: &str) -> ReactionId {
        let program = self.pattern(then).await;
        let position = self.event(event).await;
        self.matched(program, &[position]).await
    }

    async fn sealed(&self, tenant: &TenantId, customer: CustomerId, event: &Event) -> NewEvent {
        let clear = event.to_json().unwrap();
        let (payload, _) = self.vault.seal(tenant, customer, event.event_type(), &clear).await.unwrap();
        NewEvent {
            event_type: event.event_type(),
            event_version: 1,
            payload,
            event_id: None,
            configures: false,
        }
    }

    /// The rows of a reaction's stream, opened.
    pub(super) async fn trail(&self, reaction: ReactionId) -> Vec<(Recorded, Event)> {
        let stream = StreamId::new(&self.tenant, StreamKind::Reaction, reaction.to_string());
        let rows = self.record.read_after(Select::Stream(stream), Position(0), 10_000).await.unwrap();
        let mut trail = Vec::new();
        for row in rows {
            let Opened::Clear(clear) = self.vault.open(&row).await.unwrap() else { panic!("erased") };
            let event = Event::from_json(&row.event_type, row.event_version, &clear).unwrap();
            trail.push((row, event));
        }
        trail
    }

    /// Waits until the trail is as `done` says.
    pub(super) async fn until(
        &self,
        reaction: ReactionId,
        done: impl Fn(&[(Recorded, Event)]) -> bool,
    ) -> Vec<(Recorded, Event)> {
        let mut head = self.record.head();
        within(async {
            loop {
                head.borrow_and_update();
                let trail = self.trail(reaction).await;
                if done(&trail) {
                    return trail;
                }
                head.changed().await.unwrap();
            }
        })
        .await
    }

    /// Waits until it has recorded so many entries of that name.
    pub(super) async fn until_has(&self, reaction: ReactionId, name: &str, times: usize) {
        self.until(reaction, |trail| trail.iter().filter(|(row, _)| row.event_type == name).count() >= times)
            .await;
    }

    /// Waits for its end.
    pub(super) async fn end(&self, reaction: ReactionId) -> Ending {
        let ending = |trail: &[(Recorded, Event)]| {
            trail.iter().find_map(|(_, event)| match event {
                Event::Effect(Effect::Finished(ending)) => Some(ending.clone()),
                _ => None,
            })
        };
        let trail = self.until(reaction, |trail| ending(trail).is_some()).await;
        ending(&trail).unwrap()
    }

    /// All reactions come out of the interpreter as they are recorded.
    pub(super) async fn replays(&self) -> replay::Report {
        let report =
            replay::replay(self.record.clone(), &self.vault, &self.tenant, Position(0), Limits::default())
                .await
                .unwrap();
        assert!(report.is_clean(), "{report:?}");
        report
    }

    /// The values of the events that reactions have put in, in order.
    pub(super) async fn events_of_reactions(&self) -> Vec<CustomerEvent> {
        let select = Select::CustomerEvents(self.tenant.clone());
        let rows = self.record.read_after(select, Position(0), 10_000).await.unwrap();
        let mut events = Vec::new();
        for row in rows {
            let Opened::Clear(clear) = self.vault.open(&row).await.unwrap() else { panic!("erased") };
            let event: CustomerEvent = serde_json::from_slice(&clear).unwrap();
            if matches!(event.origin, Origin::Reaction { .. }) {
                events.push(event);
            }
        }
        events
    }

    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

/// The inputs of a trail, in order.
pub(super) fn inputs(trail: &[(Recorded, Event)]) -> Vec<&Input> {
    trail
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Input(input) => Some(input),
            _ => None,
        })
        .collect()
}

/// What a trail was started with.
pub(super) fn context(trail: &[(Recorded, Event)]) -> Object {
    inputs(trail)
        .iter()
        .find_map(|input| match &input.kind {
            InputKind::Started(started) => Some(started.context.clone()),
            _ => None,
        })
        .unwrap()
}

/// How often each stored name is in a trail.
pub(super) fn names(trail: &[(Recorded, Event)]) -> HashMap<&str, usize> {
    let mut names = HashMap::new();
    for (row, _) in trail {
        *names.entry(row.event_type.as_str()).or_default() += 1;
    }
    names
}

pub(super) fn object(json: &str) -> Object {
    parse(json.as_bytes(), JsonLimits::EVENT).unwrap().as_object().cloned().unwrap()
}

pub(super) fn event(name: &'static str, content: &impl serde::Serialize, configures: bool) -> NewEvent {
    let payload = serde_json::to_vec(content).unwrap();
    NewEvent { event_type: name, event_version: 1, payload, event_id: None, configures }
}

pub(super) fn item(stream: StreamId, expect: Expect, events: Vec<NewEvent>) -> Item {
    let write = Write { stream, expect, customer: None, partition: None, events };
    Item { writes: vec![write], ..Item::default() }
}

/// A record that stops answering at one of its appends: before or after it is committed.
pub(super) struct Stopping {
    inner: Arc<dyn Record>,
    appends: AtomicUsize,
    at: usize,
    committed: bool,
    stopped: watch::Sender<bool>,
}

impl Stopping {
    pub(super) fn new(inner: Arc<dyn Record>, at: usize, committed: bool) -> Arc<Self> {
        let (stopped, _) = watch::channel(false);
        Arc::new(Self { inner, appends: AtomicUsize::new(0), at, committed, stopped })
    }

    pub(super) async fn stopped(&self) {
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }
}

#[async_trait]
impl Layer for Stopping {
    fn inner(&self) -> &dyn Record {
        &*self.inner
    }

    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        if self.appends.fetch_add(1, Ordering::SeqCst) != self.at {
            return self.inner.append(items).await;
        }
        if self.committed {
            self.inner.append(items).await?;
        }
        self.stopped.send_replace(true);
        std::future::pending().await
    }
}
