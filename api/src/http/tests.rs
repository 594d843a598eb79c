//! The edge over a real record in a temporary folder: order of checks, resources, events, walls.

mod isolation;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::client::{Client, Command, Scope};
use domain::ids::TenantId;
use domain::json::{Json, Limits, parse};
use domain::time::Stamp;
use eventlog::aggregates::Commands;
use eventlog::augment::Augmenter;
use eventlog::checkpoint::Checkpoints;
use eventlog::crypto::Vault;
use eventlog::customer_stream::Door;
use eventlog::files::FileStore;
use eventlog::record::sqlite::{Options, SqliteRecord};
use eventlog::record::{Clock, Metadata, Record, StreamId, StreamKind, SystemClock};
use http_body_util::BodyExt;
use notifier::endpoint::http::{Http, Setup};
use notifier::endpoint::{Bases, Endpoints, Integrations, Outside};
use notifier::listener::{Listeners, Tools};
use notifier::receipt::{Addresses, Public};
use notifier::runtime::Notifier;
use projections::{Runner, Views};
use tower::ServiceExt;

use super::dispatch::{Face, router};
use super::state::{Settings, State, System};
use crate::oauth::secret::hash_now;
use crate::shares::Reached;

struct Edge {
    router: Router,
    folder: tempfile::TempDir,
    clock: Arc<Ahead>,
}

/// A clock that can be put forward.
struct Ahead {
    system: SystemClock,
    by: AtomicI64,
}

impl Clock for Ahead {
    fn now(&self) -> Stamp {
        self.system.now().after(self.by.load(Ordering::SeqCst))
    }
}

struct Answered {
    status: u16,
    headers: HeaderMap,
    body: Json,
}

