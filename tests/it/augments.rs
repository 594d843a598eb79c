//! Augments through the real binary: uploaded, applied, recorded, and never asked again by a replay.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use system_tests::harness::{Answer, Request, Server, Tenant};
use system_tests::stand_in::{Reply, StandIn};

fn upload(tenant: &Tenant, id: &str, csv: impl Into<Vec<u8>>) -> Answer {
    let path = tenant.path(&format!("augments/{id}/file"));
    tenant.client.send(&Request::new("POST", &path).body("text/csv", csv))
}

fn upload_form(tenant: &Tenant, id: &str, field: &str, csv: &str) -> Answer {
    let path = tenant.path(&format!("augments/{id}/file"));
    let body = format!(
        "--XyZ\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"users.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n{csv}\r\n--XyZ--\r\n"
    );
    tenant.client.send(&Request::new("POST", &path).body("multipart/form-data; boundary=XyZ", body))
}

fn file_augment(tenant: &Tenant, service: &str) -> String {
    let body = json!({"service": service, "name": "File Augment", "description": "CSV File", "type": "file"});
    tenant.post("augments", &body).expect(201)["id"].as_str().expect("an id").to_owned()
}

#[test]
fn augments_are_made_changed_and_deleted_as_documented() {
    let server = Server::start();
    let acme = server.tenant("acme");
    let api = json!({"service": "engine", "name": "Augment API", "type": "api", "description": "REST API",
        "augment-service": "engine", "options": {"url": "hostname", "attributes": ["customerSegment"]}});
    let made = acme.post("augment", &api).expect(201);
    let mut shown = api.clone();
    shown["id"] = json!("AU1");
    assert_eq!(made, shown);
    assert_eq!(file_augment(&acme, "engine"), "AU2");
    let file = json!({"id": "AU2", "name": "File Augment", "description": "CSV File", "type": "file",
        "service": "engine"});
    assert_eq!(acme.get("augments/AU2").expect(200), file);
    assert_eq!(acme.get("augment").expect(200), json!([shown, file]));
    shown["name"] = json!("My Augment");
    assert_eq!(acme.put("augments/AU1", &json!({"name": "My Augment"})).expect(200), shown);
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": "a", "type": "ftp", "service": "engine"}), "type"),
        (json!({"name": "a", "type": "file"}), "service"),
        (json!({"name": "a", "type": "file", "service": "x"}), "service"),
        (
            json!({"name": "a", "type": "file", "service": "engine", "augment-service": "notification"}),
            "augment-service",
        ),
        (json!({"name": "a", "type": "api", "service": "engine"}), "options"),
        (json!({"name": "a", "type": "file", "service": "engine", "options": {}}), "options"),
        (
            json!({"name": "a", "type": "api", "service": "engine",
                "options": {"url": "ftp://x", "attributes": ["a"]}}),
            "options",
        ),
        (
            json!({"name": "a", "type": "api", "service": "engine",
                "options": {"url": "x", "attributes": []}}),
            "options",
        ),
        (
            json!({"name": "a", "type": "api", "service": "engine",
                "options": {"url": "x", "attribute": ["a"]}}),
            "options",
        ),
        (json!({"name": "a", "type": "file", "service": "engine", "stauts": true}), "stauts"),
    ] {
        let answer = acme.post("augments", &body);
        answer.error();
        let fields = answer.expect(400)["details"].clone();
        assert!(fields.as_array().unwrap().iter().any(|d| d["field"] == field), "{body}: {fields}");
    }
    assert_eq!(acme.get("augments/AU1/file").status, 409);
    assert_eq!(upload(&acme, "AU1", "a,b\n").status, 409);
    assert_eq!(acme.get("augments/AU2/file").status, 404);
    assert_eq!(acme.delete("augments/AU2/file").status, 404);
    let tag = acme.get("augments/AU1").header("etag").to_owned();
    let stale = Request::new("DELETE", &acme.path("augments/AU1")).header("if-match", "\"99\"");
    assert_eq!(acme.client.send(&stale).status, 409);
    let fresh = Request::new("DELETE", &acme.path("augments/AU1")).header("if-match", &tag);
    assert_eq!(acme.client.send(&fresh).status, 204);
    assert_eq!(acme.get("augments/AU1").status, 404);
    assert_eq!(upload(&acme, "AU9", "a,b\n").status, 404);
    assert_eq!(file_augment(&acme, "engine"), "AU3", "an id is never used again");
    let trail = acme.pages("audit");
    let kinds: Vec<_> = trail.iter().filter(|e| e["resource"] == "augment").map(|e| &e["kind"]).collect();
    assert_eq!(kinds, ["created", "deleted", "updated", "created", "created"]);
}

