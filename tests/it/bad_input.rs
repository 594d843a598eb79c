//! What must not be taken: always the documented 4xx with an `error` for a person, never a 5xx, and the server goes
//! on.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use system_tests::harness::{Answer, PATIENCE, Request, Server, Tenant};

/// A server, a tenant, another tenant, and a pattern PT1 and a template TM1 of the first.
struct Scene {
    server: Server,
    acme: Tenant,
    other: Tenant,
}

impl Scene {
    fn new() -> Self {
        let server = Server::start();
        let (acme, other) = (server.tenant("acme"), server.tenant("other"));
        acme.pattern("(event (= type \"A\"))", "(send echo message {:message \"x\"})");
        acme.post("templates", &json!({"name": "T", "template": "Hi {{name}}"})).expect(201);
        Self { server, acme, other }
    }

    fn send(&self, request: Request) -> Answer {
        self.acme.client.send(&request)
    }

    #[track_caller]
    fn refused(&self, status: u16, request: Request) -> Answer {
        let shown = String::from_utf8_lossy(&request.body[..request.body.len().min(200)]).into_owned();
        let answer = self.send(request);
        assert_eq!(answer.status, status, "{} {shown}: {}", answer.asked, answer.body);
        answer.error();
        assert!(!answer.header("x-request-id").is_empty(), "{}: no request id", answer.asked);
        answer
    }

    /// After all of it: nothing was changed, and an event still matches.
    fn goes_on(mut self) {
        assert!(self.server.is_alive());
        assert_eq!(self.acme.get("patterns").expect(200).as_array().map(Vec::len), Some(1));
        self.acme.event(json!({"id": "after", "type": "A"}));
        self.acme.wait_reactions("after", 1);
        let said = self.server.said();
        assert!(!said.contains("panicked"), "{said}");
    }
}

/// What the server answers to a body that it may refuse before it has come to its end: an ordinary client would stop at
/// the first write that fails.
fn refused_early(server: &Server, token_from: &Tenant, request: &Request) -> (u16, String) {
    let address = server.base().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let mut head = format!("{} {} HTTP/1.1\r\nhost: {address}\r\n", request.method, request.path);
    for (name, value) in request.headers.iter().chain(&[token_from.client.authorization()]) {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "connection: close\r\ncontent-length: {}\r\n\r\n", request.body.len());
    stream.write_all(head.as_bytes()).expect("the head is taken");
    let _ = stream.write_all(&request.body);
    let mut answer = Vec::new();
    let _ = stream.take(4_096).read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer)
}

fn post(path: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", &format!("/1.0/tenants/acme/{path}")).body("application/json", body)
}

fn put(path: &str, body: &Value) -> Request {
    Request::new("PUT", &format!("/1.0/tenants/acme/{path}")).json(body)
}

fn get(path: &str) -> Request {
    Request::new("GET", &format!("/1.0/tenants/acme/{path}"))
}

