//! The main job over REST: events come in, patterns match, reactions run, and all of it can be read back.

use serde_json::{Value, json};
use system_tests::harness::{Request, Server, Tenant, wait_for};

const ABANDONED_TWICE: &str = r#"(within 1 hours (count 2 (event (= CallAction "abandoned"))))"#;

fn ids(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["id"].as_str().expect("an id")).collect()
}

#[test]
fn a_match_runs_its_reaction_and_the_whole_trail_can_be_read() {
    let server = Server::start();
    let acme = server.tenant("acme");
    let pattern = acme.pattern(ABANDONED_TWICE, r#"(send echo message {:message *name*})"#);

    let first = acme.event(json!({"id": "c1", "CallAction": "abandoned", "name": "Ann"}));
    assert_eq!(first["key-attr"], "c1");
    assert_eq!(first["event"], json!({"id": "c1", "CallAction": "abandoned", "name": "Ann"}));
    assert_eq!(first["contributing?"], true);
    let other = acme.event(json!({"id": "c2", "CallAction": "abandoned"}));
    let idle = acme.event(json!({"id": "c1", "CallAction": "answered"}));
    assert_eq!(idle["contributing?"], false);
    let second = acme.event(json!({"id": "c1", "CallAction": "abandoned"}));

    let reactions = acme.wait_reactions("c1", 1);
    let timeline = acme.timeline("c1");
    let kinds: Vec<_> = timeline.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "event").count(), 3, "{timeline:#?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "match").count(), 1, "{timeline:#?}");
    assert_eq!(kinds.iter().filter(|kind| **kind == "send").count(), 1, "{timeline:#?}");

    let found = &acme.entries("c1", "match")[0];
    assert_eq!(found["pattern"], pattern.as_str());
    assert_eq!(found["events"], json!([first["id"], second["id"]]));
    assert_eq!(found["cause"], second["id"]);
    assert_eq!(reactions[0]["pattern"], pattern.as_str());
    assert_eq!(reactions[0]["cause"], found["id"]);
    let send = &acme.entries("c1", "send")[0];
    assert_eq!(send["state"], "succeeded");
    assert_eq!(send["endpoint"], "echo");
    assert_eq!(send["reaction"], reactions[0]["id"]);

    let matches = acme.pages(&format!("patterns/{pattern}/matches"));
    assert_eq!(ids(&matches), [found["id"].as_str().unwrap()]);
    let listed = acme.pages("reactions?customer=c1&state=done");
    assert_eq!(ids(&listed), [reactions[0]["id"].as_str().unwrap()]);
    assert_eq!(acme.pages("reactions?state=failed"), Vec::<Value>::new());
    let one = acme.get(&format!("reactions/{}", reactions[0]["id"].as_str().unwrap())).expect(200);
    assert!(one["steps"].as_array().is_some_and(|steps| !steps.is_empty()), "{one:#}");
    assert!(one["program"].is_string(), "{one:#}");

    let history = acme.get("event/history").expect(200);
    let history: Vec<_> = history["history"].as_array().unwrap().iter().map(|event| &event["id"]).collect();
    assert_eq!(history, [&second["id"], &idle["id"], &other["id"], &first["id"]]);
    let latest = acme.get("event/history?limit=1").expect(200);
    assert_eq!(latest["history"].as_array().map(Vec::len), Some(1));
    assert_eq!(acme.timeline("nobody"), Vec::<Value>::new());

    let audit = acme.pages("audit");
    let changes: Vec<_> =
        audit.iter().map(|entry| (entry["kind"].as_str(), entry["resource"].as_str())).collect();
    assert!(changes.contains(&(Some("created"), Some("pattern"))), "{audit:#?}");
}

#[test]
fn a_deadline_comes_by_timer_and_an_event_in_time_prevents_it() {
    let server = Server::start();
    let shop = server.tenant("shop");
    shop.pattern(
        r#"(within 2 seconds (seq (event (= type "cart")) (fail (event (= type "paid")))))"#,
        r#"(send echo message {:message *goods*})"#,
    );
    shop.event(json!({"id": "paid", "type": "cart"}));
    shop.event(json!({"id": "paid", "type": "paid"}));
    let cart = shop.event(json!({"id": "left", "type": "cart", "goods": "a hat"}));

    let found = shop.wait_entries("left", "match", 1, |_| true);
    assert_eq!(found[0]["events"], json!([cart["id"]]));
    shop.wait_reactions("left", 1);
    let send = &shop.entries("left", "send")[0];
    assert_eq!(send["params"]["message"], "a hat", "{send:#}");
    shop.settle("paid");
    assert_eq!(shop.entries("paid", "match").len(), 1, "the settling one only");
}

#[test]
fn a_changed_pattern_starts_afresh_and_a_renamed_one_does_not() {
    let server = Server::start();
    let acme = server.tenant("acme");
    let pattern =
        acme.pattern(r#"(count 2 (event (= type "A")))"#, r#"(send echo message {:message "one"})"#);
    let path = format!("patterns/{pattern}");
    let a = |key: &str| acme.event(json!({"id": key, "type": "A"}));

    a("renamed");
    acme.put(&path, &json!({"name": "renamed", "then": r#"(send echo message {:message "two"})"#}))
        .expect(200);
    a("renamed");
    acme.wait_reactions("renamed", 1);
    assert_eq!(acme.entries("renamed", "send")[0]["params"]["message"], "two");

    // The same canonical text is no change; another one is.
    a("written-anew");
    acme.put(&path, &json!({"when": "(COUNT 2 (event (= type \"A\"))) ; again"})).expect(200);
    a("written-anew");
    acme.wait_entries("written-anew", "match", 1, |_| true);

    a("changed");
    acme.put(&path, &json!({"when": r#"(count 3 (event (= type "A")))"#})).expect(200);
    acme.put(&path, &json!({"when": r#"(count 2 (event (= type "A")))"#})).expect(200);
    a("changed");
    acme.settle("changed");
    let of_pattern =
        |key: &str| acme.entries(key, "match").iter().filter(|m| m["pattern"] == pattern.as_str()).count();
    assert_eq!(of_pattern("changed"), 0);
    a("changed");
    wait_for("the match after a fresh start", || (of_pattern("changed") == 1).then_some(()));

    a("off-and-on");
    acme.put(&path, &json!({"status": false})).expect(200);
    a("off-and-on");
    acme.put(&path, &json!({"status": true})).expect(200);
    a("off-and-on");
    acme.settle("off-and-on");
    assert_eq!(of_pattern("off-and-on"), 0);

    acme.delete(&path).expect(204);
    a("off-and-on");
    acme.settle("off-and-on");
    assert_eq!(of_pattern("off-and-on"), 0);
    acme.get(&path).expect(404);
    let next = acme.pattern("(event (exists x))", "(send echo message {})");
    assert_ne!(next, pattern, "ids are never used again");
}

#[test]
fn an_idempotency_key_makes_an_event_once() {
    let server = Server::start();
    let acme = server.tenant("acme");
    let first = acme.event_once("k1", &json!({"id": "c1", "n": 1})).expect(201);
    assert_eq!(acme.event_once("k1", &json!({"id": "c1", "n": 1})).expect(201), first);
    assert_eq!(acme.event_once("k1", &json!({"id": "c2", "n": 2})).expect(201), first, "whatever its body");
    let torn = Request::new("POST", &acme.path("event")).body("application/json", "{torn".to_owned());
    let again = acme.client.send(&torn.header("idempotency-key", "k1"));
    assert_eq!(again.expect(201), first, "no JSON too");
    acme.event_once("k2", &json!({"no": "key"})).expect(400);
    let second = acme.event_once("k2", &json!({"id": "c1", "n": 3})).expect(201);
    assert_ne!(second["id"], first["id"], "a refused event does not use its key up");
    assert_eq!(
        server.tenant("other").event_once("k1", &json!({"id": "c1"})).expect(201)["event"],
        json!({"id": "c1"})
    );

    let answers: Vec<Value> = std::thread::scope(|scope| {
        let twins: Vec<_> = (0..8)
            .map(|n| {
                let acme = acme.clone();
                scope.spawn(move || acme.event_once("twins", &json!({"id": "twin", "n": n})).expect(201))
            })
            .collect();
        twins.into_iter().map(|twin| twin.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    assert_eq!(acme.entries("twin", "event").len(), 1);
    assert_eq!(acme.entries("c1", "event").len(), 2);
    assert_eq!(acme.entries("c2", "event").len(), 0);
}

#[test]
fn a_batch_takes_the_good_lines_and_names_the_bad() {
    let server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(r#"(count 3 (event (= type "A")))"#, "(send echo message {})");
    let lines = concat!(
        "{\"id\":\"c1\",\"type\":\"A\"}\n",
        "\n",
        "{\"type\":\"A\"}\n",
        "{broken\n",
        "{\"event\":{\"id\":\"c1\",\"type\":\"A\",\"big\":123456789012345678901234567890.10},\"idempotency-key\":\"k\"}\n",
        "{\"event\":{\"id\":\"c1\",\"type\":\"B\"},\"idempotency-key\":\"k\"}\n",
        "{\"id\":\"c1\",\"type\":\"A\"}"
    );
    let request = Request::new("POST", &acme.path("events")).body("application/x-ndjson", lines);
    let answer = acme.client.send(&request);
    let results = answer.expect(200)["results"].as_array().unwrap().clone();
    let lines: Vec<_> = results.iter().map(|result| result["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 3, 4, 5, 6, 7]);
    let failed: Vec<_> = results.iter().map(|result| result["error"].is_string()).collect();
    assert_eq!(failed, [false, true, true, false, false, false], "{results:#?}");
    assert_eq!(results[3]["id"], results[4]["id"], "the same key, the same answer");
    assert!(answer.body.contains("123456789012345678901234567890.10"), "numbers keep every digit");
    acme.wait_entries("c1", "match", 1, |_| true);
    assert_eq!(acme.entries("c1", "event").len(), 3);

    let array = acme.post("events", &json!([{"id": "c2"}, {"id": ["c2"]}, {"id": "c3"}])).expect(200);
    let failed: Vec<_> =
        array["results"].as_array().unwrap().iter().map(|r| r["error"].is_string()).collect();
    assert_eq!(failed, [false, true, false]);
}

#[test]
fn resources_are_made_read_changed_and_deleted() {
    let server = Server::start();
    let acme = server.tenant("acme");
    assert_eq!(
        acme.client.get("/1.0/tenants/acme").expect(200),
        json!({"id": "acme", "name": "Tenant acme"})
    );
    assert_eq!(acme.client.get("/tenants/acme/key-attribute/").expect(200), json!({"key": "id"}));

    let made = acme.post("templates", &json!({"name": "SMS", "template": "Hi {{name}}"})).expect(201);
    assert_eq!(made, json!({"id": "TM1", "name": "SMS", "template": "Hi {{name}}"}));
    acme.put("templates/TM1", &json!({"template": "Hello {{name}}", "description": "d"})).expect(200);
    acme.put("templates/TM1", &json!({"description": null})).expect(200);
    assert_eq!(
        acme.get("templates/TM1").expect(200),
        json!({"id": "TM1", "name": "SMS", "template": "Hello {{name}}"})
    );
    let pattern = acme.pattern("(event (= type \"A\"))", "(send echo message {:message +TM1})");
    acme.event(json!({"id": "c1", "type": "A", "name": "<Ann>"}));
    acme.wait_reactions("c1", 1);
    assert_eq!(acme.entries("c1", "send")[0]["params"]["message"], "Hello <Ann>");
    let refused = acme.delete("templates/TM1");
    refused.expect(409);
    assert!(refused.error().contains(&pattern), "{}", refused.body);
    acme.put(&format!("patterns/{pattern}"), &json!({"status": false})).expect(200);
    acme.delete("templates/TM1").expect(204);
    acme.get("templates/TM1").expect(404);
    assert_eq!(acme.get("templates").expect(200), json!([]));

    // A disabled pattern may be unfinished, and is kept word for word.
    let draft = acme.post("patterns", &json!({"name": "draft", "when": "(seq (eve"})).expect(201);
    assert_eq!(draft["when"], "(seq (eve");
    assert_eq!(draft["status"], false);
    let path = format!("patterns/{}", draft["id"].as_str().unwrap());
    acme.put(&path, &json!({"status": true})).expect(400);
    assert_eq!(acme.get(&path).expect(200), draft, "nothing is changed by what is refused");
    let ids: Vec<_> =
        acme.get("patterns").expect(200).as_array().unwrap().iter().map(|p| p["id"].clone()).collect();
    assert_eq!(ids, [json!(pattern), draft["id"].clone()], "in order of creation");
}

#[test]
fn a_change_with_if_match_that_crossed_another_is_refused() {
    let server = Server::start();
    let acme = server.tenant("acme");
    acme.post("patterns", &json!({"name": "one"})).expect(201);
    let read = acme.get("patterns/PT1");
    let etag = read.header("etag");
    assert!(!etag.is_empty(), "a resource has an ETag");
    let change = |name: &str, etag: &str| {
        let request = Request::new("PUT", &acme.path("patterns/PT1")).json(&json!({"name": name}));
        acme.client.send(&request.header("if-match", etag))
    };
    change("two", etag).expect(200);
    change("three", etag).expect(409);
    assert_eq!(acme.get("patterns/PT1").expect(200)["name"], "two");

    let read = acme.get("key-attribute");
    let set = |key: &str| {
        let request = Request::new("POST", &acme.path("key-attribute")).json(&json!({"key": key}));
        acme.client.send(&request.header("if-match", read.header("etag")))
    };
    set("email").expect(200);
    set("phone").expect(409);
    assert_eq!(acme.get("key-attribute").expect(200)["key"], "email");
}

#[test]
fn a_reaction_branches_waits_and_makes_events() {
    let server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(
        r#"(event (= type "signup"))"#,
        r#"(seq (set who *name*)
             (delay 1 seconds)
             (expect (and (= $id *id*) (= $type "paid"))
               (within 60 seconds)
               (success (seq (set amount $amount) (event {:id *id* :type "thanked" :amount amount})))
               (failure (send echo message {:message "late"})))
             (if (= who "Ann")
               (success (send echo message {:message "for Ann"} (success (set said $message))))
               (failure (send echo message {:message "for someone"})))
             (send echo message {:message said}))"#,
    );
    acme.event(json!({"id": "c1", "type": "signup", "name": "Ann"}));
    let reaction = &acme.wait_entries("c1", "reaction", 1, |_| true)[0];
    let path = format!("reactions/{}", reaction["id"].as_str().unwrap());
    wait_for("the expect to be registered", || acme.get(&path).body.contains("expect").then_some(()));
    acme.event(json!({"id": "c2", "type": "paid", "amount": 1}));
    acme.event(json!({"id": "c1", "type": "paid", "amount": 7}));
    // It may have come before the expect was registered: such an event does not count, so it is sent until it does.
    wait_for("the reaction", || {
        let done = acme.entries("c1", "reaction").iter().any(|r| r["state"] == "done");
        if !done {
            acme.event(json!({"id": "c1", "type": "paid", "amount": 7}));
        }
        done.then_some(())
    });
    let said: Vec<_> =
        acme.entries("c1", "send").iter().map(|send| send["params"]["message"].clone()).collect();
    assert_eq!(said, ["for Ann", "for Ann"]);
    let thanked: Vec<_> =
        acme.entries("c1", "event").into_iter().filter(|e| e["event"]["type"] == "thanked").collect();
    assert_eq!(thanked.len(), 1);
    assert_eq!(thanked[0]["event"], json!({"id": "c1", "type": "thanked", "amount": 7}));
}

#[test]
fn tenants_are_walls() {
    let server = Server::start();
    let (acme, shop) = (server.tenant("acme"), server.tenant("shop"));
    acme.pattern("(event (= type \"A\"))", "(send echo message {})");
    acme.event(json!({"id": "c1", "type": "A"}));
    shop.event(json!({"id": "c1", "type": "A"}));
    acme.wait_reactions("c1", 1);
    let reaction = acme.entries("c1", "reaction")[0]["id"].as_str().unwrap().to_owned();
    shop.settle("c1");
    assert_eq!(shop.entries("c1", "match").len(), 1, "the settling one only");
    assert_eq!(shop.get("patterns").expect(200), json!([]));
    shop.get(&format!("reactions/{reaction}")).expect(404);
    let foreign = Tenant { client: shop.client.clone(), ..acme };
    foreign.get("patterns").expect(403);
    foreign.get(&format!("reactions/{reaction}")).expect(403);
    foreign.post("event", &json!({"id": "c1"})).expect(403);
}