#[test]
fn a_file_goes_in_and_out_and_a_bad_one_leaves_the_one_in_force() {
    let mut server = Server::start();
    let acme = server.tenant("acme");
    let id = file_augment(&acme, "engine");
    let users = "custId,first-name\n101,Ryan\n201,John\n123,Bob";
    assert_eq!(upload_form(&acme, &id, "file", users).expect(201)["rows"], 3);
    let read = acme.get("augments/AU1/file");
    assert_eq!((read.status, read.header("content-type")), (200, "text/csv; charset=utf-8"));
    assert_eq!(read.body, users);
    for (answer, status, says) in [
        (upload(&acme, &id, "custId,first-name\n101,Ryan\n102\n"), 400, "line 3"),
        (upload_form(&acme, &id, "file", "a,b\n1,\"2\n"), 400, "line 2"),
        (upload_form(&acme, &id, "fiel", users), 400, "fiel"),
        (upload(&acme, &id, "a,b\n1,\u{0}\n"), 400, "line 2"),
        (upload(&acme, &id, Vec::new()), 400, "empty"),
        (
            acme.client.send(&Request::new("POST", &acme.path("augments/AU1/file")).json(&json!({}))),
            415,
            "text/csv",
        ),
        (upload(&acme, &id, vec![b'x'; (64 << 20) + 70_000]), 413, "64 MiB"),
    ] {
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.error().contains(says), "{}", answer.body);
    }
    assert_eq!(acme.get("augments/AU1/file").body, users);
    acme.event(json!({"id": "a", "custId": 123}));
    let entry = acme.entries("a", "event").remove(0);
    assert_eq!(entry["augmented"], json!({"AU1": {"added": {"first-name": "Bob"}}}));
    assert_eq!(entry["event"], json!({"id": "a", "custId": 123}));
    // It outlives a restart, and is nowhere in clear.
    assert!(server.terminate().success());
    for entry in std::fs::read_dir(server.data_dir()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"201,John"));
    }
    server.run(&[]);
    let acme = acme.on(&server);
    assert_eq!(acme.get("augments/AU1/file").body, users);
    acme.event(json!({"id": "b", "custId": "101"}));
    assert_eq!(acme.entries("b", "event")[0]["augmented"], json!({"AU1": {"added": {"first-name": "Ryan"}}}));
    acme.delete("augments/AU1/file").expect(204);
    acme.event(json!({"id": "c", "custId": "101"}));
    assert_eq!(acme.entries("c", "event")[0].get("augmented"), None);
}

fn reply(body: &str) -> Reply {
    Reply::Json(200, body.to_owned())
}

