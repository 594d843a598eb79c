//! The record says the same again: by replay through the real engine, and by backtest over the exported stream.

use std::process::Stdio;

use serde_json::{Value, json};
use system_tests::harness::{Server, Tenant, command, wait_for};

const STEADY: &[(&str, &str)] = &[
    ("twice", r#"(within 1 hours (count 2 (event (= type "A"))))"#),
    ("cart", r#"(within 1 seconds (seq (event (= type "cart")) (fail (event (= type "paid")))))"#),
    ("guarded", r#"(seq (event (= type "A")) (fail (event (= type "X"))) (event (= type "B")))"#),
    ("either", r#"(all (any (event (= n 1)) (event (= type "cart"))) (event (= type "B")))"#),
];

/// A run with everything in it: patterns that stay, one that is changed in between, deadlines, reactions that make
/// events.
fn story(acme: &Tenant) -> Vec<(String, &'static str)> {
    let steady: Vec<_> = STEADY
        .iter()
        .map(|(_, when)| {
            (
                acme.pattern(when, "(seq (send echo message {:message *type*}) (delay 1 seconds) (set x 1))"),
                *when,
            )
        })
        .collect();
    let changing = acme.pattern(r#"(count 2 (event (= type "B")))"#, r#"(event {:id *id* :type "made"})"#);
    for customer in ["c1", "c2", "ü/3"] {
        for (n, kind) in ["A", "X", "B", "cart", "A", "A", "B", "B"].iter().enumerate() {
            acme.event(json!({"id": customer, "type": kind, "n": n}));
        }
    }
    acme.put(&format!("patterns/{changing}"), &json!({"when": r#"(count 3 (event (= type "B")))"#}))
        .expect(200);
    acme.event(json!({"id": "c2", "type": "paid"}));
    for _ in 0..3 {
        acme.event(json!({"id": "c1", "type": "B", "n": "1"}));
    }
    acme.put(&format!("patterns/{changing}"), &json!({"status": false})).expect(200);
    // The deadlines of c1 have come when its cart has matched.
    acme.wait_entries("c1", "match", 1, |found| found["pattern"] == steady[1].0.as_str());
    acme.wait_entries("c1", "event", 1, |entry| entry["event"]["type"] == "made");
    acme.event(json!({"id": "c1", "type": "cart"}));
    acme.wait_entries("c1", "match", 2, |found| found["pattern"] == steady[1].0.as_str());
    steady
}

/// Matches as backtest prints them, with the events' ids in place of line numbers.
fn recorded(acme: &Tenant, patterns: &[(String, &str)]) -> Vec<String> {
    let mut all: Vec<String> = patterns
        .iter()
        .flat_map(|(pattern, _)| acme.pages(&format!("patterns/{pattern}/matches")))
        .map(|found| format!("{} {}", found["pattern"], found["events"]))
        .collect();
    all.sort();
    all
}

#[test]
fn a_backtest_of_the_exported_stream_gives_the_recorded_matches() {
    let server = Server::start();
    let acme = server.tenant("acme");
    let patterns = story(&acme);

    // Beside the running server: the store is only read.
    let (code, events, said) = server.cli(&["events", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{said}");
    let until: String =
        said.split(|c: char| !c.is_ascii_digit()).rfind(|word| word.len() == 13).expect("a stamp").into();
    let lines: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let made = lines.iter().filter(|line| line["type"] == "made").count();
    assert!(lines.len() > 27 && made > 0, "{} lines, {made} made by reactions", lines.len());

    let file = server.scratch("patterns.json");
    let json: Vec<_> = patterns.iter().map(|(id, when)| json!({"id": id, "when": when})).collect();
    std::fs::write(&file, json!(json).to_string()).unwrap();
    let stream = server.scratch("events.jsonl");
    std::fs::write(&stream, &events).unwrap();
    let backtest = |events: &str, stdin: Stdio| {
        let output = command(&["backtest", "--key", "@key", "--time-field", "@at", "--until", &until])
            .args(["--events", events, "--patterns"])
            .arg(&file)
            .stdin(stdin)
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (stdout, stderr): (String, String) = (text(output.stdout), text(output.stderr));
        assert!(output.status.success(), "{stderr}");
        stdout
    };
    let found = backtest("-", std::fs::File::open(&stream).unwrap().into());
    assert_eq!(found, backtest(stream.to_str().unwrap(), Stdio::null()), "from a file and from stdin");
    let mut again: Vec<String> = found
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let numbers = line["events"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize);
            let ids: Vec<_> = numbers.map(|n| lines[n - 1]["@id"].clone()).collect();
            format!("{} {}", line["pattern"], json!(ids))
        })
        .collect();
    again.sort();
    let recorded = recorded(&acme, &patterns);
    assert!(recorded.len() >= 10, "{recorded:#?}");
    assert_eq!(again, recorded);
}

#[test]
fn a_replay_finds_the_recorded_matches_and_decisions_again() {
    let mut server = Server::start();
    let acme = server.tenant("acme");
    story(&acme);
    for key in ["c1", "c2"] {
        acme.settle(key);
    }
    acme.wait_entries("c1", "reaction", 3, |reaction| reaction["state"] == "done");
    let (code, _, stderr) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "beside the running server: {stderr}");
    server.terminate();
    let (code, _, stderr) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "on the stopped one: {stderr}");
}

/// All that the API shows of a tenant.
fn shown(acme: &Tenant) -> Vec<String> {
    let mut all: Vec<_> = ["patterns", "templates", "key-attribute", "event/history?limit=1000"]
        .iter()
        .map(|path| acme.get(path).expect(200).to_string())
        .collect();
    let mut lists = vec!["reactions".to_owned(), "audit".to_owned()];
    lists.extend(["c1", "c2", "%C3%BC%2F3"].map(|key| format!("customers/{key}")));
    for pattern in acme.get("patterns").expect(200).as_array().expect("as documented") {
        lists.push(format!("patterns/{}/matches", pattern["id"].as_str().expect("as documented")));
    }
    for reaction in acme.pages("reactions") {
        all.push(
            acme.get(&format!("reactions/{}", reaction["id"].as_str().expect("as documented")))
                .expect(200)
                .to_string(),
        );
    }
    all.extend(lists.iter().map(|list| json!(acme.pages(list)).to_string()));
    all
}

#[test]
fn the_read_models_come_out_of_the_record_again() {
    let mut server = Server::start();
    let acme = server.tenant("acme");
    acme.post("templates", &json!({"name": "T", "template": "x"})).expect(201);
    story(&acme);
    for key in ["c1", "c2"] {
        acme.settle(key);
    }
    wait_for("all reactions to end", || {
        acme.pages("reactions").iter().all(|reaction| reaction["state"] != "running").then_some(())
    });
    let before = shown(&acme);
    server.terminate();
    let (code, _, stderr) = server.cli(&["rebuild"]);
    assert_eq!(code, Some(0), "{stderr}");
    server.run(&[]);
    assert_eq!(shown(&acme.on(&server)), before, "after a rebuild");

    // Without read models and engine checkpoints at all: everything is derived anew, and no reaction starts again.
    server.terminate();
    let mut removed = 0;
    for entry in std::fs::read_dir(server.data_dir()).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("views.db") || name.starts_with("engine.db") {
            std::fs::remove_file(path).expect("removed");
            removed += 1;
        }
    }
    assert!(removed > 1, "there are no views.db and engine.db");
    server.run(&[]);
    let acme = acme.on(&server);
    wait_for("the read models", || (acme.get("audit").status == 200 && shown(&acme) == before).then_some(()));
    acme.settle("c1");
}
