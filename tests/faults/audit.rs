//! The independent audit: the client's book and the receiver's log against what the server says and has stored. It
//! gives what it finds wrong, in words, so that a proof asks for nothing and a control for something.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::harness::{Client, Server, Tenant, command};
use system_tests::stand_in::StandIn;

use crate::book::Book;
use crate::load::{CUSTOMERS, STEADY};

/// How long nothing may come before all is taken to have ended: longer than the longest deadline of the load.
const QUIET: Duration = Duration::from_millis(2_500);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(25);

/// What an audit found wrong.
pub type Faults = Vec<String>;

/// The tenant's stored events, oldest first, and the last stamp of the record.
fn stored(server: &Server, faults: &mut Faults) -> (String, Vec<Value>, String) {
    let (code, events, said) = server.cli(&["events", "--tenant", "acme"]);
    if code != Some(0) {
        faults.push(format!("events cannot be read: {said}"));
    }
    let until =
        said.split(|c: char| !c.is_ascii_digit()).rfind(|word| word.len() == 13).unwrap_or("0").to_owned();
    let lines = events.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    (events, lines, until)
}

/// After each restart: what was answered is there once, what was not at most once, and nothing else; stamps rise.
pub fn events(server: &Server, book: &Book) -> Faults {
    let mut faults = book.faults();
    let (_, lines, _) = stored(server, &mut faults);
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut last = 0;
    for line in &lines {
        let stamp = line["@at"].as_i64().unwrap_or_default();
        if stamp < last {
            faults.push(format!("a stamp falls from {last} to {stamp}"));
        }
        last = stamp;
        if line["type"] != "made" && line["settle"].is_null() {
            let key = line["key"].as_str().unwrap_or_default();
            found.entry(key).or_default().push(line["@id"].as_str().unwrap_or_default());
        }
    }
    let sent = book.sent();
    for (key, sent) in &sent {
        match (&sent.answer, found.get(key.as_str()).map_or(&[][..], Vec::as_slice)) {
            (Some(id), [there]) if id == there => {}
            (None, [] | [_]) => {}
            (Some(id), []) => faults.push(format!("{key} was answered 201 with {id} and is lost")),
            (answer, there) => faults.push(format!("{key}, answered {answer:?}, is there as {there:?}")),
        }
    }
    faults.extend(
        found.keys().filter(|key| !sent.contains_key(**key)).map(|key| format!("{key:?} was never sent")),
    );
    faults
}