#[test]
fn a_body_that_is_not_what_it_should_be_is_a_400() {
    let scene = Scene::new();
    let nested = |open: &str, close: &str, n: usize| {
        format!("{{\"id\":\"c\",\"a\":{}1{}}}", open.repeat(n), close.repeat(n))
    };
    // path, body, words that the error says
    let table: &[(&str, String, &[&str])] = &[
        // not JSON, with the place
        ("patterns", "{\"name\": \"x\",\n  oops}".into(), &["line 2"]),
        ("patterns", "{\"name\": \"x\"".into(), &[]),
        ("patterns", "{\"name\": \"x\"} trailing".into(), &[]),
        ("patterns", "{\"name\": 01}".into(), &[]),
        ("patterns", "{\"name\": \"\\ud800\"}".into(), &[]),
        ("patterns", "{\"name\": \"a\", \"name\": \"b\"}".into(), &["name"]),
        ("event", "{\"id\": \"a\", \"id\": \"b\"}".into(), &["id"]),
        ("event", "{\"id\": \"a\", \"x\": NaN}".into(), &[]),
        ("event", "nul".into(), &[]),
        ("event", "\u{feff}{}".into(), &[]),
        // another kind of value
        ("patterns", "[]".into(), &["object"]),
        ("patterns", "null".into(), &[]),
        ("patterns", "{\"name\": 5}".into(), &["name"]),
        ("patterns", "{\"name\": \"x\", \"status\": \"true\"}".into(), &["status"]),
        ("patterns", "{\"name\": \"x\", \"when\": [\"(event (= a 1))\"]}".into(), &["when"]),
        ("templates", "{\"name\": \"x\", \"template\": {}}".into(), &["template"]),
        ("key-attribute", "{\"key\": 5}".into(), &["key"]),
        // what is mandatory
        ("patterns", "{}".into(), &["name"]),
        ("patterns", "{\"name\": null}".into(), &["name"]),
        ("patterns", "{\"name\": \"\"}".into(), &["name"]),
        ("templates", "{\"name\": \"x\"}".into(), &["template"]),
        ("key-attribute", "{}".into(), &["key"]),
        ("key-attribute", "{\"key\": \"\"}".into(), &["key"]),
        ("patterns", "{\"name\": \"x\", \"status\": true}".into(), &["when"]),
        ("patterns", "{\"name\": \"x\", \"status\": true, \"when\": \"(event (= a 1))\"}".into(), &["then"]),
        // too long
        ("patterns", json!({"name": "x".repeat(257)}).to_string(), &["256"]),
        ("key-attribute", json!({"key": "x".repeat(257)}).to_string(), &["256"]),
        // unknown, with the nearest
        ("patterns", "{\"name\": \"x\", \"wehn\": \"\"}".into(), &["wehn", "when"]),
        ("templates", "{\"nmae\": \"x\", \"template\": \"\"}".into(), &["nmae", "name"]),
        ("patterns", "{\"name\": \"x\", \"id\": \"PT9\"}".into(), &["id"]),
        // events
        ("event", "[]".into(), &["object"]),
        ("event", "5".into(), &["object"]),
        ("event", "{}".into(), &["id"]),
        ("event", "{\"id\": null}".into(), &["id"]),
        ("event", "{\"id\": \"\"}".into(), &["empty"]),
        ("event", "{\"id\": {}}".into(), &["id"]),
        ("event", "{\"id\": [1]}".into(), &["id"]),
        ("event", nested("[", "]", 32), &["32"]),
        ("event", nested("{\"a\":", "}", 32), &["32"]),
        ("event", nested("[", "]", 100_000), &[]),
        ("patterns", "[".repeat(500_000), &[]),
        ("events", "{\"event\": {\"id\": 1}}".into(), &["array"]),
        ("patterns/validate", "{\"wen\": \"\"}".into(), &["wen", "when"]),
    ];
    for (path, body, says) in table {
        let answer = scene.refused(400, post(path, body.as_bytes()));
        let shown = &body[..body.len().min(200)];
        for word in *says {
            assert!(answer.body.contains(word), "{path} {shown}: does not say {word:?}: {}", answer.body);
        }
    }
    scene.refused(400, post("patterns", b"{\"name\": \"\xff\xfe\"}".to_vec()));
    scene.refused(400, put("patterns/PT1", &json!({"name": null})));
    scene.refused(400, put("patterns/PT1", &json!({"id": "PT2"})));
    assert_eq!(scene.send(put("patterns/PT1", &json!({"id": "PT1"}))).status, 200);
    let at_the_limit = scene.send(post("event", nested("[", "]", 31)));
    assert_eq!(at_the_limit.status, 201, "31 below the event itself are 32: {}", at_the_limit.body);
    scene.goes_on();
}

