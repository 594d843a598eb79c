//! Texts that are small and mean a great deal of work: each is refused when it is written, or stays within its budget
//! of time and memory when it runs. What no text can be is in `fuzz`; the figures are printed.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::dsl::{Limits, then, when};
use domain::json::Object;
use domain::mustache::{Escape, MAX_OUTPUT, RenderError, Template};
use engine::matching::{Machine, PatternSet, State, Touched};
use system_tests::harness::command;
use system_tests::reference::notation::expanded;

/// What an event of one customer may cost one pattern, on the whole.
const EVENT_TIME: Duration = Duration::from_millis(2);

/// What one pattern may hold for one customer, as its bytes are stored.
const STATE_BYTES: usize = 256 * 1024;

/// How many events each gets.
const EVENTS: u64 = 1_500;

#[expect(clippy::print_stderr, reason = "a measurement is shown where the harness of cargo shows it")]
fn report(line: &str) {
    eprintln!("{line}");
}

fn event(kind: &str) -> Object {
    let mut event = Object::new();
    event.set("type", kind);
    event
}

/// The time per event and the greatest state of a pattern that sees one event a second, of each type in turn.
fn cost(machine: &Machine) -> (Duration, usize) {
    let events = ["A", "B", "C", "X", "A", "A", "B"].map(event);
    let (mut state, mut greatest) = (State::default(), 0);
    let begun = Instant::now();
    for n in 0..EVENTS {
        let time = i64::try_from(n).expect("small") * 1_000;
        while let Some(deadline) = machine.deadline(&state).filter(|deadline| *deadline < time) {
            machine.tick(&mut state, deadline);
        }
        let met = machine.met(&events[n as usize % events.len()]);
        machine.event(&mut state, n + 1, time, &met);
        if n % 100 == 99 {
            greatest = greatest.max(state.encode().len());
        }
    }
    (begun.elapsed() / u32::try_from(EVENTS).expect("small"), greatest)
}

fn repeated(text: &str, times: usize) -> String {
    std::iter::repeat_n(text, times).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_when_that_means_too_much_work_is_refused_or_stays_within_its_budget() {
    let nest =
        |open: &str, times: usize, inner: &str| format!("{}{inner}{}", open.repeat(times), ")".repeat(times));
    let bombs = [
        ("parentheses", "(".repeat(100_000)),
        ("nested seqs", nest("(seq A ", 100_000, "B")),
        ("a count of 4e9", "(count 4000000000 A)".to_owned()),
        ("counts of counts", format!("(within 1 days {})", nest("(count 10000 ", 12, "A"))),
        ("a count of pairs", "(within 1 hours (count 8000 (seq A B)))".to_owned()),
        ("a count of pairs, small", "(within 1 hours (count 100 (seq A B)))".to_owned()),
        ("any star", format!("(within 1 hours (seq {}))", repeated("(any A B (seq A B) (seq B A))", 12))),
        ("any of any", format!("(within 1 hours {})", nest("(any A (seq A B) ", 25, "(seq A C)"))),
        ("all of alls", format!("(within 1 hours {})", nest("(all A (seq A B) ", 25, "(seq A C)"))),
        ("all of pairs", format!("(within 1 hours (all {}))", repeated("(seq A B)", 60))),
        ("all of counts", format!("(within 1 hours (all {}))", repeated("(count 100 A)", 60))),
        ("guards in guards", format!("(within 1 hours (seq A {} B))", repeated("(fail (seq X C X)) A", 20))),
        ("starts kept apart", "(within 1 days (seq A (seq A B) (fail (seq X X X X))))".to_owned()),
        (
            "starts and ends kept apart",
            "(within 1 hours (seq (any A (seq A B)) (fail (seq X C)) (seq B A) (fail X) (seq A B)))"
                .to_owned(),
        ),
        ("deadlines", "(within 1 days (seq A A A (fail Z)))".to_owned()),
        ("deadlines of their own", "(seq A (within 1 days (fail (seq X Z))))".to_owned()),
        ("deadlines in a count", "(count 50 (within 30 minutes (seq A B (fail X))))".to_owned()),
        ("nothing bounds it", format!("(seq {})", repeated("(any A B C)", 40))),
        ("a chain without end", format!("(within 1 hours (seq {}))", repeated("A B", 500))),
        ("a long chain", format!("(within 1 hours (seq {}))", repeated("A B", 60))),
    ];
    let mut over = Vec::new();
    for (name, text) in bombs {
        let begun = Instant::now();
        let parsed = when::parse(&expanded(&text), &Limits::default());
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(1), "{name}: {took:?} to parse");
        match parsed {
            Err(problems) => {
                report(&format!("{name}: refused in {took:?}: {}", problems[0].message));
                assert!(problems.iter().all(|problem| !problem.code.is_warning()));
            }
            Ok(parsed) => {
                let (time, bytes) = cost(&Machine::new(&parsed.trigger));
                report(&format!("{name}: {time:?} an event, {bytes} bytes"));
                if time > EVENT_TIME || bytes > STATE_BYTES {
                    over.push(name);
                }
            }
        }
    }
    assert!(over.is_empty(), "over their budgets: {over:?}");
}

