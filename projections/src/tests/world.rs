//! A record with something in it, its read models, and all their rows as text.

use std::sync::Arc;

use domain::dsl::Limits;
use domain::ids::{CustomerId, PatternId, Point, Position, ReactionId, TenantId};
use domain::json::{Json, Object};
use domain::reaction::{
    Answer, Effect, Event, Failure, Input, InputKind, Match, Outcome, Request, Rules, Started, StepId,
    Success,
};
use domain::time::Stamp;
use domain::{pattern, template};
use eventlog::crypto::Vault;
use eventlog::record::{
    Expect, Item, Metadata, NewEvent, Outcome as Appended, Record, Select, StreamId, StreamKind, Write,
};
use eventlog::testing::TempRecord;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::entry::{self, Entry};
use crate::model::MODELS;
use crate::{Views, store};

pub struct World {
    pub temp: TempRecord,
    pub vault: Arc<Vault>,
    pub tenant: TenantId,
    pub customer: CustomerId,
    versions: std::collections::HashMap<ReactionId, u64>,
}

impl World {
    pub async fn new() -> Self {
        let temp = TempRecord::new();
        let vault = temp.vault();
        let tenant = temp.tenant("acme", "id").await;
        let customer = vault.customer(&tenant, "1234").await.unwrap().id;
        Self { temp, vault, tenant, customer, versions: Default::default() }
    }

    pub fn path(&self) -> std::path::PathBuf {
        self.temp.folder().join("views.db")
    }

    pub fn views(&self) -> Views {
        Views::open(&self.path()).unwrap()
    }

    /// Views that have taken in all that there is.
    pub async fn caught_up(&self) -> Views {
        let views = self.views();
        self.catch_up(&views).await;
        views
    }

    pub async fn catch_up(&self, views: &Views) {
        let entries = self.entries().await;
        let end = self.end();
        let after = views.write(|connection| store::furthest_behind(connection)).await.unwrap();
        views.write(move |connection| store::apply(connection, after, end, &entries)).await.unwrap();
    }

    pub fn end(&self) -> Position {
        self.temp.record.head().borrow().position
    }

    pub async fn entries(&self) -> Vec<Entry> {
        let rows = self.temp.record.read_after(Select::Domain, Position(0), 10_000).await.unwrap();
        entry::read(&self.vault, rows).await.unwrap()
    }

    pub async fn pattern(&self, id: &str, command: pattern::Command) {
        let stream = StreamId::new(&self.tenant, StreamKind::Pattern, id);
        let by = Metadata { by: Some("alice".into()), ..Metadata::default() };
        self.temp.commands().execute::<pattern::Pattern>(stream, command, by).await.unwrap();
    }

    pub async fn template(&self, id: &str, command: template::Command) {
        let stream = StreamId::new(&self.tenant, StreamKind::Template, id);
        let commands = self.temp.commands();
        commands.execute::<template::Template>(stream, command, Metadata::default()).await.unwrap();
    }

    /// Appends to a reaction's stream; returns where the last event stands.
    pub async fn reaction(&mut self, id: ReactionId, events: Vec<Event>) -> Position {
        self.reaction_of(self.customer, id, events).await
    }

    pub async fn reaction_of(
        &mut self,
        customer: CustomerId,
        id: ReactionId,
        events: Vec<Event>,
    ) -> Position {
        let mut item = Item::default();
        let mut sealed = Vec::new();
        for event in &events {
            let clear = event.to_json().unwrap();
            let (payload, key) =
                self.vault.seal(&self.tenant, customer, event.event_type(), &clear).await.unwrap();
            item.keys = key.into_iter().chain(item.keys).take(1).collect();
            sealed.push(NewEvent {
                event_type: event.event_type(),
                event_version: Event::VERSION,
                payload,
                event_id: None,
                configures: false,
            });
        }
        let version = self.versions.entry(id).or_default();
        item.writes.push(Write {
            stream: StreamId::new(&self.tenant, StreamKind::Reaction, id.to_string()),
            expect: Expect::Version(*version),
            customer: Some(customer),
            partition: Some(eventlog::crypto::partition_of(&self.tenant, customer)),
            events: sealed,
        });
        *version += events.len() as u64;
        let keys = item.keys.clone();
        self.temp.clock.advance(1_000);
        match self.temp.record.append(vec![item]).await.unwrap()[..] {
            [Appended::Appended { last, .. }] => {
                keys.iter().for_each(|key| self.vault.stored(key));
                last
            }
            ref other => panic!("{other:?}"),
        }
    }