#[test]
fn a_program_over_a_limit_or_malformed_is_a_400_with_its_place() {
    let scene = Scene::new();
    let echo = "(send echo message {})";
    let event = "(event (= a 1))";
    let deep = |n: usize| format!("{}{event}{}", "(all ".repeat(n), ")".repeat(n));
    let whens: Vec<(String, &str)> = vec![
        (String::new(), ""),
        ("(".repeat(60_000), ""),
        (")".repeat(60_000), ""),
        (deep(64), "64"),
        (deep(10_000), ""),
        (format!("(all {})", format!("{event} ").repeat(1_000)), "1000 forms"),
        (format!("(count 10001 {event})"), "10000"),
        (format!("(count 0 {event})"), ""),
        (format!("(count 99999999999999999999999999 {event})"), ""),
        (format!("(count -1 {event})"), ""),
        (format!("(count 1.5 {event})"), ""),
        (format!("(within 367 days {event})"), "366"),
        (format!("(within 99999999999999999999 days {event})"), ""),
        (format!("(within 0 days {event})"), ""),
        (format!("(within 1 fortnights {event})"), "fortnights"),
        (format!("(within 1 huors {event})"), "hours"),
        (format!("(cuont 2 {event})"), "count"),
        (format!("; {}\n{event}", "x".repeat(65_536)), "65536"),
        ("(event (= \"a))".into(), ""),
        ("(event (= a \"\\ud800\"))".into(), ""),
        ("(event (= a \"\\q\"))".into(), ""),
        ("(event (= a +5))".into(), "+5"),
        ("(event (= a .5))".into(), ".5"),
        ("(event (= 1 2))".into(), "attribute"),
        ("(event (= a))".into(), ""),
        ("(event (= a 1 2))".into(), ""),
        ("(event)".into(), ""),
        ("(event a)".into(), ""),
        ("a".into(), ""),
        ("()".into(), ""),
        ("(seq)".into(), ""),
        (format!("{event} {event}"), ""),
        (format!("(fail {event})"), "fail"),
        (format!("(seq (fail {event}) {event})"), "fail"),
        (format!("(seq {event} (fail {event}))"), "within"),
        (format!("(any {event} (fail {event}))"), "fail"),
        (format!("(count 2 (fail {event}))"), "fail"),
        (format!("(all (fail {event}))"), "fail"),
        (format!("(all {event} (within 1 hours (fail {event})))"), "within"),
        (format!("(within 1 hours (seq {event} (fail {event}) (within 1 hours (fail {event}))))"), ""),
        (format!("(when (when {event}))"), "when"),
        // more than 256 KiB for one customer
        (format!("(within 1 days (count 10000 (all {})))", format!("(count 10000 {event})").repeat(9)), ""),
    ];
    for (when, says) in &whens {
        check(&scene, "when", when, json!({"name": "x", "status": true, "when": when, "then": echo}), says);
    }
    let thens: Vec<(String, &str)> = vec![
        (String::new(), ""),
        (format!("{}{echo}{}", "(seq ".repeat(100), ")".repeat(100)), ""),
        ("{".repeat(60_000), ""),
        ("(seq)".into(), ""),
        ("(send ehco message {})".into(), "echo"),
        ("(send echo mesage {})".into(), "message"),
        ("(send twilio sms {:to-phone-nubmer \"1\"})".into(), "to-phone-number"),
        ("(send echo message {:message})".into(), ""),
        ("(send echo message {} (retries 101))".into(), "100"),
        ("(send echo message {} (retires 1))".into(), "retries"),
        ("(delay 367 days)".into(), "366"),
        ("(delay 1)".into(), ""),
        ("(delay 1 seconds (retries 1))".into(), "retries"),
        ("(send echo message {:message +TM99})".into(), "TM99"),
        (format!("(if true (success {echo} {echo}))"), ""),
        ("(set)".into(), ""),
        (format!("(seq {})", "(delay 1 seconds) ".repeat(1_000)), "1000 forms"),
        (format!("(set x \"{}\")", "x".repeat(65_536)), ""),
    ];
    for (then, says) in &thens {
        check(&scene, "then", then, json!({"name": "x", "status": true, "when": event, "then": then}), says);
    }
    // The same texts are kept word for word while the pattern is off (but for their length).
    for text in ["(seq", "((((", "\u{0}"] {
        let made = scene
            .send(post("patterns", json!({"name": "draft", "when": text, "then": text}).to_string()))
            .expect(201);
        assert_eq!(made["when"], text);
        scene.acme.delete(&format!("patterns/{}", made["id"].as_str().unwrap())).expect(204);
    }
    scene.goes_on();
}

#[track_caller]
fn check(scene: &Scene, field: &str, text: &str, body: Value, says: &str) {
    let shown = &text[..text.len().min(120)];
    let answer = scene.refused(400, post("patterns", body.to_string()));
    assert!(answer.body.contains(says), "{shown}: does not say {says:?}: {}", answer.body);
    let details = answer.json()["details"].as_array().cloned().unwrap_or_default();
    assert!(details.iter().any(|detail| detail["field"] == field), "{shown}: {}", answer.body);
    let placed = details.iter().all(|d| d["line"].is_u64() && d["column"].is_u64());
    assert!(placed || text.is_empty(), "{shown}: no place: {}", answer.body);
    assert!(answer.body.len() < 100_000, "{shown}: an answer of {} bytes", answer.body.len());
    let checked = scene.acme.post("patterns/validate", &json!({field: text}));
    let checked = checked.expect(200);
    if !text.contains("TM99") && !text.is_empty() {
        assert_eq!(checked["valid"], false, "{shown}: {checked}");
    }
}

