//! What earlier releases left is read by this one: every answer about it is there, it replays, and what was under way
//! goes on. What a newer release left is refused and not touched. See `tests/golden/README.md`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eventlog::testing::postgres;
use serde_json::{Value, json};
use system_tests::harness::{Home, Server, Tenant, command, on_database, wait_for};

/// The lists and items that are asked for.
const ASKED: [&str; 13] = [
    "key-attribute",
    "patterns",
    "patterns/PT1",
    "templates",
    "integrations",
    "audit",
    "event/history?limit=100",
    "customers/done",
    "customers/waiting",
    "customers/half",
    "customers/gone",
    "reactions",
    "patterns/PT1/matches",
];

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// The record in a folder of a release, and that of a database.
const RECORD: &str = "log.db";
const DUMP: &str = "record.sql";

/// The folders in which releases left a record of that kind.
fn left(record: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(golden()).expect("golden folders");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut folders: Vec<_> = paths.filter(|path| path.join(record).is_file()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "{record}");
    folders
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// A server on a copy of a folder, not started yet.
fn copied(folder: &Path) -> Server {
    Server::prepared(|to| {
        copy_key(folder, to);
        std::fs::copy(folder.join(RECORD), to.join(RECORD)).expect("copied");
    })
}

fn copy_key(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("made");
    std::fs::copy(from.join("master.key"), to.join("master.key")).expect("copied");
    // A repository keeps no modes.
    let owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(to.join("master.key"), owner).expect("permitted");
}

fn client(server: &Server, folder: &Path) -> Tenant {
    let client = read(&folder.join("client.json"));
    let text = |name: &str| client[name].as_str().expect("a text").to_owned();
    Tenant { id: "acme".to_owned(), client: server.anonymous().with_token_of(&text("id"), &text("secret")) }
}

/// Whether all that was said is still said; more may be.
fn holds(said: &Value, now: &Value) -> bool {
    match (said, now) {
        (Value::Object(said), Value::Object(now)) => {
            said.iter().all(|(name, value)| now.get(name).is_some_and(|now| holds(value, now)))
        }
        (Value::Array(said), Value::Array(now)) => {
            said.len() == now.len() && said.iter().zip(now).all(|(said, now)| holds(said, now))
        }
        _ => said == now,
    }
}

#[test]
fn what_earlier_releases_left_is_read_and_goes_on() {
    if on_database() {
        return; // this is about a store in a folder
    }
    for folder in left(RECORD) {
        let mut server = copied(&folder);
        server.run(&[]);
        goes_on(&server, &folder);
    }
}

#[test]
fn what_earlier_releases_left_in_a_database_is_read_and_goes_on() {
    if on_database() {
        return; // once is enough: its database is its own
    }
    for folder in left(DUMP) {
        let dump = std::fs::read_to_string(folder.join(DUMP)).expect("read");
        let mut server = Server::at(Home::restored(&dump));
        copy_key(&folder, &server.data_dir());
        server.run(&[]);
        goes_on(&server, &folder);
    }
}

/// What a release said is said still, and what it had begun goes on.
fn goes_on(server: &Server, folder: &Path) {
    let (name, acme) = (folder.display(), client(server, folder));
    for (path, said) in read(&folder.join("answers.json")).as_object().expect("answers") {
        let now = acme.get(path).expect(200);
        assert!(holds(said, &now), "{name}: {path}:\nsaid {said}\n now {now}");
    }
    let (code, stdout, stderr) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{name}: {stdout}{stderr}");
    let (_, _, counts) = server.cli(&["events", "--tenant", "acme"]);
    assert!(counts.contains("1 erased"), "{name}: {counts}");

    // What had been contributed still counts, and what was waited for is still waited for.
    acme.event(json!({"id": "half", "type": "half"}));
    let matches = acme.wait_entries("half", "match", 1, |_| true);
    assert_eq!(matches[0]["events"].as_array().map(Vec::len), Some(2), "{name}: {}", matches[0]);
    acme.event(json!({"id": "waiting", "type": "paid"}));
    acme.wait_reactions("waiting", 1);
    let kept = acme.entries("waiting", "send").pop().expect("a send");
    assert_eq!(kept["params"]["message"], "Dear waiting, from TM2", "{name}: the template it began with");
    let (code, stdout, stderr) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{name}: {stdout}{stderr}");
}

#[test]
fn what_a_newer_release_left_is_refused_with_both_numbers_and_not_touched() {
    if on_database() {
        return; // this is about a store in a folder
    }
    let server = copied(&left(RECORD)[0]);
    let file = server.data_dir().join("log.db");
    let mut bytes = std::fs::read(&file).expect("read");
    // SQLite keeps the format number there, as four bytes.
    bytes[60..64].copy_from_slice(&4_711u32.to_be_bytes());
    std::fs::write(&file, &bytes).expect("written");
    let data_dir = server.data_dir();
    let data_dir = data_dir.to_str().expect("UTF-8");
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["events", "--tenant", "acme"],
        &["replay", "--tenant", "acme"],
        &["rebuild"],
        &["backup", "--to", "/nowhere/at/all"],
    ] {
        let arguments = if arguments[0] == "backup" {
            vec![
                "backup".to_owned(),
                "--to".to_owned(),
                server.scratch("copy").to_str().expect("UTF-8").to_owned(),
            ]
        } else {
            arguments.iter().map(|argument| (*argument).to_owned()).collect()
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = command(&arguments).args(["--data-dir", data_dir]).output().expect("it ends");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("format 4711") && said.contains("this release reads"), "{arguments:?}: {said}");
    }
    assert_eq!(std::fs::read(&file).expect("read"), bytes, "left as it was");
}

