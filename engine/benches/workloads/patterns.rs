//! The workloads' patterns.

use domain::dsl::Limits;
use domain::dsl::when::{self, Trigger};

/// The workloads.
pub const NAMES: [&str; 14] = [
    "W1",
    "W2",
    "W3",
    "W4",
    "W5/10",
    "W5/100",
    "W5/1000",
    "hot",
    "hot25k",
    "idle",
    "W1/jobs2",
    "W3/jobs2",
    "W5/100/jobs2",
    "wide",
];

const ABANDONED: &str = r#"(event (= CallAction "abandoned"))"#;
const ANSWERED: &str = r#"(event (= CallAction "answered"))"#;

/// The file that a workload reads.
pub fn file_of(name: &str) -> &'static str {
    match name {
        "hot" => "hot.jsonl",
        "hot25k" => "hot25k.jsonl",
        "wide" => "wide.jsonl",
        name if name.starts_with("W5") => "many.jsonl",
        _ => "base.jsonl",
    }
}

/// The patterns of a workload.
pub fn of(name: &str) -> Vec<(String, Trigger)> {
    let sources = match name {
        "W1" => vec![r#"(event (and (= customerSegment "platinum") (= eventType "flcheck")))"#.to_owned()],
        "W2" => vec![format!("(within 1 hours (count 2 {ABANDONED}))")],
        "W3" | "hot" | "hot25k" => vec![w3()],
        "W4" => vec![format!("(within 1 hours (seq {ABANDONED} (fail {ANSWERED}) {ABANDONED}))")],
        // W3 beside 10,000 that no event concerns.
        "idle" => (0..10_000).map(|n| pair("eventType", &format!("idle{n}"))).chain([w3()]).collect(),
        // One open window for each of 1,000,000 customers.
        "wide" => vec![pair("eventType", "opens")],
        name => {
            let count = name.strip_prefix("W5/").and_then(|n| n.parse::<usize>().ok()).unwrap();
            (0..count).map(|n| pair("eventType", &format!("t{n}"))).collect()
        }
    };
    let parsed = |source: &String| when::parse(source, &Limits::default()).unwrap().trigger;
    sources.iter().enumerate().map(|(n, source)| (format!("p{n:05}"), parsed(source))).collect()
}

fn w3() -> String {
    format!(r#"(within 30 minutes (seq {ANSWERED} (event (= CallAction "inqueue"))))"#)
}

fn pair(attribute: &str, value: &str) -> String {
    format!(r#"(within 1 hours (count 2 (event (= {attribute} "{value}"))))"#)
}