#[test]
fn a_template_that_is_not_mustache_or_a_bomb_is_a_400() {
    let scene = Scene::new();
    for template in [
        "{{name".to_owned(),
        "{{#a}}x".to_owned(),
        "{{/a}}".to_owned(),
        "{{#a}}{{#b}}{{/a}}{{/b}}".to_owned(),
        "{{}}".to_owned(),
        "{{#a}}".repeat(10_000),
        format!("{}{}", "{{#a}}".repeat(1_000), "{{/a}}".repeat(1_000)),
        "{{{".repeat(10_000),
        "x".repeat(300_000),
    ] {
        let body = json!({"name": "x", "template": template}).to_string();
        scene.refused(400, post("templates", body));
    }
    // A template that repeats itself fails its send at most; it does not hold the server up.
    let bomb = "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}xxxxxxxxxx{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}{{/a}}";
    let id =
        scene.acme.post("templates", &json!({"name": "bomb", "template": bomb})).expect(201)["id"].clone();
    let then = format!("(send echo message {{:message +{}}})", id.as_str().unwrap());
    let pattern = scene.acme.pattern("(event (= type \"bomb\"))", &then);
    scene.acme.event(json!({"id": "bomb", "type": "bomb", "a": vec![1; 100]}));
    scene.acme.wait_entries("bomb", "reaction", 1, |reaction| reaction["state"] != "running");
    scene.acme.delete(&format!("patterns/{pattern}")).expect(204);
    scene.goes_on();
}

#[track_caller]
fn too_large(scene: &Scene, request: Request) {
    let (status, answer) = refused_early(&scene.server, &scene.acme, &request);
    assert_eq!(status, 413, "{} {} bytes: {answer}", request.path, request.body.len());
    assert!(answer.contains("{\"error\":"), "{answer}");
}

#[test]
fn what_is_too_large_is_a_413() {
    let scene = Scene::new();
    let event = |bytes: usize| json!({"id": "big", "x": "x".repeat(bytes)}).to_string();
    too_large(&scene, post("patterns", json!({"name": "x", "description": "x".repeat(1 << 20)}).to_string()));
    too_large(&scene, post("event", event(256 << 10)));
    assert_eq!(scene.send(post("event", event((256 << 10) - 100))).status, 201);
    let ndjson =
        |body: String| Request::new("POST", "/1.0/tenants/acme/events").body("application/x-ndjson", body);
    too_large(&scene, ndjson("{\"id\":\"c\"}\n".repeat(10_001)));
    too_large(&scene, post("events", format!("[{}1]", "1,".repeat(10_000))));
    too_large(&scene, ndjson(format!("{{\"id\":\"c\",\"x\":\"{}\"}}\n", "x".repeat(250_000)).repeat(68)));
    // One line over an event's size does not hold back the others.
    let lines = format!("{}\n{{\"id\":\"c\"}}\n", event(256 << 10));
    let answer = scene.send(ndjson(lines)).expect(200);
    assert!(answer["results"][0]["error"].is_string() && answer["results"][1]["id"].is_string(), "{answer}");
    scene.goes_on();
}

#[test]
fn another_content_type_is_a_415() {
    let scene = Scene::new();
    for content_type in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "nonsense",
        "application/json5",
    ] {
        let request =
            Request::new("POST", "/1.0/tenants/acme/patterns").body(content_type, "{\"name\":\"x\"}");
        scene.refused(415, request);
        let request = Request::new("POST", "/1.0/tenants/acme/event").body(content_type, "{\"id\":\"x\"}");
        scene.refused(415, request);
    }
    let mut without = post("patterns", "{\"name\":\"x\"}");
    without.headers.clear();
    scene.refused(415, without);
    for content_type in ["application/json; charset=utf-8", "Application/JSON"] {
        let request = Request::new("POST", "/1.0/tenants/acme/event").body(content_type, "{\"id\":\"x\"}");
        assert_eq!(scene.send(request).status, 201, "{content_type}");
    }
    scene.goes_on();
}

