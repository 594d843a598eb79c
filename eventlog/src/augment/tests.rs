//! Augments at the door: what they add, in which order, and that none of them stops an event.

use std::sync::atomic::{AtomicUsize, Ordering};

use domain::augment::{Augment, Command, File};
use domain::customer_event::{CustomerEvent, Origin, Refusal};
use domain::json::{Limits, parse};

use super::*;
use crate::customer_stream::{Accepted, Door, Incoming, Refused};
use crate::files::Files;
use crate::record::{Metadata, StreamId, StreamKind};
use crate::testing::TempRecord;

struct World {
    temp: TempRecord,
    acme: TenantId,
    door: Door,
}

/// Answers with what it was asked, after a while; `None`: never.
struct Echo(Option<Duration>, AtomicUsize);

#[async_trait]
impl Api for Echo {
    async fn ask(&self, question: Question<'_>) -> Result<Object, String> {
        self.1.fetch_add(1, Ordering::Relaxed);
        match self.0 {
            Some(wait) => tokio::time::sleep(wait).await,
            None => std::future::pending().await,
        }
        match question.attributes.get("fail") {
            Some(_) => Err("as it was told".into()),
            None => {
                let mut answer = Object::new();
                answer.set(question.options.url.as_str(), question.attributes.to_string());
                Ok(answer)
            }
        }
    }
}

impl World {
    async fn new(api: Option<Duration>) -> Self {
        let temp = TempRecord::new();
        let acme = temp.tenant("acme", "id").await;
        let api = Arc::new(Echo(api, AtomicUsize::new(0)));
        let augmenter = Augmenter::new(temp.file_store(), Some(api));
        let door = Door::new(temp.record.clone(), temp.vault()).augmented_by(augmenter);
        Self { temp, acme, door }
    }

    async fn command(&self, id: &str, command: Command) {
        let stream = StreamId::new(&self.acme, StreamKind::Augment, id);
        self.temp.commands().execute::<Augment>(stream, command, Metadata::default()).await.unwrap();
    }

    async fn create(&self, id: &str, kind: Kind, service: Service) {
        let options = Options { url: id.into(), attributes: vec![id.into()] };
        let options = (kind == Kind::Api).then_some(options);
        let (name, description, older_service) = (id.to_owned(), None, false);
        let command = Command::Create { name, description, kind, service, older_service, options };
        self.command(id, command).await;
    }

    async fn upload(&self, id: &str, text: &str) -> File {
        let mut writer = self.temp.file_store().create(&self.acme);
        writer.push(text.as_bytes()).await.unwrap();
        let (file, bytes) = writer.end().await.unwrap();
        let file = File { id: file, bytes, rows: text.lines().count() as u64 - 1 };
        self.command(id, Command::SetFile { expected: None, file: file.clone() }).await;
        file
    }

    fn incoming(&self, text: &str) -> Incoming {
        Incoming {
            tenant: self.acme.clone(),
            event: parse(text.as_bytes(), Limits::EVENT).unwrap(),
            idempotency_key: None,
            origin: Origin::Rest,
            metadata: Metadata::default(),
        }
    }

    async fn accept(&self, text: &str) -> Result<Accepted, Refused> {
        self.door.accept(vec![self.incoming(text)]).await.remove(0)
    }

    /// The event as it is matched, and what augments did to it.
    async fn event(&self, text: &str) -> (String, String) {
        let event = self.accept(text).await.unwrap().event;
        assert_eq!(event.event.to_string(), text, "an event is stored as it came");
        shown(&event)
    }
}

fn shown(event: &CustomerEvent) -> (String, String) {
    (event.effective().to_string(), serde_json::to_string(&event.augmented).unwrap())
}