#[test]
fn patterns_match_the_augmented_event_and_no_replay_asks_again() {
    let api = StandIn::new([], reply(r#"{"key-attr":"ann","attributes":{"mood":"good","else":1}}"#));
    let mut server = Server::start_with(&["--allow-private-addresses"]);
    let acme = server.tenant("acme");
    let id = file_augment(&acme, "engine");
    upload(&acme, &id, "customerSegment,customerSegment\nGold,Platinum\n").expect(201);
    let options = json!({"url": api.url(), "attributes": ["mood"]});
    let ask = json!({"name": "mood", "type": "api", "service": "notification", "options": options});
    acme.post("augments", &ask).expect(201);
    acme.pattern(r#"(event (= customerSegment "Platinum"))"#, "(send echo message {:message *mood*})");
    let event = acme.event(json!({"id": "ann", "customerSegment": "Gold"}));
    assert_eq!(event["contributing?"], true);
    assert_eq!(event["event"], json!({"id": "ann", "customerSegment": "Gold"}));
    let reaction = acme.wait_reactions("ann", 1).remove(0);
    assert_eq!(acme.entries("ann", "send")[0]["response"], json!({"message": "good"}));
    let path = format!("reactions/{}", reaction["id"].as_str().unwrap());
    let steps = acme.get(&path).expect(200)["steps"].clone();
    assert_eq!(steps[1]["augmented"], json!({"AU2": {"added": {"mood": "good"}}}));
    let asked = api.asked();
    assert_eq!(asked.len(), 1);
    let body: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(body, json!({"key-attr": "ann", "attributes": {"id": "ann", "customerSegment": "Platinum"}}));
    assert!(server.terminate().success());
    let (code, lines, _) = server.cli(&["events", "--tenant", "acme"]);
    let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!((code, &line["customerSegment"]), (Some(0), &json!("Platinum")));
    let (code, _, said) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 events, 1 matches, 0 differences") && said.contains("1 reactions"), "{said}");
    let (code, _, said) = server.cli(&["rebuild"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(api.asked().len(), 1, "somebody asked again");
}

#[test]
fn a_server_that_is_wrong_slow_or_private_holds_no_event_up() {
    let hanging = StandIn::new([], Reply::Nothing);
    let wrong = StandIn::new([], Reply::Json(500, "{}".into()));
    for (arguments, server, reason) in [
        (&["--allow-private-addresses"][..], &hanging, "no answer within 2 s"),
        (&["--allow-private-addresses"][..], &wrong, "answered 500"),
        (&[][..], &wrong, "not a public address"),
    ] {
        let reached = server.asked().len();
        let process = Server::start_with(arguments);
        let acme = process.tenant("acme");
        let options = json!({"url": server.url(), "attributes": ["a"]});
        let ask = json!({"name": "a", "type": "api", "service": "engine", "options": options});
        acme.post("augments", &ask).expect(201);
        let begun = std::time::Instant::now();
        acme.event(json!({"id": "ann"}));
        assert!(begun.elapsed().as_secs() < 5, "it took {:?}", begun.elapsed());
        let entry = acme.entries("ann", "event").remove(0);
        let said = entry["augmented"]["AU1"]["error"].as_str().unwrap().to_owned();
        assert!(said.contains(reason), "{said}");
        assert_eq!(server.asked().len() - reached, usize::from(!arguments.is_empty()));
    }
}

/// A server's memory: now, and at its highest so far, in MiB.
fn memory(server: &Server) -> (u64, u64) {
    (server.resident() / 1024, server.peak() / 1024)
}

#[test]
fn a_million_rows_are_taken_in_bounded_memory_and_replaced_while_events_flow() {
    const ROWS: u32 = 1_000_000;
    let server = Server::start();
    let acme = server.tenant("acme");
    let id = file_augment(&acme, "engine");
    let csv = |version: u32| {
        let mut text = String::from("n,version,name\n");
        (0..ROWS).for_each(|n| text.push_str(&format!("{n},{version},name of {n}\n")));
        text
    };
    upload(&acme, &id, "n,version,name\n7,0,x\n999999,0,y\n").expect(201);
    acme.event(json!({"id": "warm", "n": 7}));
    let (before, _) = memory(&server);
    let mut bad = csv(1);
    bad.push_str("one field too few\n");
    let refused = upload(&acme, &id, bad);
    assert!(refused.error().contains(&format!("line {}", ROWS + 2)), "{}", refused.body);
    let (_, highest) = memory(&server);
    // Some pieces, and what SQLite keeps; not the file.
    assert!(highest < before + 96, "{before} MiB before, {highest} MiB at most");

    let uploaded = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let events = scope.spawn(|| {
            let mut seen = 0;
            loop {
                let last = uploaded.load(Ordering::SeqCst);
                acme.event(json!({"id": "ann", "n": if seen % 2 == 0 { 7 } else { 999_999 }}));
                seen += 1;
                if last {
                    return seen;
                }
            }
        });
        upload(&acme, &id, csv(1)).expect(201);
        uploaded.store(true, Ordering::SeqCst);
        events.join().unwrap()
    });
    let entries = acme.entries("ann", "event");
    assert_eq!(entries.len(), seen);
    let versions: Vec<&str> = entries
        .iter()
        .map(|entry| entry["augmented"]["AU1"]["added"]["version"].as_str().expect("each event is augmented"))
        .collect();
    assert!(versions.is_sorted(), "it went back to the old one: {versions:?}");
    assert_eq!((versions[0], versions[seen - 1]), ("0", "1"), "of {seen} events");
    let (after, highest) = memory(&server);
    assert!(highest < before + 256, "{before} MiB before, {after} MiB after, {highest} MiB at most");
}
