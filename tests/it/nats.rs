//! Publishers over NATS, and what is told there: a real nats-server, the real binary.

use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Subscriber, jetstream};
use eventlog::testing::NatsServer;
use futures_util::StreamExt;
use serde_json::{Value, json};
use system_tests::harness::{PATIENCE, Server, Tenant, wait_for};

/// One user a tenant, as in docs/nats.md; the server's own may do everything.
const USERS: &str = r#"
authorization {
  users = [
    { user: cxengage, password: own }
    { user: acme, password: a, permissions: {
        publish: ["cxengage.request.acme", "cxengage.ingest.acme"]
        subscribe: ["cxengage.rejected.acme", "cxengage.matches.acme", "cxengage.reactions.acme", "_INBOX.acme.>"] } }
  ]
}"#;

/// A server on NATS, and a tenant of it.
struct World {
    nats: NatsServer,
    server: Server,
    acme: Tenant,
}

impl World {
    fn new() -> Self {
        let nats = NatsServer::start_with(USERS);
        let server = Server::start_with(&["--nats", &nats.url_of("cxengage", "own")]);
        let acme = server.tenant("acme");
        Self { nats, server, acme }
    }

    /// A publisher with the tenant's own NATS user.
    async fn publisher(&self) -> Client {
        let options = async_nats::ConnectOptions::with_user_and_password("acme".into(), "a".into());
        options.custom_inbox_prefix("_INBOX.acme").connect(self.nats.url()).await.expect("a connection")
    }

    /// With the server's own NATS user.
    async fn own(&self) -> Client {
        let options = async_nats::ConnectOptions::with_user_and_password("cxengage".into(), "own".into());
        options.connect(self.nats.url()).await.expect("a connection")
    }
}

fn headers(id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", id);
    headers
}

async fn next(of: &mut Subscriber) -> Value {
    let message =
        tokio::time::timeout(PATIENCE, of.next()).await.expect("a message in time").expect("a message");
    serde_json::from_slice(&message.payload).expect("JSON")
}

async fn ask(publisher: &Client, subject: &str, id: Option<&str>, event: &str) -> Value {
    let body = event.to_owned().into();
    let answer = match id {
        Some(id) => publisher.request_with_headers(subject.to_owned(), headers(id), body).await,
        None => publisher.request(subject.to_owned(), body).await,
    };
    serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON")
}