#[tokio::test]
async fn each_augment_sees_what_those_before_it_added() {
    let world = World::new(Some(Duration::ZERO)).await;
    for id in ["AU1", "AU2", "AU3"] {
        world.create(id, if id == "AU3" { Kind::Api } else { Kind::File }, Service::Engine).await;
    }
    let (text, none) = (r#"{"id":"1","year":2000}"#, "{}");
    assert_eq!(world.event(text).await.1, r#"{"AU3":{"added":{"AU3":"{\"id\":\"1\",\"year\":2000}"}}}"#);
    world.command("AU3", Command::Delete { expected: None }).await;
    // Two without a file do nothing.
    assert_eq!(world.event(text).await, (text.to_owned(), none.to_owned()));
    world.upload("AU2", "segment,segment,level\nGold,Platinum,9\n").await;
    world.upload("AU1", "year,segment\n2000,Gold\ntrue,Bool\n").await;
    let (matched, augmented) = world.event(text).await;
    assert_eq!(matched, r#"{"id":"1","year":2000,"segment":"Platinum","level":"9"}"#);
    let both = r#"{"AU1":{"added":{"segment":"Gold"}},"AU2":{"added":{"segment":"Platinum","level":"9"}}}"#;
    assert_eq!(augmented, both);
    assert_eq!(world.event(r#"{"id":"1","year":"2000"}"#).await.1, both);
    assert_eq!(world.event(r#"{"id":"1","year":2000.0}"#).await.1, none, "texts are compared");
    assert_eq!(
        world.event(r#"{"id":"1","year":true}"#).await.0,
        r#"{"id":"1","year":true,"segment":"Bool"}"#
    );
    for text in [r#"{"id":"1","year":null}"#, r#"{"id":"1","year":[2000]}"#, r#"{"id":"1"}"#] {
        assert_eq!(world.event(text).await.1, none);
    }
    // One for reactions is not asked here.
    let change = Command::Update {
        expected: None,
        name: None,
        description: None,
        kind: None,
        service: Some(Service::Notification),
        older_service: false,
        options: None,
    };
    world.command("AU1", change).await;
    assert_eq!(world.event(text).await.1, none);
    let plan = world.door.plan(&world.acme, Service::Notification).await.unwrap();
    let context = world.incoming(text).event;
    let done = plan.apply(Some("1"), context.as_object().unwrap(), Plan::deadline()).await;
    assert_eq!(serde_json::to_string(&done).unwrap(), r#"{"AU1":{"added":{"segment":"Gold"}}}"#);
}

#[tokio::test]
async fn a_file_is_in_force_for_every_event_after_its_upload_and_none_after_its_end() {
    let world = World::new(None).await;
    world.create("AU1", Kind::File, Service::Engine).await;
    for n in 0..20 {
        world.upload("AU1", &format!("id,n\na,{n}\n")).await;
        assert_eq!(world.event(r#"{"id":"a"}"#).await.0, format!(r#"{{"id":"a","n":"{n}"}}"#));
    }
    world.command("AU1", Command::DeleteFile { expected: None }).await;
    assert_eq!(world.event(r#"{"id":"a"}"#).await.1, "{}");
}

#[tokio::test]
async fn an_event_without_a_key_may_be_given_one_by_an_augment() {
    let world = World::new(None).await;
    world.create("AU1", Kind::File, Service::Engine).await;
    world.upload("AU1", "email,id\nann@example.com,1\nempty@example.com,\n").await;
    let accepted = world.accept(r#"{"email":"ann@example.com","x":1}"#).await.unwrap();
    assert_eq!(accepted.event.key, "1");
    // The one that it came with counts.
    assert_eq!(world.accept(r#"{"id":"7","email":"ann@example.com"}"#).await.unwrap().event.key, "7");
    let refused = world.accept(r#"{"email":"bob@example.com"}"#).await;
    assert!(matches!(refused, Err(Refused::Event(Refusal::KeyMissing(_)))), "{refused:?}");
    let refused = world.accept(r#"{"email":"empty@example.com"}"#).await;
    assert!(matches!(refused, Err(Refused::Event(Refusal::KeyEmpty(_)))), "{refused:?}");
}

#[tokio::test]
async fn what_fails_is_written_down_and_the_event_goes_on() {
    let world = World::new(Some(Duration::ZERO)).await;
    world.create("AU1", Kind::Api, Service::Engine).await;
    world.create("AU2", Kind::File, Service::Engine).await;
    let file = world.upload("AU2", "id,b\n1,2\n").await;
    let text = r#"{"id":"1","fail":true}"#;
    let (matched, augmented) = world.event(text).await;
    assert_eq!(matched, r#"{"id":"1","fail":true,"b":"2"}"#);
    assert_eq!(augmented, r#"{"AU1":{"error":"as it was told"},"AU2":{"added":{"b":"2"}}}"#);
    // Gone from the store while it is in force: lost.
    world.temp.record.drop_file(&world.acme, &file.id).await.unwrap();
    let augmenter = Augmenter::new(world.temp.file_store(), None);
    let door = Door::new(world.temp.record.clone(), world.temp.vault()).augmented_by(augmenter);
    let accepted = door.accept(vec![world.incoming(text)]).await.remove(0).unwrap();
    let lost = r#"{"AU1":{"error":"nobody can be asked from here"},"AU2":{"error":"its file is gone"}}"#;
    assert_eq!(shown(&accepted.event).1, lost);
    let huge = format!(r#"{{"id":"1","x":"{}"}}"#, "x".repeat(MOST_ADDED));
    let accepted = world.accept(&huge).await.unwrap();
    assert!(shown(&accepted.event).1.contains("adds more than"), "{:?}", accepted.event.augmented);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_asked_about_together_and_waits_no_longer_than_it_may() {
    for (wait, errors) in [(Some(Duration::from_secs(1)), 0), (None, 200)] {
        let world = World::new(wait).await;
        world.create("AU1", Kind::Api, Service::Engine).await;
        let begun = Instant::now();
        let batch = (0..200).map(|n| world.incoming(&format!(r#"{{"id":"{n}"}}"#))).collect();
        let answers = world.door.accept(batch).await;
        let events: Vec<CustomerEvent> = answers.into_iter().map(|answer| answer.unwrap().event).collect();
        let failed = events.iter().filter(|event| shown(event).1.contains("all augments have together"));
        assert_eq!(failed.count(), errors);
        for (n, event) in events.iter().enumerate() {
            assert_eq!(event.key, n.to_string());
            let own = format!(r#"\"id\":\"{n}\""#);
            assert!(errors > 0 || shown(event).1.contains(&own), "{:?}", event.augmented);
        }
        assert!(begun.elapsed() <= PATIENCE + Duration::from_secs(1), "{:?}", begun.elapsed());
    }
}
