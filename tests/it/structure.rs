//! Who may depend on whom, as code: `tests → api → {engine, projections, notifier} → eventlog → domain`.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// Each room, and the rooms it may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("eventlog", &["domain"]),
    ("engine", &["domain", "eventlog"]),
    ("notifier", &["domain", "eventlog"]),
    ("projections", &["domain", "eventlog"]),
    ("api", &["domain", "engine", "eventlog", "notifier", "projections"]),
    ("system-tests", &["api", "domain", "engine", "eventlog", "notifier", "projections"]),
];

/// Crates that only these rooms may use.
const HELD_BACK: &[(&str, &[&str])] = &[
    ("tokio", &["eventlog", "engine", "notifier", "projections", "api", "system-tests"]),
    ("rusqlite", &["eventlog", "projections"]),
    ("sqlx", &["eventlog", "projections"]),
    ("postgres-es", &["eventlog"]),
    ("async-nats", &["eventlog", "api"]),
    ("axum", &["api"]),
    ("hyper", &["api", "notifier"]),
    ("hyper-rustls", &["notifier"]),
    ("reqwest", &["notifier"]),
    ("clap", &["api"]),
    ("rand", &["eventlog", "notifier", "api"]),
    ("getrandom", &["eventlog", "notifier", "api"]),
    ("uuid", &["eventlog", "notifier", "api"]),
    ("mustache", &[]),
];

/// What each room is built from, without what only its tests use.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"]);
    let output =
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).output().expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let built_from = package["dependencies"].as_array().expect("dependencies").iter();
            let names = built_from
                .filter(|d| d["kind"] != "dev")
                .map(|d| d["name"].as_str().expect("a name").to_owned());
            (package["name"].as_str().expect("a name").to_owned(), names.collect())
        })
        .collect()
}

#[test]
fn a_room_knows_only_the_rooms_below_it() {
    let dependencies = dependencies();
    let rooms: Vec<_> = ROOMS.iter().map(|(room, _)| *room).collect();
    let mut known = rooms.clone();
    known.sort_unstable();
    assert_eq!(dependencies.keys().collect::<Vec<_>>(), known, "a new room has to be put in its place here");
    for (room, allowed) in ROOMS {
        for dependency in dependencies[*room].iter().filter(|name| rooms.contains(&name.as_str())) {
            assert!(allowed.contains(&dependency.as_str()), "{room} must not depend on {dependency}");
        }
    }
}

#[test]
fn a_technology_stays_in_the_rooms_that_are_meant_for_it() {
    for (room, dependencies) in dependencies() {
        for (technology, rooms) in HELD_BACK {
            let uses = dependencies.iter().any(|dependency| dependency == technology);
            assert!(!uses || rooms.contains(&room.as_str()), "{room} must not depend on {technology}");
        }
    }
}

/// What the compiler cannot see to: clippy holds domain to it, as long as its list names the calls.
#[test]
fn domain_is_denied_clocks_and_draws() {
    let list =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/clippy.toml")).unwrap();
    for call in ["SystemTime::now", "Instant::now", "std::thread::spawn", "RandomState"] {
        assert!(list.contains(call), "domain/clippy.toml has to disallow {call}");
    }
}