#[test]
fn without_a_valid_token_it_is_a_401_and_with_anothers_a_403() {
    let scene = Scene::new();
    let anonymous = scene.server.anonymous();
    let long = "x".repeat(8_000);
    for token in ["", "x", "null", "Bearer", "a.b.c", &long, "' or 1=1 --"] {
        let answer = anonymous.with_token(token).get("/1.0/tenants/acme/patterns");
        answer.expect(401);
        assert!(answer.header("www-authenticate").starts_with("Bearer"), "{token}: {:?}", answer.headers);
        answer.error();
    }
    for header in ["Basic YWRtaW46YWRtaW4=", "bearer", "Token x", "Bearer  "] {
        let request = Request::new("GET", "/1.0/tenants/acme/patterns").header("authorization", header);
        let answer = anonymous.send(&request);
        answer.expect(401);
    }
    anonymous.get("/1.0/tenants/acme/patterns").expect(401);
    anonymous.get("/1.0/tenants/nobody/patterns").expect(401);
    anonymous.get("/1.0/nowhere").expect(404);

    // Another's tenant, existing or not: the same answer to the byte.
    let asked = |tenant: &str, path: &str| {
        let answer = scene.other.client.get(&format!("/1.0/tenants/{tenant}{path}"));
        answer.expect(403);
        answer.error().replace(tenant, "…")
    };
    for path in [
        "",
        "/key-attribute",
        "/patterns",
        "/patterns/PT1",
        "/templates/TM1",
        "/event/history",
        "/customers/c1",
        "/reactions",
        "/audit",
    ] {
        assert_eq!(asked("acme", path), asked("nobody", path), "{path}");
    }
    scene.other.client.post("/1.0/tenants/acme/event", &json!({"id": "c1"})).expect(403);
    scene.other.client.post("/1.0/tenants/acme/patterns", &json!({"name": "x"})).expect(403);
    scene.other.client.delete("/1.0/tenants/acme/patterns/PT1").expect(403);

    // The admin's rows are the admin's, and the admin has no others.
    scene.acme.client.get("/1.0/tenants").expect(403);
    scene.acme.client.post("/1.0/tenants", &json!({"id": "mine", "name": "Mine"})).expect(403);
    scene.acme.get("clients").expect(403);
    let admin = scene.server.admin();
    admin.get("/1.0/tenants/acme/patterns").expect(403);
    admin.get("/1.0/tenants/nobody/clients").expect(404);

    // A client with fewer scopes, and one that was deleted.
    let (id, secret) = admin.new_client("acme", Some(&["read"]));
    let reader = admin.with_token_of(&id, &secret);
    reader.get("/1.0/tenants/acme/patterns").expect(200);
    reader.post("/1.0/tenants/acme/event", &json!({"id": "c1"})).expect(403);
    reader.post("/1.0/tenants/acme/patterns", &json!({"name": "x"})).expect(403);
    admin.delete(&format!("/1.0/tenants/acme/clients/{id}")).expect(204);
    reader.get("/1.0/tenants/acme/patterns").expect(401);
    scene.goes_on();
}

#[test]
fn the_token_endpoint_speaks_oauth() {
    let scene = Scene::new();
    let anonymous = scene.server.anonymous();
    let ask = |body: &str| {
        anonymous.send(&Request::new("POST", "/token").body("application/x-www-form-urlencoded", body))
    };
    let (id, secret) = system_tests::harness::ADMIN;
    for (body, status, code) in [
        (String::new(), 400, "invalid_request"),
        ("grant_type=client_credentials".to_owned(), 401, "invalid_client"),
        (format!("grant_type=password&client_id={id}&client_secret={secret}"), 400, "unsupported_grant_type"),
        (format!("grant_type=client_credentials&client_id={id}&client_secret=wrong"), 401, "invalid_client"),
        (
            format!("grant_type=client_credentials&client_id=nobody&client_secret={secret}"),
            401,
            "invalid_client",
        ),
        (
            format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope=nonsense"),
            400,
            "invalid_scope",
        ),
    ] {
        if body.is_empty() {
            continue;
        }
        let answer = ask(&body);
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert_eq!(answer.json()["error"], code, "{body}");
        assert!(answer.json()["error_description"].is_string(), "{body}: {}", answer.body);
    }
    let good = ask(&format!("grant_type=client_credentials&client_id={id}&client_secret={secret}"));
    let token = good.expect(200);
    assert_eq!((&token["token_type"], &token["expires_in"]), (&json!("bearer"), &json!(3600)));
    assert_eq!(good.header("cache-control"), "no-store");
    scene.goes_on();
}