fn history(tenant: &Tenant) -> Vec<Value> {
    tenant.get("event/history?limit=1000").expect(200)["history"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_as_over_rest_once_the_event_is_kept() {
    let mut world = World::new();
    let publisher = world.publisher().await;
    let subject = "cxengage.request.acme";
    let answer = ask(&publisher, subject, Some("k1"), r#"{"id":"7","n":1.50}"#).await;
    assert_eq!(answer["key-attr"], "7", "{answer}");
    world.server.kill();
    world.server.run(&["--nats", &world.nats.url_of("cxengage", "own")]);
    let acme = world.acme.on(&world.server);
    assert_eq!(history(&acme)[0]["id"], answer["id"]);
    let again = wait_for("the server to answer again", || {
        let asked = ask(&publisher, subject, Some("k1"), r#"{"id":"7","n":2}"#);
        let answer = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(asked));
        (answer["error"].is_null()).then_some(answer)
    });
    assert_eq!(again, answer, "the same key: the first answer");
    assert_eq!(history(&acme).len(), 1);
    for (body, status, says) in
        [("{\"id\":", 400, "JSON"), ("{\"x\":1}", 400, "id"), (r#"{"id":["7"]}"#, 400, "id")]
    {
        let refused = ask(&publisher, subject, None, body).await;
        assert_eq!(refused["status"], status, "{body}: {refused}");
        assert!(refused["error"].as_str().unwrap().contains(says), "{body}: {refused}");
    }
    let own = world.own().await;
    let nobody = ask(&own, "cxengage.request.nobody", None, r#"{"id":"7"}"#).await;
    assert_eq!(nobody["status"], 404, "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_into_the_stream_comes_in_once_and_what_is_refused_is_told() {
    let mut world = World::new();
    let publisher = world.publisher().await;
    let mut rejected = publisher.subscribe("cxengage.rejected.acme").await.unwrap();
    publisher.flush().await.unwrap();
    let stream = jetstream::new(publisher.clone());
    let send = async |id: &str, event: String| {
        let sent = stream.publish_with_headers("cxengage.ingest.acme", headers(id), event.into()).await;
        sent.unwrap().await.unwrap();
    };
    for n in 0..100 {
        send(&format!("m{n}"), format!("{{\"id\":\"c\",\"n\":{n}}}")).await;
    }
    send("bad", "{\"n\":1}".into()).await;
    let refused = next(&mut rejected).await;
    assert_eq!((&refused["event"], &refused["idempotency-key"]), (&json!("{\"n\":1}"), &json!("bad")));
    assert!(refused["error"].as_str().unwrap().contains("id"), "{refused}");
    // Without an id each message counts for itself.
    for _ in 0..2 {
        stream.publish("cxengage.ingest.acme", r#"{"id":"c","n":-1}"#.into()).await.unwrap().await.unwrap();
    }
    wait_for("the events", || (history(&world.acme).len() == 102).then_some(()));

    // While the server is away the stream keeps them; NATS itself may be killed too.
    world.server.kill();
    for n in 90..150 {
        send(&format!("m{n}"), format!("{{\"id\":\"c\",\"n\":{n}}}")).await;
    }
    world.nats.kill();
    world.nats.run();
    world.server.run(&["--nats", &world.nats.url_of("cxengage", "own")]);
    let acme = world.acme.on(&world.server);
    wait_for("the events sent meanwhile", || (history(&acme).len() == 152).then_some(()));
    let mut numbers: Vec<i64> =
        history(&acme).iter().filter_map(|entry| entry["event"]["n"].as_i64()).filter(|n| *n >= 0).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..150).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn matches_and_reactions_are_told_and_go_on_while_nats_is_away() {
    let mut world = World::new();
    let acme = &world.acme;
    acme.pattern(r#"(event (= type "left"))"#, r#"(send echo message {:message "come back"})"#);
    let publisher = world.publisher().await;
    let mut matches = publisher.subscribe("cxengage.matches.acme").await.unwrap();
    let mut reactions = publisher.subscribe("cxengage.reactions.acme").await.unwrap();
    publisher.flush().await.unwrap();
    let event = acme.event(json!({"id": "7", "type": "left"}));
    let told = next(&mut matches).await;
    assert_eq!((&told["key"], &told["events"]), (&json!("7"), &json!([event["id"]])), "{told}");
    let (running, done) = (next(&mut reactions).await, next(&mut reactions).await);
    assert_eq!((&running["state"], &done["state"]), (&json!("running"), &json!("done")), "{running} {done}");
    assert_eq!((&running["id"], &done["key"]), (&told["id"], &json!("7")));

    world.nats.kill();
    let event = acme.event(json!({"id": "8", "type": "left"}));
    acme.wait_reactions("8", 1);
    world.nats.wipe();
    // Who listens is back first: nobody is told twice.
    world.server.pause();
    world.nats.run();
    let back = async {
        while publisher.flush().await.is_err() || publisher.connection_state() != State::Connected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        publisher.flush().await.unwrap();
    };
    tokio::time::timeout(PATIENCE, back).await.expect("who listens is back in time");
    world.server.wake();
    let told = next(&mut matches).await;
    assert_eq!(told["events"], json!([event["id"]]), "told when NATS is back: {told}");
    let event = acme.event(json!({"id": "9", "type": "left"}));
    assert_eq!(next(&mut matches).await["events"], json!([event["id"]]));
    acme.wait_reactions("9", 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_user_reaches_no_other_tenants_subjects() {
    let world = World::new();
    let globex = world.server.tenant("globex");
    globex.pattern(r#"(event (= type "left"))"#, r#"(send echo message {:message "secret"})"#);
    let publisher = world.publisher().await;
    let own = world.own().await;
    let mut heard = own.subscribe("cxengage.matches.globex").await.unwrap();
    own.flush().await.unwrap();
    let mut theirs = Vec::new();
    for subject in
        ["cxengage.matches.globex", "cxengage.matches.>", "cxengage.log.>", "cxengage.>", ">", "_INBOX.>"]
    {
        theirs.push((subject, publisher.subscribe(subject).await.unwrap()));
    }
    for subject in [
        "cxengage.request.globex",
        "cxengage.ingest.globex",
        "cxengage.log.domain",
        "$JS.API.STREAM.PURGE.CXENGAGE_LOG",
    ] {
        publisher.publish(subject, r#"{"id":"7","type":"left"}"#.into()).await.unwrap();
    }
    publisher.flush().await.unwrap();
    // What is sent by right is heard by right: by then all that was refused has been refused.
    globex.event(json!({"id": "1", "type": "left"}));
    next(&mut heard).await;
    assert_eq!(history(&globex).len(), 1, "nothing came in by another's user");
    for (subject, mut subscription) in theirs {
        let got = tokio::time::timeout(Duration::ZERO, subscription.next()).await;
        assert!(!matches!(got, Ok(Some(_))), "{subject} was heard");
    }
}

#[test]
fn a_nats_server_that_is_not_there_is_waited_for_and_the_rest_goes_on() {
    let server = Server::start_with(&["--nats", "nats://127.0.0.1:1"]);
    let acme = server.tenant("acme");
    acme.pattern(r#"(event (= type "left"))"#, r#"(send echo message {:message "come back"})"#);
    acme.event(json!({"id": "7", "type": "left"}));
    acme.wait_reactions("7", 1);
    assert!(server.said().contains("NATS is away"), "{}", server.said());
}