impl Answered {
    fn text(&self, name: &str) -> &str {
        self.body.get(name).and_then(Json::as_text).unwrap_or_else(|| panic!("no {name} in {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Edge {
    async fn new(change: impl FnOnce(&mut Settings)) -> Self {
        Self::at(None, change).await
    }

    /// One that is reached from outside at a public URL.
    async fn at(public: Option<&str>, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Ahead { system: SystemClock::start(), by: AtomicI64::new(0) });
        let options = Options { clock: clock.clone(), ..Options::default() };
        let store = SqliteRecord::open(folder.path(), options).unwrap();
        let record: Arc<dyn Record> = store.clone();
        let views = Views::open(&folder.path().join("views.db")).unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        let vault = Arc::new(Vault::new(record.clone(), [7; 32]));
        let files = FileStore::new(store, vault.clone());
        let augmenter = Augmenter::new(files.clone(), None);
        let door = Arc::new(Door::new(record.clone(), vault.clone()).augmented_by(augmenter.clone()));
        let receipts = public.map(|url| Addresses::new(Public::parse(url).unwrap(), vault.clone()));
        let commands = Commands::new(record.clone(), vault.clone());
        tokio::spawn(Runner::new(views.clone(), record.clone(), vault.clone()).run());
        let options = engine::runtime::Options::default();
        let engine =
            engine::runtime::Engine::new(record.clone(), vault.clone(), checkpoints.clone(), options);
        let matched = Reached::of_one(&engine);
        tokio::spawn(engine.run(std::future::pending()));
        let options = notifier::runtime::Options::default();
        let checkpoints = Arc::new(checkpoints);
        let endpoints = Endpoints::built_in();
        let notifier = Notifier::new(
            record.clone(),
            vault.clone(),
            door.clone(),
            checkpoints.clone(),
            endpoints,
            options,
        );
        let outside = Outside {
            http: Http::new(Setup::default()),
            integrations: Integrations::new(record.clone(), vault.clone()),
            bases: Arc::new(Bases::default()),
            receipts: None,
        };
        let tools =
            Tools { record: record.clone(), door: door.clone(), checkpoints, outside, longest_pause: None };
        let running = Listeners::new(tools);
        let listeners = running.handle();
        tokio::spawn(running.run(std::future::pending()));
        let handle = notifier.handle();
        tokio::spawn(notifier.run(std::future::pending()));
        let secret_hash = hash_now("hush").unwrap();
        // Whatever else it may do, an admin that is bound to no tenant stays outside all of them.
        let (name, scopes) = ("admin".to_owned(), Scope::ALL.to_vec());
        let command = Command::Create { name, secret_hash, scopes, tenants: vec![] };
        let stream = StreamId::new(&TenantId::from(""), StreamKind::Client, "root");
        let made = commands.execute::<Client>(stream, command, Metadata::default()).await.unwrap();
        views.wait_for(made.position).await.unwrap();
        let system = System {
            record,
            vault,
            commands,
            door,
            files,
            augmenter,
            receipts,
            views,
            notifier: handle,
            listeners,
            engine: Some(matched),
            shared: None,
        };
        let mut settings = Settings::new([9; 32]);
        change(&mut settings);
        let state = Arc::new(State::new(system, settings).unwrap());
        Self { router: router(&state, Face::All), folder, clock }
    }

    async fn send(&self, request: Request<Body>) -> Answered {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = || Json::Text(String::from_utf8_lossy(&bytes).into_owned());
        let body = if bytes.is_empty() {
            Json::Null
        } else {
            parse(&bytes, Limits::STORED).unwrap_or_else(|_| text())
        };
        assert!(parts.headers.contains_key("x-request-id"), "{:?}", parts.status);
        Answered { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// `ask("POST /1.0/tenants", token, body)`; a body is JSON.
    async fn ask(&self, line: &str, token: &str, body: &str) -> Answered {
        self.ask_with(line, token, "application/json", body).await
    }

    /// The same with a body of another type.
    async fn ask_with(&self, line: &str, token: &str, media: &str, body: &str) -> Answered {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, media);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn token(&self, client: &str, secret: &str) -> Answered {
        self.token_for(client, secret, "").await
    }

    /// A token of these scopes, as a form has them.
    async fn token_for(&self, client: &str, secret: &str, scopes: &str) -> Answered {
        let request = Request::post("/token")
            .header(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(format!("{client}:{secret}"))))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(format!("grant_type=client_credentials{scopes}")));
        self.send(request.unwrap()).await
    }

    async fn admin(&self) -> String {
        self.token("root", "hush").await.text("access_token").to_owned()
    }

    /// Makes a tenant and a client of it; the client's token.
    async fn tenant(&self, id: &str, scopes: &str) -> String {
        let admin = self.admin().await;
        let made = self.ask("POST /1.0/tenants", &admin, &format!(r#"{{"id":"{id}","name":"N"}}"#)).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = format!("POST /1.0/tenants/{id}/clients");
        let client = self.ask(&path, &admin, &format!(r#"{{"name":"c","scopes":{scopes}}}"#)).await;
        assert_eq!(client.status, 201, "{}", client.body);
        self.token(client.text("client_id"), client.text("client_secret"))
            .await
            .text("access_token")
            .to_owned()
    }
}

const ALL: &str = r#"["read","write","events"]"#;

#[tokio::test]
async fn checks_come_in_their_order() {
    let edge = Edge::new(|_| {}).await;
    let token = edge.tenant("a", ALL).await;
    let reader = edge.tenant("b", r#"["read"]"#).await;
    let admin = edge.admin().await;
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(300 * 1024));
    for (line, token, body, status) in [
        ("GET /nowhere", "", "", 404),
        ("GET /1.0/tenants/a/nowhere", "", "", 404),
        ("GET /tenants", &admin, "", 404),
        ("PATCH /1.0/tenants/a/patterns", "", "", 401),
        ("GET /1.0/tenants/a/patterns", "wrong", "", 401),
        ("DELETE /1.0/tenants/b/patterns", &token, "", 403),
        ("GET /1.0/tenants/none/patterns", &token, "", 403),
        ("POST /1.0/tenants/b/event", &reader, "", 403),
        ("GET /1.0/tenants/a/patterns", &admin, "", 403),
        ("GET /1.0/tenants/none/patterns", &admin, "", 404),
        ("GET /1.0/tenants/none/clients", &admin, "", 404),
        ("GET /1.0/tenants", &token, "", 403),
        ("PATCH /1.0/tenants/a/patterns", &token, "", 405),
        ("OPTIONS /1.0/tenants/a/patterns", &token, "", 405),
        ("GET /1.0/tenants/a/patterns/validate", &token, "", 405),
        ("POST /1.0/tenants/a/event", &token, &long, 413),
        ("PUT /1.0/tenants/a/patterns/PT9", &token, "{", 400),
        ("PUT /1.0/tenants/a/patterns/PT9", &token, "{}", 404),
        ("DELETE /1.0/tenants/a/patterns/PT9", &token, "", 404),
        ("GET /1.0/tenants/a/audit?before=x", &token, "", 400),
        ("GET /1.0/tenants/a/reactions?state=odd", &token, "", 400),
        ("GET /1.0/tenants/a/reactions/RE1", &token, "", 404),
        ("GET /tenants/a/", &token, "", 200),
        ("HEAD /1.0/tenants/a/", &token, "", 200),
        ("GET /healthz", "", "", 200),
        ("GET /readyz", "", "", 200),
        ("GET /metrics", "", "", 200),
    ] {
        let answered = edge.ask(line, token, body).await;
        assert_eq!(answered.status, status, "{line}: {}", answered.body);
        if status >= 400 {
            assert!(!answered.text("error").is_empty());
        }
        match status {
            401 => assert!(answered.header("www-authenticate").starts_with("Bearer")),
            405 => assert!(answered.header("allow").contains("POST")),
            _ => {}
        }
    }
    let other = edge.ask("GET /1.0/tenants/b", &token, "").await;
    let none = edge.ask("GET /1.0/tenants/none", &token, "").await;
    assert_eq!(other.body, none.body, "existing or not");
    let mut bare = Request::post("/1.0/tenants/a/patterns").body(Body::from("{}")).unwrap();
    bare.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    assert_eq!(edge.send(bare).await.status, 415);
}

#[tokio::test]
async fn a_pattern_lives_and_its_id_is_never_used_again() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", ALL).await;
    let body = r#"{"then":"(send echo message {:message \"hi\"})","when":"(event (= type \"curl\"))",
                   "status":true,"name":"One","description":null}"#;
    let made = edge.ask("POST /1.0/tenants/a/patterns", token, body).await;
    assert_eq!((made.status, made.text("id"), made.header("etag")), (201, "PT1", "\"1\""), "{}", made.body);
    assert!(made.body.get("description").is_none());
    let shown = edge.ask("GET /tenants/a/patterns/PT1", token, "").await;
    assert_eq!(shown.body, made.body);
    let bad = edge.ask("PUT /1.0/tenants/a/patterns/PT1", token, r#"{"when":"(evnt)"}"#).await;
    let detail = &bad.body.get("details").unwrap().as_array().unwrap()[0];
    assert_eq!((bad.status, detail.get("field").unwrap().as_text()), (400, Some("when")), "{}", bad.body);
    let put = edge.ask("PUT /1.0/tenants/a/patterns/PT1", token, r#"{"id":"PT1","description":"d"}"#).await;
    assert_eq!((put.status, put.text("description"), put.text("name")), (200, "d", "One"));
    let mut stale = Request::delete("/1.0/tenants/a/patterns/PT1").body(Body::empty()).unwrap();
    stale.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    stale.headers_mut().insert(header::IF_MATCH, "\"1\"".parse().unwrap());
    assert_eq!(edge.send(stale).await.status, 409);
    assert_eq!(edge.ask("DELETE /1.0/tenants/a/patterns/PT1", token, "").await.status, 204);
    assert_eq!(edge.ask("GET /1.0/tenants/a/patterns/PT1", token, "").await.status, 404);
    let unfinished = r#"{"name":"Two","when":"(unfinished"}"#;
    let two = edge.ask("POST /1.0/tenants/a/patterns", token, unfinished).await;
    assert_eq!((two.status, two.text("id"), two.text("when")), (201, "PT2", "(unfinished"));
    let enable = edge.ask("PUT /1.0/tenants/a/patterns/PT2", token, r#"{"status":true}"#).await;
    assert_eq!(enable.status, 400);
    let audit = edge.ask("GET /1.0/tenants/a/audit", token, "").await;
    let entries = audit.body.get("entries").unwrap().as_array().unwrap();
    let kinds: Vec<_> = entries.iter().map(|e| e.get("kind").unwrap().as_text().unwrap()).collect();
    assert_eq!(kinds[..4], ["created", "deleted", "updated", "created"], "{}", audit.body);
    let valid =
        edge.ask("POST /1.0/tenants/a/patterns/validate", token, body.replace("One", "x").as_str()).await;
    assert_eq!(valid.status, 400, "name is not a field of it");
    let asked = r#"{"when":"(when (event (= a 1)))","then":"(send echo mesage {})"}"#;
    let valid = edge.ask("POST /1.0/tenants/a/patterns/validate", token, asked).await;
    assert_eq!((valid.status, valid.body.get("valid")), (200, Some(&Json::Bool(false))), "{}", valid.body);
}

#[tokio::test]
async fn a_template_that_is_in_use_stays() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", ALL).await;
    for template in [r#"{"name":"inner","template":"x"}"#, r#"{"name":"outer","template":"{{> TM1}}"}"#] {
        let made = edge.ask("POST /1.0/tenants/a/templates", token, template).await;
        assert_eq!(made.status, 201, "{}", made.body);
    }
    assert_eq!(
        edge.ask("POST /1.0/tenants/a/templates", token, r#"{"name":"b","template":"{{#x}}"}"#).await.status,
        400
    );
    let lost = r#"{"name":"lost","template":"{{> TM2}}{{> TM9}}"}"#;
    assert_eq!(edge.ask("POST /1.0/tenants/a/templates", token, lost).await.text("id"), "TM3");
    let asked = r#"{"when":"(event (= a 1))","then":"(send echo message {} (template {:message +TM3}))"}"#;
    let valid = edge.ask("POST /1.0/tenants/a/patterns/validate", token, asked).await;
    let warning = &valid.body.get("warnings").unwrap().as_array().unwrap()[0];
    assert!(text(warning, "message").contains("TM3 names the partial TM9"), "{}", valid.body);
    assert_eq!(warning.get("column"), Some(&Json::from(43u64)), "{warning}");
    let pattern = r#"{"name":"p","status":true,"when":"(event (= a 1))",
                      "then":"(send echo message {:message \"m\"} (template {:message +TM2}))"}"#;
    let made = edge.ask("POST /1.0/tenants/a/patterns", token, pattern).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let refused = edge.ask("DELETE /1.0/tenants/a/templates/TM1", token, "").await;
    assert_eq!(refused.status, 409);
    assert!(refused.text("error").contains("PT1"));
    assert_eq!(edge.ask("DELETE /1.0/tenants/a/patterns/PT1", token, "").await.status, 204);
    assert_eq!(edge.ask("DELETE /1.0/tenants/a/templates/TM1", token, "").await.status, 204);
}

#[tokio::test]
async fn events_come_in_and_are_told_back() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", ALL).await;
    assert_eq!(edge.ask("GET /tenants/a/key-attribute", token, "").await.status, 404);
    let unset = edge.ask("POST /tenants/a/event", token, r#"{"id":1}"#).await;
    assert_eq!(unset.status, 400);
    assert_eq!(edge.ask("POST /tenants/a/key-attribute", token, r#"{"key":"id"}"#).await.status, 200);
    let event = r#"{"type":"curl","id":1234.50}"#;
    let made = edge.ask("POST /tenants/a/event", token, event).await;
    assert_eq!((made.status, made.text("key-attr")), (201, "1234.50"), "{}", made.body);
    assert_eq!(made.body.get("event").unwrap().to_string(), event);
    assert_eq!(made.body.get("contributing?"), Some(&Json::Bool(false)));
    for bad in ["{}", r#"{"id":null}"#, r#"{"id":""}"#, r#"{"id":[1]}"#, "[]", r#"{"id":1,"id":2}"#, "{"] {
        assert_eq!(edge.ask("POST /tenants/a/event", token, bad).await.status, 400, "{bad}");
    }
    let batch = r#"[{"id":"k"},7,{"event":{"id":"k"},"idempotency-key":"once"},
                    {"event":{"id":"k"},"idempotency-key":"once"}]"#;
    let answered = edge.ask("POST /1.0/tenants/a/events", token, batch).await;
    let results = answered.body.get("results").unwrap().as_array().unwrap();
    assert_eq!(results.len(), 4, "{}", answered.body);
    assert!(results[1].get("error").is_some());
    assert_eq!(results[2].get("id"), results[3].get("id"), "one key, one event");
    let history = edge.ask("GET /tenants/a/event/history?limit=2", token, "").await;
    let events = history.body.get("history").unwrap().as_array().unwrap();
    assert_eq!(
        events.iter().map(|e| e.get("id")).collect::<Vec<_>>(),
        [results[2].get("id"), results[0].get("id")]
    );

    let first = edge.ask("GET /1.0/tenants/a/customers/k?limit=1", token, "").await;
    let next = first.text("next");
    let rest = edge.ask(&format!("GET /1.0/tenants/a/customers/k?limit=1&before={next}"), token, "").await;
    let entries = rest.body.get("entries").unwrap().as_array().unwrap();
    assert_eq!(entries[0].get("id"), results[0].get("id"));
    assert!(rest.body.get("next").is_none(), "the last page");
    let elsewhere = format!("GET /1.0/tenants/a/customers/other?before={next}");
    assert_eq!(edge.ask(&elsewhere, token, "").await.status, 400);
    let nobody = edge.ask("GET /1.0/tenants/a/customers/nobody", token, "").await;
    assert_eq!(nobody.body.to_string(), r#"{"entries":[]}"#);
}

impl Edge {
    /// Asks until the answer is as it should be in the end.
    async fn until(&self, line: &str, token: &str, good: impl Fn(&Json) -> bool) -> Json {
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let answered = self.ask(line, token, "").await;
            if good(&answered.body) {
                return answered.body;
            }
            assert!(tokio::time::Instant::now() < end, "{line}: {}", answered.body);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

fn entries(body: &Json) -> Vec<Json> {
    body.get("entries").and_then(Json::as_array).map(<[Json]>::to_vec).unwrap_or_default()
}

fn text<'a>(json: &'a Json, name: &str) -> &'a str {
    json.get(name).and_then(Json::as_text).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_match_and_its_reaction_can_be_followed_to_the_send() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", ALL).await;
    edge.ask("POST /tenants/a/key-attribute", token, r#"{"key":"id"}"#).await;
    let pattern = r#"{"name":"p","status":true,"when":"(count 2 (event (= type \"x\")))",
        "then":"(seq (send echo message {:message \"hi\"}) (expect (= $type \"never\")))"}"#;
    let made = edge.ask("POST /1.0/tenants/a/patterns", token, pattern).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let event = r#"{"id":"k","type":"x"}"#;
    let first = edge.ask("POST /tenants/a/event", token, event).await;
    assert_eq!(first.body.get("contributing?"), Some(&Json::Bool(true)));
    let so_far = edge.ask("GET /1.0/tenants/a/patterns/PT1/contributing?key=k", token, "").await;
    assert_eq!(so_far.body.get("events").unwrap().as_array().unwrap().len(), 1, "{}", so_far.body);
    let second = edge.ask("POST /tenants/a/event", token, event).await;

    let sent = |body: &Json| entries(body).iter().any(|entry| text(entry, "state") == "succeeded");
    let timeline = edge.until("GET /1.0/tenants/a/customers/k", token, sent).await;
    let timeline = entries(&timeline);
    let kinds: Vec<&str> = timeline.iter().map(|entry| text(entry, "kind")).collect();
    assert_eq!(kinds, ["send", "reaction", "match", "event", "event"]);
    assert_eq!(text(&timeline[2], "cause"), second.text("id"));
    assert_eq!(timeline[2].get("events").unwrap().as_array().unwrap().len(), 2);
    assert_eq!(text(&timeline[0], "reaction"), text(&timeline[1], "id"));

    let id = text(&timeline[1], "id");
    let shown = edge.ask(&format!("GET /1.0/tenants/a/reactions/{id}"), token, "").await;
    assert_eq!((shown.text("state"), shown.text("program").starts_with("(seq")), ("running", true));
    let steps = shown.body.get("steps").unwrap().as_array().unwrap();
    let send = steps.iter().find(|step| text(step, "kind") == "send-begun").unwrap();
    assert_eq!(text(send, "place"), "0.0", "{send}");
    assert!(send.get("cause").is_some());
    for state in ["running", "cancelled"] {
        let list =
            edge.ask(&format!("GET /1.0/tenants/a/reactions?customer=k&state={state}"), token, "").await;
        assert_eq!(entries(&list.body).len(), usize::from(state == "running"));
    }
    assert_eq!(entries(&edge.ask("GET /1.0/tenants/a/patterns/PT1/matches", token, "").await.body).len(), 1);
    for _ in 0..2 {
        let path = format!("POST /1.0/tenants/a/reactions/{id}/cancel");
        let cancelled = edge.ask(&path, token, "").await;
        assert_eq!((cancelled.status, cancelled.text("state")), (200, "cancelled"), "{}", cancelled.body);
    }
}

#[tokio::test]
async fn a_flood_is_refused_whole() {
    let edge = Edge::new(|settings| settings.tenant_events_per_second = 1).await;
    let token = &edge.tenant("a", ALL).await;
    edge.ask("POST /tenants/a/key-attribute", token, r#"{"key":"id"}"#).await;
    let refused = edge.ask("POST /1.0/tenants/a/events", token, r#"[{"id":1},{"id":2},{"id":3}]"#).await;
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert!(refused.text("error").contains("at most 2"), "{}", refused.body);
    assert_eq!(refused.header("retry-after"), "", "waiting would not help");
    let history = edge.ask("GET /tenants/a/event/history", token, "").await;
    assert_eq!(history.body.to_string(), r#"{"history":[]}"#);
    let let_in = edge.ask("POST /1.0/tenants/a/events", token, "[7]").await;
    assert_eq!(let_in.status, 200, "{}", let_in.body);
    let refused = edge.ask("POST /1.0/tenants/a/events", token, r#"[{"id":1},{"id":2}]"#).await;
    assert_eq!((refused.status, refused.text("error")), (429, "Exceeded rate limit"));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    let history = edge.ask("GET /tenants/a/event/history", token, "").await;
    assert_eq!(history.body.to_string(), r#"{"history":[]}"#);
}

#[tokio::test]
async fn a_deleted_client_s_tokens_die_at_once() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", ALL).await;
    let admin = &edge.admin().await;
    let clients = edge.ask("GET /1.0/tenants/a/clients", admin, "").await;
    let client = clients.body.as_array().unwrap()[0].clone();
    assert!(client.get("client_secret").is_none());
    let id = client.get("id").unwrap().as_text().unwrap();
    assert_eq!(edge.ask("GET /tenants/a", token, "").await.status, 200);
    let path = format!("DELETE /1.0/tenants/a/clients/{id}");
    assert_eq!(edge.ask(&path, admin, "").await.status, 204);
    assert_eq!(edge.ask("GET /tenants/a", token, "").await.status, 401);
    assert_eq!(edge.ask(&path, admin, "").await.status, 404);
    let gone = edge.token(id, "x").await;
    let wrong = edge.token("root", "wrong").await;
    assert_eq!((gone.status, &gone.body), (401, &wrong.body), "known or not");
    assert_eq!(wrong.header("cache-control"), "no-store");
    for _ in 0..9 {
        assert_eq!(edge.token("root", "wrong").await.status, 401);
    }
    let busy = edge.token("root", "hush").await;
    assert_eq!(busy.status, 429);
    assert!(!busy.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_token_is_good_for_as_long_as_was_said_and_no_longer() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", ALL).await;
    let life = edge.token("root", "hush").await.body.get("expires_in").unwrap().to_string();
    let life: i64 = life.parse().unwrap();
    let put_forward = |seconds: i64| edge.clock.by.fetch_add(1_000 * seconds, Ordering::SeqCst);
    put_forward(life - 60);
    assert_eq!(edge.ask("GET /tenants/a", token, "").await.status, 200);
    put_forward(60);
    let over = edge.ask("GET /tenants/a", token, "").await;
    assert_eq!(over.status, 401, "{}", over.body);
    // Nor is one with which nobody has asked before.
    let unused = edge.token("root", "hush").await;
    put_forward(life);
    assert_eq!(edge.ask("GET /1.0/tenants", unused.text("access_token"), "").await.status, 401);
}

#[tokio::test]
async fn a_token_has_the_scopes_that_were_asked_for_if_the_client_has_all_of_them() {
    let edge = Edge::new(|_| {}).await;
    edge.tenant("a", ALL).await;
    let body = r#"{"name":"narrow","scopes":["read","events"]}"#;
    let client = edge.ask("POST /1.0/tenants/a/clients", &edge.admin().await, body).await;
    let (id, secret) = (client.text("client_id"), client.text("client_secret"));
    for (asked, has) in [("", "events read"), ("&scope=read", "read"), ("&scope=events+read", "events read")]
    {
        let token = edge.token_for(id, secret, asked).await;
        let mut got: Vec<_> = token.text("scope").split(' ').collect();
        got.sort_unstable();
        assert_eq!((token.status, got.join(" ").as_str()), (200, has), "{asked}");
    }
    for asked in ["&scope=write", "&scope=read+write", "&scope=events+admin"] {
        let refused = edge.token_for(id, secret, asked).await;
        assert_eq!((refused.status, refused.text("error")), (400, "invalid_scope"), "{asked}");
    }
    let read = edge.token_for(id, secret, "&scope=read").await;
    let read = read.text("access_token");
    assert_eq!(edge.ask("GET /tenants/a", read, "").await.status, 200);
    assert_eq!(edge.ask("POST /tenants/a/event", read, r#"{"id":1}"#).await.status, 403);
}

#[tokio::test]
async fn an_integration_is_set_up_read_and_deleted_as_the_seeds_have_it() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", r#"["read","write","events","integrations:manage","secrets"]"#).await;
    let none = edge.ask("GET /tenants/a/integrations", token, "").await;
    assert_eq!(none.body.to_string(), r#"[{"id":"echo"}]"#);
    let salesforce = r#"{"id":"salesforce","type":"salesforce","consumer-key":"consumerkey",
        "consumer-secret":"consumersecret","username":"email@userevents.com","secret-token":"secret-token",
        "password":"password"}"#;
    let twilio = r#"{"id":"twilio","type":"twilio","account":"SID","password":"Token"}"#;
    let sendgrid = r#"{"id":"sendgrid","account":"username","password":"password"}"#;
    let airship = r#"{"id":"urban-airship","username":"app key","password":"app master key"}"#;
    let datasift = r#"{"id":"datasift","api-key":"api-key","username":"username"}"#;
    let pusher = r#"{"id":"pusher","key":"key","secret":"secret"}"#;
    for (line, body) in [
        ("POST /1.0/tenants/a/integrations/salesforce", salesforce),
        ("POST /tenants/a/integrations/twilio/", twilio),
        ("POST /1.0/tenants/a/sendgrid", sendgrid),
        ("POST /tenants/a/urban-airship", airship),
        ("POST /1.0/tenants/a/integrations", datasift),
        ("POST /1.0/tenants/a/integrations/pusher", pusher),
    ] {
        let mut want = parse(body.as_bytes(), Limits::BODY).unwrap();
        if let Json::Object(want) = &mut want
            && !line.ends_with("salesforce")
        {
            want.remove("type");
        }
        let made = edge.ask(line, token, body).await;
        assert_eq!((made.status, &made.body), (200, &want), "{line}");
        let id = text(&want, "id");
        let shown = edge.ask(&format!("GET /tenants/a/integrations/{id}"), token, "").await;
        assert_eq!((shown.body, shown.headers["etag"].to_str().unwrap()), (want, "\"1\""));
    }
    let all = edge.ask("GET /1.0/tenants/a/integrations", token, "").await.body;
    let ids: Vec<&str> = all.as_array().unwrap().iter().map(|one| text(one, "id")).collect();
    assert_eq!(ids, ["salesforce", "twilio", "sendgrid", "urban-airship", "datasift", "pusher", "echo"]);
    for (line, body, status) in [
        ("POST /tenants/a/integrations/twilio", r#"{"account":"SID"}"#, 400),
        ("POST /tenants/a/integrations/twilio", r#"{"account":"SID","password":""}"#, 400),
        ("POST /tenants/a/integrations/twilio", r#"{"id":"pusher","account":"S","password":"T"}"#, 400),
        ("POST /tenants/a/integrations/twilio", r#"{"acount":"S","password":"T"}"#, 400),
        ("POST /tenants/a/integrations/webhook", r#"{"url":"http://u@example.com"}"#, 400),
        ("POST /tenants/a/integrations/webhook", r#"{"url":"https://example.com","headers":{"A":1}}"#, 400),
        ("POST /tenants/a/integrations/webhook", r#"{"secret":"s","on-ambiguous":"maybe"}"#, 400),
        ("POST /tenants/a/integrations", r#"{"id":"fax"}"#, 400),
        ("POST /tenants/a/integrations/fax", "{}", 404),
        ("GET /tenants/a/integrations/zendesk", "", 404),
        ("DELETE /tenants/a/integrations/zendesk", "", 404),
        ("DELETE /tenants/a/integrations/echo", "", 409),
        ("DELETE /tenants/a/integrations/twilio", "", 204),
        ("GET /tenants/a/integrations/twilio", "", 404),
        ("GET /tenants/a/twilio", "", 405),
        ("POST /tenants/a/integrations/generic", "{}", 200),
    ] {
        let answered = edge.ask(line, token, body).await;
        assert_eq!(answered.status, status, "{line} {body}: {}", answered.body);
    }
    let details = edge.ask("POST /tenants/a/integrations/twilio", token, "{}").await.body;
    assert_eq!(text(&details, "error"), "missing: account, password");
    let admin = edge.admin().await;
    assert_eq!(edge.ask("POST /1.0/tenants/none/twilio", &admin, twilio).await.status, 422);
    assert_eq!(edge.ask("POST /1.0/tenants/none/integrations/twilio", &admin, twilio).await.status, 404);
}

#[tokio::test]
async fn secrets_are_masked_without_their_scope_and_stay_when_they_are_written_back_so() {
    let edge = Edge::new(|_| {}).await;
    let blind = &edge.tenant("a", r#"["read","integrations:manage"]"#).await;
    let admin = edge.admin().await;
    let seeing = edge.ask("POST /1.0/tenants/a/clients", &admin, r#"{"name":"s"}"#).await;
    let seeing = edge.token(seeing.text("client_id"), seeing.text("client_secret")).await;
    let seeing = seeing.text("access_token");
    let body = r#"{"url":"https://example.com/x","secret":"canary-one",
        "headers":{"Authorization":"canary-two"},"on-ambiguous":"hold"}"#;
    let masked = r#"{"id":"webhook","url":"https://example.com/x","secret":"********",
        "headers":{"Authorization":"********"},"on-ambiguous":"hold"}"#;
    let masked = &parse(masked.as_bytes(), Limits::BODY).unwrap();
    let made = edge.ask("POST /1.0/tenants/a/integrations/rest-api", blind, body).await;
    assert_eq!((made.status, &made.body), (200, masked));
    let back = masked.to_string().replace("/x", "/y");
    assert_eq!(edge.ask("POST /1.0/tenants/a/integrations/webhook", blind, &back).await.status, 200);
    let clear = edge.ask("GET /1.0/tenants/a/integrations/webhook", seeing, "").await.body;
    assert_eq!((text(&clear, "url"), text(&clear, "secret")), ("https://example.com/y", "canary-one"));
    assert_eq!(text(clear.get("headers").unwrap(), "Authorization"), "canary-two");
    let audit = edge.ask("GET /1.0/tenants/a/audit", blind, "").await.body.to_string();
    assert!(audit.contains("example.com/y") && audit.contains("********"), "{audit}");
    // What nobody may see is nowhere: not in a list, not in the audit trail, not in a file.
    let all = edge.ask("GET /v1/tenants/a/integrations", blind, "").await.body.to_string();
    assert!(!format!("{audit}{all}{}", made.body).contains("canary"));
    for file in std::fs::read_dir(edge.folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"), "{path:?}");
    }
    let nothing = r#"{"account":"S","password":"********"}"#;
    let lost = edge.ask("POST /1.0/tenants/a/integrations/twilio", blind, nothing).await;
    assert_eq!((lost.status, lost.text("error")), (400, "nothing is stored that could be kept: password"));
}

#[tokio::test]
async fn the_same_integrations_are_there_under_v1() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", r#"["read","integrations:manage","secrets"]"#).await;
    let reader = &edge.tenant("b", r#"["read"]"#).await;
    let body = r#"{"attribute":{"type":"Salesforce","name":"Ours","active":"true","properties":{
        "consumer-key":"k","consumer-secret":"s","username":"u","secret-token":"t","password":"p"}}}"#;
    let made = edge.ask("POST /v1/tenants/a/integrations/", token, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let result = made.body.get("result").unwrap();
    let (id, tenant) = (text(result, "id"), text(result, "tenantId"));
    assert!([id, tenant, text(result, "createdBy")].iter().all(|text| text.len() == 36), "{}", made.body);
    assert_eq!((text(result, "type"), text(result, "name")), ("salesforce", "Ours"));
    assert_eq!(text(result.get("properties").unwrap(), "password"), "p");
    assert_eq!(edge.ask("POST /v1/tenants/a/integrations", token, body).await.status, 409);
    let path = format!("/v1/tenants/{tenant}/integrations/{id}");
    let put = edge.ask(&format!("PUT {path}"), token, r#"{"active":false}"#).await;
    let put = put.body.get("result").unwrap().clone();
    assert_eq!((put.get("active"), text(&put, "name")), (Some(&Json::Bool(false)), "Ours"));
    assert_eq!(text(put.get("properties").unwrap(), "password"), "p");
    let other = r#"{"name":"Mine","properties":{"consumer-key":"k2","consumer-secret":"********",
        "username":"u","secret-token":"t","password":"q"}}"#;
    let put = edge.ask(&format!("PUT {path}/"), token, other).await.body.get("result").unwrap().clone();
    let properties = put.get("properties").unwrap();
    assert_eq!((text(properties, "consumer-secret"), text(properties, "password")), ("s", "q"));
    assert_eq!(put.get("active"), Some(&Json::Bool(false)));
    let old = edge.ask("GET /1.0/tenants/a/integrations/salesforce", token, "").await;
    assert_eq!(old.text("consumer-key"), "k2");
    let listed = edge.ask("GET /v1/tenants/a/integrations", token, "").await.body;
    assert_eq!(listed.get("result").unwrap().as_array().unwrap(), [put]);
    for (line, token, body, status) in [
        ("POST /v1/tenants/b/integrations".to_owned(), reader, body, 403),
        ("GET /v1/tenants/b/integrations".to_owned(), reader, "", 200),
        (format!("GET {path}"), reader, "", 403),
        (format!("GET /v1/tenants/b/integrations/{id}"), reader, "", 404),
        ("POST /v1/tenants/a/integrations".to_owned(), token, r#"{"type":"Fax"}"#, 400),
        (format!("PUT {path}"), token, r#"{"type":"Zendesk"}"#, 400),
        ("GET /1.0/v1/tenants/a/integrations".to_owned(), token, "", 404),
        (format!("DELETE {path}"), token, "", 204),
        (format!("GET {path}"), token, "", 404),
        ("GET /1.0/tenants/a/integrations/salesforce".to_owned(), token, "", 404),
    ] {
        let answered = edge.ask(&line, token, body).await;
        assert_eq!(answered.status, status, "{line}: {}", answered.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erased_customer_is_gone_from_every_answer_and_may_come_back_as_a_new_one() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", ALL).await;
    edge.ask("POST /tenants/a/key-attribute", token, r#"{"key":"id"}"#).await;
    let pattern = r#"{"name":"p","status":true,"when":"(event (= type \"x\"))",
        "then":"(seq (send echo message {:message *name*}) (expect (= $type \"never\")))"}"#;
    let made = edge.ask("POST /1.0/tenants/a/patterns", token, pattern).await;
    assert_eq!(made.status, 201, "{}", made.body);
    for id in ["k", "other"] {
        let event = format!(r#"{{"id":"{id}","type":"x","name":"name-of-{id}"}}"#);
        assert_eq!(edge.ask("POST /tenants/a/event", token, &event).await.status, 201);
        let sent = |body: &Json| entries(body).iter().any(|entry| text(entry, "state") == "succeeded");
        edge.until(&format!("GET /1.0/tenants/a/customers/{id}"), token, sent).await;
    }
    let running = edge.ask("GET /1.0/tenants/a/reactions?customer=k&state=running", token, "").await;
    let reaction = text(&entries(&running.body)[0], "id").to_owned();
    for _ in 0..2 {
        assert_eq!(edge.ask("DELETE /1.0/tenants/a/customers/k", token, "").await.status, 204);
    }
    let lists = ["customers/k", "event/history", "reactions", "patterns/PT1/matches", "audit"];
    let shown = lists.map(|list| format!("GET /1.0/tenants/a/{list}"));
    for line in shown.into_iter().chain([format!("GET /1.0/tenants/a/reactions/{reaction}")]) {
        let answered = edge.ask(&line, token, "").await;
        let body = answered.body.to_string();
        assert!(answered.status == 200 && !body.contains("name-of-k"), "{line}: {body}");
        assert_eq!(body.contains("name-of-other"), line.contains("history"), "{line}: {body}");
    }
    let nothing = edge.ask("GET /1.0/tenants/a/customers/k", token, "").await;
    assert!(entries(&nothing.body).iter().all(|entry| text(entry, "kind") == "reaction"), "{}", nothing.body);
    let running = edge.ask("GET /1.0/tenants/a/reactions?state=running", token, "").await;
    assert_eq!(entries(&running.body).len(), 1, "only the other's: {}", running.body);
    let audit = edge.ask("GET /1.0/tenants/a/audit?limit=1", token, "").await;
    let entry = &entries(&audit.body)[0];
    assert_eq!((text(entry, "kind"), text(entry, "resource")), ("deleted", "customer"), "{}", audit.body);
    assert!(!text(entry, "by").is_empty());

    let event = r#"{"id":"k","type":"x","name":"new"}"#;
    assert_eq!(edge.ask("POST /tenants/a/event", token, event).await.status, 201);
    let sent = |body: &Json| entries(body).iter().any(|entry| text(entry, "state") == "succeeded");
    let back = edge.until("GET /1.0/tenants/a/customers/k", token, sent).await.to_string();
    assert!(back.contains("new") && !back.contains("name-of-k"), "{back}");
}

#[tokio::test]
async fn a_listener_is_made_changed_shown_and_says_how_it_is() {
    let edge = Edge::new(|_| {}).await;
    let token = &edge.tenant("a", r#"["read","write"]"#).await;
    let made = r#"{"name":"Demo Datasift","type":"datasift","status":true,"options":{"hash":"xxxxxxxxxxxxxx"},
        "mapping":{"username":"interaction.author.username","sentiment":"salience.content.sentiment",
        "id":"twitter.user.screen_name"}}"#;
    let shown = |id: &str, hash: &str| {
        let shown = made.replacen('{', &format!(r#"{{"id":"{id}","#), 1).replace("xxxxxxxxxxxxxx", hash);
        parse(shown.as_bytes(), Limits::BODY).unwrap()
    };
    let first = edge.ask("POST /1.0/tenants/a/listeners", token, made).await;
    assert_eq!((first.status, first.body), (201, shown("LI1", "xxxxxxxxxxxxxx")));
    let changed =
        edge.ask("PUT /tenants/a/listeners/LI1", token, r#"{"options":{"hash":"yyyyyyyyyy"}}"#).await;
    assert_eq!((changed.status, changed.body), (200, shown("LI1", "yyyyyyyyyy")));
    let listed = edge.ask("GET /tenants/a/listeners", token, "").await.body;
    assert_eq!(listed, Json::Array(vec![shown("LI1", "yyyyyyyyyy")]));

    let status =
        async || edge.ask("GET /1.0/tenants/a/listeners/LI1/status", token, "").await.body.to_string();
    // It may be connecting for a moment before it finds out.
    let mut said = status().await;
    for _ in 0..500 {
        if said.contains("error") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        said = status().await;
    }
    let message = "integration datasift is not set up for this tenant";
    assert_eq!(said, format!(r#"{{"id":"status","status":"error","message":"{message}"}}"#));
    assert_eq!(edge.ask("PUT /tenants/a/listeners/LI1", token, r#"{"status":false}"#).await.status, 200);
    assert!(status().await.contains(r#""status":"stopped""#));

    for (asked, body, expected) in [
        ("POST /tenants/a/listeners", r#"{"name":"x","type":"fax","options":{},"mapping":{"a":"b"}}"#, 400),
        ("POST /tenants/a/listeners", r#"{"name":"x","type":"pusher","mapping":{"a":"b"}}"#, 400),
        (
            "POST /tenants/a/listeners",
            r#"{"name":"x","type":"pusher","options":{"channel":"c"},"mapping":{}}"#,
            400,
        ),
        (
            "POST /tenants/a/listeners",
            r#"{"name":"x","type":"pusher","options":{"channel":"c"},"mapping":{"a":1}}"#,
            400,
        ),
        ("PUT /tenants/a/listeners/LI1", r#"{"type":"pusher"}"#, 400),
        ("PUT /tenants/a/listeners/LI1", r#"{"name":null}"#, 400),
        ("GET /tenants/a/listeners/LI2", "", 404),
        ("GET /tenants/a/listeners/LI2/status", "", 404),
        ("DELETE /tenants/a/listeners/LI1", "", 204),
        ("DELETE /tenants/a/listeners/LI1", "", 404),
        ("GET /tenants/a/listeners/LI1/status", "", 404),
    ] {
        let answer = edge.ask(asked, token, body).await;
        assert_eq!(answer.status, expected, "{asked} {body}: {}", answer.body);
    }
    let wrong = r#"{"name":"x","type":"pusher","options":{"chanel":"c"},"mapping":{"a":"b"}}"#;
    let details = edge.ask("POST /tenants/a/listeners", token, wrong).await.body;
    let fields = details.get("details").and_then(Json::as_array).unwrap().iter();
    let fields: Vec<&str> = fields.filter_map(|detail| detail.get("field")?.as_text()).collect();
    assert_eq!(fields, ["options.channel", "options.chanel"]);
    assert!(edge.ask("POST /tenants/a/listeners", token, made).await.body.to_string().contains("LI2"));
}