#[test]
fn a_then_that_means_too_much_work_is_refused() {
    let many = "(send echo message {}) ".repeat(2_000);
    for (text, part) in [
        ("(".repeat(100_000), "bytes of source"),
        (format!("{}(set a 1){}", "(seq ".repeat(200), ")".repeat(200)), "nested over"),
        (format!("(seq {many})"), "forms"),
        ("(send echo message {} (retries 4000000000))".to_owned(), "retries"),
        ("(delay 4000000000 days)".to_owned(), "too long"),
    ] {
        let problems = then::parse(&text, &Limits::default()).expect_err(part);
        assert!(problems.iter().any(|problem| problem.message.contains(part)), "{part}: {problems:?}");
    }
}

#[test]
fn a_template_that_blows_up_ends_at_its_bounds() {
    let mut data = Object::new();
    let many = domain::json::parse(
        format!("[{}]", repeated("1,", 5_000).trim_end_matches(',')).as_bytes(),
        domain::json::Limits::STORED,
    );
    data.set("many", many.expect("a list"));
    data.set("long", "x".repeat(200_000));
    let itself = [("TM1".into(), Template::parse("{{> TM1}}{{> TM1}}").expect("a template"))].into();
    let doubling = "{{#many}}{{long}}{{/many}}";
    let deep = format!("{}x{}", "{{#many}}".repeat(5), "{{/many}}".repeat(5));
    for (name, text) in [
        ("output", doubling.to_owned()),
        ("work", deep),
        ("partials of themselves", "{{> TM1}}".to_owned()),
        ("sections", format!("{}{}", "{{#a}}".repeat(20_000), "{{/a}}".repeat(20_000))),
        ("tags that never close", "{{".repeat(100_000)),
    ] {
        let begun = Instant::now();
        let outcome = match Template::parse(&text) {
            Err(error) => format!("refused: {error}"),
            Ok(template) => match template.render(&[&data], &itself, Escape::Html) {
                Ok(text) => {
                    assert!(text.len() <= MAX_OUTPUT, "{name}");
                    format!("{} bytes", text.len())
                }
                Err(RenderError::Bound(what)) => format!("the template {what}"),
                Err(error) => panic!("{name}: {error}"),
            },
        };
        let took = begun.elapsed();
        report(&format!("{name}: {outcome} after {took:?}"));
        assert!(took < Duration::from_secs(2), "{name}: {took:?}");
    }
}

#[test]
fn a_million_customers_of_one_event_each_fit_into_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "patterns.json",
        r#"[{"id":"P","when":"(within 1 hours (seq (event (= t 1)) (fail (event (= t 2)))))"}]"#,
    );
    let events: String = (0..1_000_000).map(|n| format!("{{\"k\":{n},\"t\":1,\"ts\":{n}}}\n")).collect();
    write("events.jsonl", &events);
    let binary = command(&[]).get_program().to_owned();
    let begun = Instant::now();
    // The address space is bounded: what needs more ends there. Its threads' stacks and arenas count as well.
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 1500000; exec \"$0\" backtest --patterns patterns.json --events events.jsonl --key k",
        ])
        .arg(binary)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{said}");
    report(&format!("{:?}: {said}", begun.elapsed()));
    assert!(said.contains("1000000 customers"), "{said}");
}

#[test]
fn ten_thousand_patterns_cost_an_event_only_what_concerns_it() {
    let pattern = |n: usize| {
        let text =
            format!(r#"(within 1 hours (seq (event (= type "A{n}")) (fail (event (= type "X{n}")))))"#);
        Arc::new(Machine::new(&when::parse(&text, &Limits::default()).expect("a pattern").trigger))
    };
    let per_event = |patterns: usize| {
        let set = PatternSet::new((0..patterns).map(pattern).collect());
        let events: Vec<Object> = (0..100).map(|n| event(&format!("A{n}"))).collect();
        let mut touched = Touched::new();
        let begun = Instant::now();
        for n in 0..20_000 {
            touched.clear();
            set.touched(&events[n % events.len()], &mut touched);
            assert_eq!(touched.len(), 1);
        }
        begun.elapsed() / 20_000
    };
    let (few, many) = (per_event(100), per_event(10_000));
    report(&format!("an event among 100 patterns {few:?}, among 10,000 {many:?}"));
    assert!(many < Duration::from_micros(200), "{many:?}");
}
