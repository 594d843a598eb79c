//! What a run counts, skips and writes, and that neither the number of threads nor what is spilled shows.

use super::*;

pub(super) fn options(patterns: &[(&str, &str)], jobs: usize) -> Options {
    let json: Vec<_> =
        patterns.iter().map(|(id, when)| serde_json::json!({"id": id, "when": when})).collect();
    let patterns = patterns::read(serde_json::to_string(&json).unwrap().as_bytes()).unwrap();
    Options { patterns, key: "user".into(), time_field: "ts".into(), until: None, jobs }
}

pub(super) fn told(options: &Options, input: &[u8], held: usize) -> Result<(Summary, String), Error> {
    let mut out = Vec::new();
    let mut seen = Progress::default();
    let summary = run_holding(options, input, &mut out, &mut |p| seen = p, held)?;
    assert_eq!(seen.bytes, input.len() as u64);
    Ok((summary, String::from_utf8(out).unwrap()))
}

#[test]
fn each_line_is_an_event_or_counted_as_none() {
    let text = [
        br#"{"user":"a","type":"x","ts":60000}"#.to_vec(),
        b"".to_vec(),
        br#"{"user":"a","type":"x","ts":5,"other":"\ud800"}"#.to_vec(),
        br#"{"type":"x"}"#.to_vec(),
        br#"[1]"#.to_vec(),
        b"{\"user\":\"a\",\"other\":\"\xff\"}".to_vec(),
        // Time does not go backwards for a customer; the last of two names counts.
        br#"{"user":"a","type":"y","type":"x","ts":5}"#.to_vec(),
        format!(r#"{{"user":"a","other":"{}"}}"#, "x".repeat(300_000)).into_bytes(),
        // No usable time: the line's number. A number is a key by its text.
        br#"{"user":7.0,"type":"x","ts":"yesterday"}"#.to_vec(),
        br#"{"user":"b","type":"x","ts":"1970-01-01T00:00:00.010Z"}"#.to_vec(),
    ]
    .join(&b'\n');
    let options = options(&[("p", r#"(event (= type "x"))"#)], 1);
    let (summary, out) = told(&options, &text, order::HELD).unwrap();
    let expected = [
        r#"{"pattern":"p","key":"7.0","at":9,"events":[9]}"#,
        r#"{"pattern":"p","key":"b","at":10,"events":[10]}"#,
        r#"{"pattern":"p","key":"a","at":60000,"events":[1]}"#,
        r#"{"pattern":"p","key":"a","at":60000,"events":[7]}"#,
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    assert_eq!((summary.events, summary.skipped, summary.without_time), (4, 6, 1));
    assert_eq!((summary.matches, summary.customers), (4, 3));
    let lines: Vec<u64> = summary.first_skipped.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 8]);
}

#[test]
fn what_is_open_passes_up_to_the_end() {
    let text = br#"{"user":"a","type":"cart","ts":0}
{"user":"b","type":"cart","ts":1000}
{"user":"b","type":"other","ts":3600000}
"#;
    let cart = r#"(within 1 hours (seq (event (= type "cart")) (fail (event (= type "paid")))))"#;
    let mut options = options(&[("cart", cart)], 1);
    let matches = |options: &Options| told(options, text, order::HELD).map(|(summary, _)| summary.matches);
    assert_eq!(matches(&options).unwrap(), 1);
    options.until = Some(3_601_000);
    assert_eq!(matches(&options).unwrap(), 2);
    options.until = Some(3_599_999);
    assert!(matches!(matches(&options), Err(Error::UntilTooEarly { greatest: 3_600_000, .. })));
}

/// The usual workload, drawn from a small generator of its own.
pub(super) fn workload(events: usize, users: u64) -> (Vec<u8>, Vec<(String, String, u64)>) {
    let mut seed = 20_240_607_u64;
    let mut draw = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let (mut text, mut list, mut time) = (Vec::new(), Vec::new(), 1_700_000_000_000);
    for _ in 0..events {
        let user = format!("c{:06}", draw(users));
        let action = ["abandoned", "answered", "inqueue", "none", "none", "none"][draw(6) as usize];
        time += 1 + draw(100_000);
        let line = format!(
            "{{\"user\":\"{user}\",\"eventType\":\"t{}\",\"CallAction\":\"{action}\",\"ts\":{time}}}\n",
            draw(10)
        );
        text.extend_from_slice(line.as_bytes());
        list.push((user, action.to_owned(), time));
    }
    (text, list)
}

const W2: &str = r#"(within 1 hours (count 2 (event (= CallAction "abandoned"))))"#;
const W3: &str =
    r#"(within 30 minutes (seq (event (= CallAction "answered")) (event (= CallAction "inqueue"))))"#;
const W4: &str = r#"(within 1 hours (seq (event (= CallAction "abandoned"))
    (fail (event (= CallAction "answered"))) (event (= CallAction "abandoned"))))"#;
const W4_ALL: &str = r#"(all (within 1 hours (count 2 (event (= CallAction "abandoned"))))
    (fail (event (= CallAction "answered"))))"#;

/// Counts by hand: the latest `first` of each user, dropped by `bar`, met by `second` no more than `span` later.
fn counted(events: &[(String, String, u64)], first: &str, second: &str, bar: &str, span: u64) -> u64 {
    let mut open: std::collections::HashMap<&str, u64> = std::collections::HashMap::new();
    let mut matches = 0;
    for (user, action, time) in events {
        if action == second && open.get(user.as_str()).is_some_and(|start| time - start <= span) {
            matches += 1;
            open.remove(user.as_str());
        } else if action == first {
            open.insert(user, *time);
        } else if action == bar {
            open.remove(user.as_str());
        }
    }
    matches
}

#[test]
fn the_usual_workloads_match_as_counted_by_hand_and_as_ever_in_parallel_or_spilled() {
    let (text, events) = workload(20_000, 100);
    let patterns = [("w2", W2), ("w3", W3), ("w4", W4), ("w4-all", W4_ALL)];
    let (summary, out) = told(&options(&patterns, 1), &text, order::HELD).unwrap();
    let of = |id: &str| out.matches(&format!("{{\"pattern\":\"{id}\"")).count() as u64;
    let hour = 3_600_000;
    assert_eq!(of("w2"), counted(&events, "abandoned", "abandoned", "", hour));
    assert_eq!(of("w3"), counted(&events, "answered", "inqueue", "", hour / 2));
    assert_eq!(of("w4"), counted(&events, "abandoned", "abandoned", "answered", hour));
    assert!(of("w4") == of("w4-all") && of("w4") < of("w2") && of("w3") > 100, "{summary:?}");
    for (jobs, held) in [(1, 1_000), (3, order::HELD), (2, 10_000)] {
        let (again, same) = told(&options(&patterns, jobs), &text, held).unwrap();
        assert!(same == out, "{jobs} jobs, {held} bytes held");
        assert_eq!(Summary { elapsed: summary.elapsed, ..again }, summary);
    }
}

#[test]
fn a_bad_pattern_file_is_refused() {
    for (text, part) in [
        ("[", "not JSON"),
        ("{}", "expected an array"),
        (r#"[{"id":1}]"#, "a string as \"id\" of pattern 1, found a number"),
        (r#"[{"id":"a"}]"#, "a string as \"when\" of pattern 1, found nothing"),
        (r#"[{"id":"a","when":"(event (= a 1))"},{"id":"a","when":"(event (= a 1))"}]"#, "given twice"),
        (r#"[{"id":"a","when":"(event"}]"#, "the when of \"a\" is not valid"),
    ] {
        let error = patterns::read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}