#[test]
#[ignore = "makes a folder: tests/golden/make runs it"]
fn make_the_folder_of_this_release() {
    if on_database() {
        return; // this is about a store in a folder
    }
    let (server, folder) = (Server::start(), new_folder());
    let said = made(&server);
    let (code, _, stderr) = server.cli(&["backup", "--to", folder.to_str().expect("UTF-8")]);
    assert_eq!(code, Some(0), "{stderr}");
    leave(&server, &folder, said);
}

#[test]
#[ignore = "makes a folder: tests/golden/make runs it"]
fn make_the_database_of_this_release() {
    if on_database() {
        return; // its database is its own
    }
    let (mut server, folder) = (Server::at(Home::database()), new_folder());
    server.run(&[]);
    let said = made(&server);
    std::fs::create_dir(&folder).expect("made");
    std::fs::write(folder.join(DUMP), postgres::dumped(server.home().url())).expect("written");
    leave(&server, &folder, said);
}

fn new_folder() -> PathBuf {
    PathBuf::from(std::env::var("CXENGAGE_GOLDEN").expect("CXENGAGE_GOLDEN names the new folder"))
}

/// Has a little of everything happen; the client, and what is answered.
fn made(server: &Server) -> (Value, Value) {
    let admin = server.admin();
    admin.post("/1.0/tenants", &json!({"id": "acme", "name": "Acme Ltd"})).expect(201);
    let (id, secret) = admin.new_client("acme", None);
    let acme = Tenant { id: "acme".to_owned(), client: server.anonymous().with_token_of(&id, &secret) };
    acme.post("key-attribute", &json!({"key": "id"})).expect(200);
    happen(&acme);
    let answers: BTreeMap<&str, Value> =
        ASKED.into_iter().map(|path| (path, acme.get(path).expect(200))).collect();
    (json!({"id": id, "secret": secret}), json!(answers))
}

fn leave(server: &Server, folder: &Path, (client, answers): (Value, Value)) {
    std::fs::copy(server.data_dir().join("master.key"), folder.join("master.key")).expect("copied");
    let write = |name: &str, value: Value| {
        let text = serde_json::to_string_pretty(&value).expect("JSON");
        std::fs::write(folder.join(name), text + "\n").expect("written");
    };
    write("client.json", client);
    write("answers.json", answers);
}

/// A little of everything.
fn happen(acme: &Tenant) {
    for (name, template) in [("outer", "Dear {{id}}, {{> TM2}}"), ("inner", "from TM2")] {
        acme.post("templates", &json!({"name": name, "template": template})).expect(201);
    }
    acme.post("integrations/webhook", &json!({"url": "https://example.com/hook", "secret": "golden"}))
        .expect(200);
    let first = acme.pattern(
        r#"(within 1 hours (count 2 (event (= type "done"))))"#,
        r#"(seq (send echo message {:message *text*}) (set seen *text*) (event {:id *id* :type "made" :text seen}))"#,
    );
    acme.pattern(
        r#"(event (= type "waiting"))"#,
        r#"(seq (expect (and (= $id *id*) (= $type "paid"))) (send echo message {:message "m"} (template {:message +TM1})))"#,
    );
    acme.pattern(
        r#"(count 2 (any (event (= type "half")) (seq (event (= type "a")) (event (= type "b")))))"#,
        "(set x 1)",
    );
    let unfinished =
        json!({"name": "unfinished", "description": "kept word for word", "when": "(seq (event"});
    acme.post("patterns", &unfinished).expect(201);
    let gone = acme.pattern(r#"(event (= type "never"))"#, "(set x 1)");
    acme.delete(&format!("patterns/{gone}")).expect(204);
    acme.put(
        &format!("patterns/{first}"),
        &json!({"name": "renamed", "when": r#"(within 2 hours (count 2 (event (= type "done"))))"#}),
    )
    .expect(200);
    let event = |key: &str, kind: &str, text: &str| {
        acme.event(json!({"id": key, "type": kind, "text": text, "big": 12345678901234567890_u64, "nested": {"a": [1.50, null]}}))
    };
    event("done", "done", "first");
    event("done", "done", "second: é \u{1f600}");
    event("waiting", "waiting", "w");
    event("half", "half", "h");
    event("gone", "done", "erased");
    let batch = json!([{"event": {"id": "done", "type": "batch"}, "idempotency-key": "once"}]);
    acme.post("events", &batch).expect(200);
    acme.wait_reactions("done", 1);
    wait_for("the event that the reaction made", || {
        acme.entries("done", "event").iter().any(|entry| entry["event"]["type"] == "made").then_some(())
    });
    let running = acme.wait_entries("waiting", "reaction", 1, |_| true);
    let running = format!("reactions/{}", running[0]["id"].as_str().expect("an id"));
    wait_for("the expect", || acme.get(&running).body.contains("expect").then_some(()));
    acme.delete("customers/gone").expect(204);
    // The reaction that waits keeps the template that it began with.
    acme.put("templates/TM2", &json!({"template": "changed since"})).expect(200);
}
