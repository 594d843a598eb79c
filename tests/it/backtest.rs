//! `cxengage backtest` against the reference: many patterns at once, many customers mixed, the exact output.

use std::fmt::Write;
use std::path::Path;

use domain::json::{Json, Number};
use domain::time::Stamp;
use serde_json::{Value, json};
use system_tests::harness::command;
use system_tests::property::{Case, Dice};
use system_tests::reference::{Event, matches};

/// One customer's events, and the lines on which they stand.
struct Customer {
    key: String,
    timeline: Vec<Event>,
    lines: Vec<usize>,
}

/// Customers with drawn timelines, mixed into one file; now and then a line that is no event, or a time that falls
/// behind (which counts as equal to the one before).
fn stream(dice: &mut Dice) -> (String, Vec<Customer>) {
    let count = dice.between(3, 30);
    let mut customers: Vec<_> = (0..count)
        .map(|n| Customer { key: format!("c{n}"), timeline: Case::draw(dice).timeline, lines: Vec::new() })
        .collect();
    let mut file = String::new();
    let mut line = 0;
    loop {
        let open: Vec<_> =
            (0..count).filter(|n| customers[*n].lines.len() < customers[*n].timeline.len()).collect();
        if open.is_empty() {
            return (file, customers);
        }
        line += 1;
        if dice.chance(3) {
            let _ = writeln!(
                file,
                "{}",
                dice.one_of(&["", "[1]", "{\"no\":\"key\"}", "{broken", "{\"key\":{}}"])
            );
            continue;
        }
        let customer = &mut customers[*dice.one_of(&open)];
        let event = &customer.timeline[customer.lines.len()];
        let before = customer.lines.len().checked_sub(1).map(|last| customer.timeline[last].time);
        // A time that falls behind counts as equal to the one before it.
        let late = if before == Some(event.time) && dice.chance(50) { 700 } else { 0 };
        let mut attributes = event.attributes.clone();
        attributes.set("key", customer.key.as_str());
        match dice.between(0, 3) {
            0 => attributes.set("ts", Stamp(event.time - late).to_string()),
            1 => attributes
                .set("ts", Number::from_text(&format!("{}.75", event.time - late)).expect("a number")),
            _ => attributes.set("ts", event.time - late),
        }
        let _ = writeln!(file, "{}", Json::from(attributes));
        customer.lines.push(line);
    }
}

/// What has to be printed, in the documented order: time, pattern, key, events.
fn expected(patterns: &[(String, Case)], customers: &[Customer], until: i64) -> Vec<Value> {
    let mut all = Vec::new();
    for (id, case) in patterns {
        for customer in customers {
            for found in matches(&case.trigger, &customer.timeline, until) {
                let lines: Vec<_> = found.witness.iter().map(|index| customer.lines[*index]).collect();
                all.push((found.point.time, id, &customer.key, lines));
            }
        }
    }
    all.sort();
    all.into_iter()
        .map(|(at, pattern, key, events)| json!({"pattern": pattern, "key": key, "at": at, "events": events}))
        .collect()
}

fn backtest(folder: &Path, further: &[&str]) -> (Vec<Value>, String) {
    let mut command = command(&["backtest", "--key", "key", "--patterns"]);
    command.arg(folder.join("patterns.json")).arg("--events").arg(folder.join("events.jsonl")).args(further);
    let output = command.output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    (lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(), said)
}

#[test]
fn a_backtest_prints_what_the_reference_finds() {
    let seed = std::env::var("CXENGAGE_SEED").map_or_else(
        |_| std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64),
        |seed| seed.parse().expect("a whole number"),
    );
    let mut printed = 0;
    for round in 0..12 {
        let seed = seed.wrapping_add(round);
        let dice = &mut Dice::new(seed);
        let patterns: Vec<_> =
            (0..dice.between(1, 150)).map(|n| (format!("P{n}"), Case::draw(dice))).collect();
        let (file, customers) = stream(dice);
        let folder = tempfile::tempdir().expect("a folder");
        let listed: Vec<_> = patterns
            .iter()
            .map(|(id, case)| json!({"id": id, "when": case.trigger.to_string(), "x": 1}))
            .collect();
        std::fs::write(folder.path().join("patterns.json"), json!(listed).to_string()).expect("written");
        std::fs::write(folder.path().join("events.jsonl"), &file).expect("written");

        let end = customers.iter().flat_map(|c| &c.timeline).map(|event| event.time).max().unwrap_or(0);
        let until = end + dice.between(0, 9_000) as i64;
        for (until, further) in [
            (end, vec!["--jobs".to_owned(), "1".to_owned()]),
            (until, vec!["--until".to_owned(), until.to_string()]),
            (until, vec!["--until".to_owned(), until.to_string(), "--jobs".to_owned(), "3".to_owned()]),
        ] {
            let further: Vec<_> = further.iter().map(String::as_str).collect();
            let (found, said) = backtest(folder.path(), &further);
            let expected = expected(&patterns, &customers, until);
            let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
            let again = format!("{further:?}, again with CXENGAGE_SEED={seed}");
            assert_eq!(differs, None, "{again}\n{said}");
            assert_eq!(found.len(), expected.len(), "{again}\n{said}");
            printed += found.len();
        }
    }
    assert!(printed > 1_000, "too few matches to say anything: {printed}");
}