/// Waits until every reaction has ended, the engine (at the server of this client) has read everything, and nothing
/// comes any more.
pub fn quiet(acme: &Tenant, engine: &Client) -> Faults {
    let (began, mut since, mut before) = (Instant::now(), Instant::now(), String::new());
    loop {
        let position = |of: &Client, name: &str| {
            let metrics = of.get("/metrics").body;
            metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
        };
        let head = position(&acme.client, "cxengage_record_position");
        let running = acme.get("reactions?state=running&limit=1").body.contains("\"id\"");
        let now = format!("{head:?}");
        if now != before || running || position(engine, "cxengage_engine_position") != head {
            (since, before) = (Instant::now(), now.clone());
        }
        if since.elapsed() >= QUIET {
            return Vec::new();
        }
        if began.elapsed() > PATIENCE {
            return vec![format!("it does not come to rest: reactions running: {running}, record at {now}")];
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// At rest: the matches are those of a backtest over the events, `replay` finds nothing, every match has one
/// reaction, every send has come to the receiver, and a read model made anew is the one that was served. The engine may
/// be at another server than the one that is asked.
pub fn all(
    (server, engine): (&Server, &Client),
    acme: &Tenant,
    patterns: &BTreeMap<&str, String>,
    hook: &StandIn,
) -> Faults {
    let mut faults = quiet(acme, engine);
    matches(server, acme, patterns, &mut faults);
    reactions(acme, &patterns["hooks"], hook, &mut faults);
    delays(&stored(server, &mut Faults::new()).1, &mut faults);
    let (code, said, counts) = server.cli(&["replay", "--tenant", "acme"]);
    if code != Some(0) {
        faults.push(format!("replay differs: {said}{counts}"));
    }
    let before = shown(acme, &CUSTOMERS);
    let (code, _, said) = server.cli(&["rebuild"]);
    if code != Some(0) {
        faults.push(format!("a rebuild fails: {said}"));
    }
    let after = shown(acme, &CUSTOMERS);
    let differ = before.iter().zip(&after).find(|(before, after)| before != after);
    if let Some((before, after)) = differ {
        faults.push(format!("read models made anew differ:\n  live  {before}\n  anew  {after}"));
    }
    faults
}

/// Recorded matches of the patterns that stay against a backtest of the exported events.
fn matches(server: &Server, acme: &Tenant, patterns: &BTreeMap<&str, String>, faults: &mut Faults) {
    let (events, lines, until) = stored(server, faults);
    let (stream, programs) = (server.scratch("events.jsonl"), server.scratch("patterns.json"));
    let json: Vec<_> =
        STEADY.iter().map(|(name, when, _)| json!({"id": patterns[name], "when": when})).collect();
    std::fs::write(&programs, json!(json).to_string()).expect("a file");
    std::fs::write(&stream, &events).expect("a file");
    let output =
        command(&["backtest", "--key", "@key", "--time-field", "@at", "--until", &until, "--events"])
            .arg(&stream)
            .arg("--patterns")
            .arg(&programs)
            .output()
            .expect("the binary runs");
    if !output.status.success() {
        return faults.push(format!("a backtest fails: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let id = |n: &Value| n.as_u64().and_then(|n| lines.get(n as usize - 1)).map(|line| line["@id"].clone());
    let expected = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = expected.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).map(|line| {
        let ids: Vec<_> = line["events"].as_array().into_iter().flatten().map(id).collect();
        format!("{} {}", line["pattern"], json!(ids))
    });
    let mut expected: Vec<String> = expected.collect();
    let recorded =
        STEADY.iter().flat_map(|(name, ..)| acme.pages(&format!("patterns/{}/matches", patterns[name])));
    let mut recorded: Vec<String> =
        recorded.map(|found| format!("{} {}", found["pattern"], found["events"])).collect();
    expected.sort();
    recorded.sort();
    if expected != recorded {
        let [missing, extra] = [(&expected, &recorded), (&recorded, &expected)].map(|(these, those)| {
            let those: BTreeSet<_> = those.iter().collect();
            these.iter().filter(|this| !those.contains(this)).take(3).cloned().collect::<Vec<_>>()
        });
        faults.push(format!(
            "{} matches recorded, {} in the backtest; lost {missing:?}, too many {extra:?}",
            recorded.len(),
            expected.len()
        ));
    }
}

/// Every delay of a second has come to its end once, and none before.
fn delays(lines: &[Value], faults: &mut Faults) {
    let stamps = |customer: &str, kind: &str| -> Vec<i64> {
        let of = lines.iter().filter(|line| line["id"] == customer && line["type"] == kind);
        of.filter_map(|line| line["@at"].as_i64()).collect()
    };
    for customer in CUSTOMERS {
        // All are of the same length, so they end in the order in which they begin.
        let (begun, ended) = (stamps(customer, "delayed"), stamps(customer, "made"));
        if begun.len() != ended.len() {
            faults.push(format!("{} delays of {customer} begun, {} ended", begun.len(), ended.len()));
        }
        if let Some((from, to)) = begun.iter().zip(&ended).find(|(from, to)| **to < **from + 1_000) {
            faults.push(format!("a delay of {customer} ends early, after {} ms", to - from));
        }
    }
}

/// Every reaction has ended, once; every webhook of one came to the receiver, and one that came twice says so.
fn reactions(acme: &Tenant, hooks: &str, hook: &StandIn, faults: &mut Faults) {
    let mut came: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for asked in hook.asked() {
        let id = asked.header("webhook-id").to_owned();
        let reaction = id.split('/').next().unwrap_or_default().to_owned();
        came.entry(reaction).or_default().push(id);
    }
    let mut seen = BTreeSet::new();
    for reaction in acme.pages("reactions") {
        let id = reaction["id"].as_str().unwrap_or_default().to_owned();
        if reaction["state"] == "running" {
            faults.push(format!("reaction {id} never ends"));
        }
        if !seen.insert(id.clone()) {
            faults.push(format!("reaction {id} is there twice"));
        }
        let ids = came.get(&id).map_or(&[][..], Vec::as_slice);
        if reaction["pattern"] == hooks && ids.is_empty() {
            faults.push(format!("the send of reaction {id} ({}) is lost", reaction["state"]));
        }
        if ids.iter().any(|other| *other != ids[0]) {
            faults.push(format!("the send of reaction {id} went out under several ids: {ids:?}"));
        }
        if ids.len() > 1 && !acme.get(&format!("reactions/{id}")).body.contains("possibly-sent-twice") {
            faults.push(format!(
                "the send of reaction {id} went out {} times and says nothing of it",
                ids.len()
            ));
        }
    }
    faults.extend(
        came.keys().filter(|id| !seen.contains(*id)).map(|id| format!("a send of no reaction: {id}")),
    );
}

/// All that the read models show of the tenant and of these customers.
pub fn shown(acme: &Tenant, customers: &[&str]) -> Vec<String> {
    let lists = ["reactions", "audit"].map(str::to_owned).into_iter();
    let lists = lists.chain(customers.iter().map(|customer| format!("customers/{customer}")));
    let mut all: Vec<_> = lists.flat_map(|list| acme.pages(&list)).map(|entry| entry.to_string()).collect();
    all.push(acme.get("patterns").body);
    all
}