    /// What a day brings: definitions that come, change and go, and reactions that end in each way.
    pub async fn day(&mut self) {
        for n in 1..=3 {
            self.template(&format!("TM{n}"), new_template("Hi {{name}}")).await;
            self.pattern(&format!("PT{n}"), new_pattern(&format!("pattern {n}"))).await;
        }
        self.pattern("PT2", renamed("renamed")).await;
        self.pattern("PT3", pattern::Command::Delete { expected: None }).await;
        self.template("TM3", template::Command::Delete { expected: None, used_by: vec![] }).await;
        self.temp.client("robot").await;
        self.reaction(reaction(1), vec![matched("PT1"), started(1), send(1, 0, 1, "a"), finished_ok(0)])
            .await;
        self.reaction(reaction(1), vec![Event::Effect(Effect::Finished(Outcome::Done))]).await;
        self.reaction(reaction(2), vec![matched("PT2"), started(2), send(2, 0, 1, "a")]).await;
        self.reaction(reaction(2), vec![answered_badly(0), send(2, 1, 2, "a")]).await;
        self.reaction(reaction(2), vec![answered_badly(1), failed()]).await;
        self.reaction(reaction(3), vec![matched("PT1")]).await;
    }
}

pub fn reaction(n: u8) -> ReactionId {
    ReactionId([n; 16])
}

pub fn matched(pattern: &str) -> Event {
    Event::Matched(Match {
        pattern: PatternId::from(pattern),
        version: 1,
        point: Point::Event(Position(1)),
        at: Stamp(77),
        witness: vec![Position(1)],
        program: Position(1),
    })
}

fn input(kind: InputKind) -> Event {
    Event::Input(Input { at: Stamp(0), jitter: 0, kind })
}

pub fn started(n: u8) -> Event {
    input(InputKind::Started(Box::new(Started {
        reaction: reaction(n),
        program: Position(1),
        templates: Default::default(),
        context: [("name".to_owned(), Json::from("Zoë Quimby"))].into_iter().collect(),
        augmented: Default::default(),
        rules: Rules::default(),
    })))
}

pub fn send(n: u8, step: u32, attempt: u32, place: &str) -> Event {
    Event::Effect(Effect::Send(Request {
        id: StepId(step),
        place: Default::default(),
        endpoint: "twilio".into(),
        verb: "sms".into(),
        params: [("message".to_owned(), Json::from("for Zoë Quimby"))].into_iter().collect(),
        poll: false,
        attempt,
        group: 0,
        key: format!("{}/{place}/0", reaction(n)),
        limit_ms: 15_000,
        possibly_sent_twice: attempt > 1,
        released: false,
        again_of: None,
    }))
}

pub fn finished_ok(step: u32) -> Event {
    let answer = Answer::Succeeded(Success { response: Object::new(), ..Success::default() });
    input(InputKind::Answered { send: StepId(step), answer })
}

pub fn answered_badly(step: u32) -> Event {
    input(InputKind::Answered { send: StepId(step), answer: Answer::Failed(Failure::default()) })
}

pub fn resumed(step: u32) -> Event {
    input(InputKind::SendResumed { send: StepId(step) })
}

pub fn failed() -> Event {
    Event::Effect(Effect::Finished(Outcome::Failed { reason: "no".into() }))
}

pub fn new_pattern(name: &str) -> pattern::Command {
    pattern::Command::Create {
        name: name.into(),
        description: None,
        status: false,
        when: Some("(event (= a 1))".into()),
        then: None,
        templates: Default::default(),
        limits: Limits::default(),
    }
}

pub fn renamed(name: &str) -> pattern::Command {
    pattern::Command::Update {
        expected: None,
        name: Some(name.into()),
        description: None,
        status: None,
        when: None,
        then: None,
        templates: Default::default(),
        limits: Limits::default(),
    }
}

pub fn new_template(text: &str) -> template::Command {
    template::Command::Create { name: "greeting".into(), description: None, template: text.into() }
}

/// Every row of every read model, and the places, as text.
pub fn dump(path: &std::path::Path) -> String {
    let connection = Connection::open(path).unwrap();
    let tables = MODELS.iter().flat_map(|model| model.tables).copied().chain(["projection_v1"]);
    let mut text = String::new();
    for table in tables {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            text.push_str(table);
            for column in 0..columns {
                text.push_str(&match row.get_ref(column).unwrap() {
                    ValueRef::Null => " -".to_owned(),
                    ValueRef::Integer(n) => format!(" {n}"),
                    ValueRef::Real(n) => format!(" {n}"),
                    ValueRef::Text(bytes) => format!(" {:?}", String::from_utf8_lossy(bytes)),
                    ValueRef::Blob(bytes) => format!(" x{bytes:02x?}"),
                });
            }
            text.push('\n');
        }
    }
    text
}