#[test]
fn unknown_paths_methods_ids_and_parameters_are_refused_as_documented() {
    let scene = Scene::new();
    for path in ["nowhere", "patterns/PT1/nowhere", "customers", "event/histroy", "augment-file"] {
        scene.refused(404, get(path));
    }
    scene.refused(404, Request::new("GET", "/"));
    scene.refused(404, Request::new("GET", "/2.0/tenants/acme"));
    for (method, path, allowed) in [
        ("PATCH", "patterns/PT1", "PUT"),
        ("DELETE", "patterns", "POST"),
        ("PUT", "key-attribute", "POST"),
        ("GET", "event", "POST"),
        ("POST", "event/history", "GET"),
        ("BREW", "patterns", "GET"),
    ] {
        let answer = scene.refused(405, Request::new(method, &format!("/1.0/tenants/acme/{path}")));
        assert!(
            answer.header("allow").contains(allowed),
            "{method} {path}: Allow: {}",
            answer.header("allow")
        );
    }
    for id in [
        "PT2",
        "PT0",
        "PT01",
        "pt1",
        "TM1",
        "PT",
        "x",
        "PT99999999999999999999",
        "%00",
        "%ff",
        "..%2f",
        "PT1%20",
    ] {
        scene.refused(404, get(&format!("patterns/{id}")));
        scene.refused(404, put(&format!("patterns/{id}"), &json!({"name": "x"})));
    }
    scene.refused(404, get("reactions/nonsense"));
    scene.refused(404, get("patterns/PT9/matches"));
    for query in ["limit=0", "limit=1001", "limit=x", "limit=-1", "limit="] {
        scene.refused(400, get(&format!("event/history?{query}")));
        scene.refused(400, get(&format!("customers/c1?{query}")));
    }
    for query in ["before=nonsense", "state=nonsense", "from=yesterday", "to=2024-13-01T00:00:00Z"] {
        scene.refused(400, get(&format!("reactions?{query}")));
    }
    scene.refused(400, post("event", "{\"id\":\"c\"}").header("idempotency-key", ""));
    scene.refused(400, post("event", "{\"id\":\"c\"}").header("idempotency-key", &"k".repeat(257)));

    let admin = scene.server.admin();
    for id in ["", "-a", "_a", "a b", "a/b", "é", &"x".repeat(65)] {
        let answer = admin.post("/1.0/tenants", &json!({"id": id, "name": "x"}));
        answer.expect(400);
        answer.error();
    }
    let taken = admin.post("/1.0/tenants", &json!({"id": "acme", "name": "again"}));
    taken.expect(409);
    taken.error();
    for (scopes, says) in [
        (json!(["read", "nonsense"]), "nonsense"),
        (json!([]), "integrations:manage"),
        (json!("read"), "a list of strings"),
        (json!([1]), "a list of strings"),
    ] {
        let body = json!({"name": "x", "scopes": scopes});
        let refused = admin.post("/1.0/tenants/acme/clients", &body).expect(400);
        assert!(refused["error"].to_string().contains(says), "{refused}");
    }
    scene.goes_on();
}

#[test]
fn no_key_attribute_yet_is_a_400_that_says_so() {
    let server = Server::start();
    let admin = server.admin();
    admin.post("/1.0/tenants", &json!({"id": "bare", "name": "Bare"})).expect(201);
    let (id, secret) = admin.new_client("bare", None);
    let bare = Tenant { id: "bare".to_owned(), client: admin.with_token_of(&id, &secret) };
    bare.get("key-attribute").expect(404);
    let refused = bare.post("event", &json!({"id": "c1"}));
    refused.expect(400);
    assert!(refused.error().contains("key-attribute"), "{}", refused.body);
}

#[test]
fn a_flood_over_the_tenants_rate_is_a_429() {
    let server = Server::start_with(&["--tenant-events-per-second", "10"]);
    let (acme, other) = (server.tenant("acme"), server.tenant("other"));
    let answers: Vec<_> = (0..40).map(|n| acme.post("event", &json!({"id": "c1", "n": n}))).collect();
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(!refused.is_empty(), "40 events at once are over a burst of 20");
    assert!(refused.iter().all(|answer| answer.header("retry-after").parse::<u64>().is_ok_and(|s| s >= 1)));
    assert!(refused[0].error().contains("rate limit"), "{}", refused[0].body);
    let taken = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(taken + refused.len(), answers.len());
    assert_eq!(acme.entries("c1", "event").len(), taken);
    acme.post("events", &json!((0..100).map(|n| json!({"id": "b", "n": n})).collect::<Vec<_>>())).expect(429);
    assert_eq!(acme.entries("b", "event").len(), 0, "refused whole");
    other.event(json!({"id": "c1"}));
}
