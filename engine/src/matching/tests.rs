//! The sentences of when.md §2–3, one line each.
//!
//! `A@5` is an event of type A at minute 5; its position is its place in the line, from 1. A match is written
//! `at:positions`, `at` being a minute, with `~` before the colon if it is a tick.

use domain::dsl::when::{Operand, Predicate, Trigger};
use domain::ids::Point;
use domain::time::{Span, Unit};
use domain::value::Comparison;

use super::*;
use proptest::prelude::*;
use proptest::test_runner::Config as ProptestConfig;

/// Reads the short form: capital letters for `(event (= type "…"))`, `m` for minutes.
pub(super) fn trigger(text: &str) -> Trigger {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace();
    read(words.next().unwrap(), &mut words)
}

fn read<'a>(word: &'a str, words: &mut impl Iterator<Item = &'a str>) -> Trigger {
    if word != "(" {
        return event(word);
    }
    let head = words.next().unwrap();
    let number = match head {
        "count" | "within" => words.next().unwrap().trim_end_matches('m').parse().unwrap(),
        _ => 0,
    };
    let mut members = Vec::new();
    loop {
        match words.next().unwrap() {
            ")" => break,
            word => members.push(read(word, words)),
        }
    }
    let only = |mut members: Vec<Trigger>| Box::new(members.remove(0));
    match head {
        "count" => Trigger::Count(u32::try_from(number).unwrap(), only(members)),
        "within" => Trigger::Within(Span { amount: number, unit: Unit::Minutes }, only(members)),
        "fail" => Trigger::Fail(only(members)),
        "seq" => Trigger::Seq(members),
        "all" => Trigger::All(members),
        "any" => Trigger::Any(members),
        _ => panic!("{head}"),
    }
}

pub(super) fn event(name: &str) -> Trigger {
    let attribute = Operand::Attribute("type".into());
    Trigger::Event(Predicate::Compare(Comparison::Equal, attribute, Operand::Text(name.into())))
}

/// The predicates that an event of a type meets.
pub(super) fn met(machine: &Machine, name: &str) -> Met {
    let named = |p: &Predicate| matches!(p, Predicate::Compare(_, _, Operand::Text(text)) if text == name);
    (0..).zip(machine.predicates()).filter(|(_, p)| named(p)).map(|(id, _)| id).collect()
}

/// All matches of a timeline, the ticks up to minute 10,000 included; the state is put through its bytes each time, and
/// dropped when it has expired.
pub(super) fn run(machine: &Machine, timeline: &[(&str, i64)]) -> Vec<Found> {
    let (mut state, mut all) = (State::default(), Vec::new());
    let end = [("", 10_000 * 60_000)];
    for ((name, time), position) in timeline.iter().chain(&end).zip(1..) {
        while let Some(deadline) = machine.deadline(&state).filter(|deadline| deadline < time) {
            all.extend(machine.tick(&mut state, deadline));
        }
        if machine.expiry(&state).is_some_and(|expiry| expiry < *time) {
            state = State::default();
        }
        all.extend(machine.event(&mut state, position, *time, &met(machine, name)));
        assert_eq!(machine.decode(&state.encode()).as_ref(), Ok(&state));
    }
    all
}

fn matches(machine: &Machine, timeline: &str) -> String {
    let timeline: Vec<_> = timeline
        .split_whitespace()
        .map(|word| word.split_once('@').unwrap())
        .map(|(name, minute)| (name, minute.parse::<i64>().unwrap() * 60_000))
        .collect();
    let written = run(machine, &timeline).into_iter().map(|found| {
        let tick = if matches!(found.point, Point::Deadline(_)) { "~" } else { "" };
        let witness: Vec<_> = found.witness.iter().map(u64::to_string).collect();
        format!("{}{tick}:{}", found.at / 60_000, witness.join(","))
    });
    written.collect::<Vec<_>>().join(" ")
}

#[test]
fn patterns_match_as_the_language_says() {
    let mut wrong = Vec::new();
    for (pattern, timeline, expected) in [
        // §2
        ("A", "A@0 B@1 A@2", "0:1 2:3"),
        ("(count 2 A)", "A@0 A@1 A@2 A@3", "1:1,2 3:3,4"),
        ("(count 2 (count 2 A))", "A@0 A@1 A@2 A@3", "3:1,2,3,4"),
        ("(count 2 (seq A B))", "A@0 A@1 B@2 A@3 B@4 B@5", "4:2,3,4,5"),
        ("(seq A A)", "A@0 A@0", "0:1,2"),
        ("(all A A)", "A@0", "0:1"),
        ("(all A B)", "B@0 A@1", "1:1,2"),
        ("(all A (count 2 A))", "A@0 A@1", "1:1,2"),
        ("(any A (seq B C))", "B@0 C@1 A@2", "1:1,2 2:3"),
        ("(within 60m (count 2 P))", "P@0 P@70 P@100", "100:2,3"),
        ("(within 60m (count 2 P))", "P@0 P@60", "60:1,2"),
        ("(within 30m (seq A B))", "A@0 A@20 B@45", "45:2,3"),
        ("(seq A B)", "A@0 X@1 X@2 B@3", "3:1,4"),
        ("(seq A B)", "A@0 B@0", "0:1,2"),
        ("(seq (any P (seq P Q)) R)", "P@0 Q@1 R@2", "2:1,2,3"),
        ("(seq A (any P (seq P Q)) R)", "A@0 P@1 Q@2 R@3", "3:1,2,3,4"),
        ("(all (within 5m (seq A B)) C)", "A@0 B@5 C@50", "50:1,2,3"),
        // §3, in all
        ("(all (within 60m (count 2 A)) (fail (count 1 X)))", "A@0 A@1", "1:1,2"),
        ("(all (within 60m (count 2 A)) (fail (count 1 X)))", "A@0 X@1 A@2 A@3", "3:3,4"),
        ("(all A B (fail (seq X Y)))", "X@0 A@1 Y@2 B@3", "3:2,4"),
        ("(all A B (fail (seq X Y)))", "A@1 X@2 Y@3 B@4", ""),
        ("(seq P (all (seq A B) C))", "A@0 P@1 C@2 B@3 A@4 B@5", "5:2,3,5,6"),
        // §3, between
        ("(seq A (fail X) B)", "A@0 X@1 B@2", ""),
        ("(seq A (fail X) B)", "X@0 A@0 B@2 X@2", "2:2,3"),
        ("(seq A (fail X) (fail Y) B)", "A@0 Y@1 B@2 A@3 B@4", "4:4,5"),
        ("(seq A (fail X) (seq P R))", "A@0 P@1 X@2 P@3 R@4", "4:1,2,5"),
        ("(seq (any P (seq Q R)) (fail X) B)", "Q@0 P@1 X@2 R@3 B@4", "4:1,4,5"),
        ("(seq A (fail X) (any P (seq P R)))", "A@0 X@0 P@1 A@2 R@3 P@4", "4:4,6"),
        ("(seq A (fail (seq X Y)) B)", "X@0 A@1 Y@2 B@3", "3:2,4"),
        // §3, last
        ("(within 60m (seq C (fail P)))", "C@0 P@60", ""),
        ("(within 60m (seq C (fail P)))", "C@0 P@61", "60~:1"),
        ("(within 60m (seq C (fail P)))", "C@0 C@10", "60~:1"),
        ("(within 60m (seq C (fail P)))", "C@0 C@10 P@20", ""),
        ("(within 60m (seq C (fail P)))", "C@0 C@60 C@61", "60~:1 121~:3"),
        ("(within 60m (seq C (fail P) (fail Q)))", "C@0 Q@5 C@10", "70~:3"),
        ("(within 60m (seq C (fail C)))", "C@0 C@10", "70~:2"),
        ("(seq A B (within 10m (fail X)))", "A@0 B@5", "15~:1,2"),
        ("(seq A (within 10m (fail X)))", "A@0 A@3 X@5 A@6", "16~:4"),
        ("(within 12m (seq A B (within 10m (fail X))))", "A@0 B@5 A@6 B@8", "18~:3,4"),
        ("(within 60m (seq A B (fail X)))", "A@0 B@61", ""),
        ("(within 60m (seq A B (fail X)))", "A@0 B@60", "60~:1,2"),
        ("(within 60m (seq A B (fail X)))", "A@0 A@5 B@6 X@7 B@8", "60~:1,5"),
        ("(seq (within 10m (seq A (fail X))) B)", "A@0 A@5 B@20", "20:2,3"),
        ("(seq (within 10m (seq A (fail X))) B)", "A@0 B@10 B@11", "11:1,3"),
        ("(seq A (fail (within 5m (seq X (fail Y)))) B)", "A@0 X@1 B@6", "6:1,3"),
        ("(seq A (fail (within 5m (seq X (fail Y)))) B)", "A@0 X@1 B@7", ""),
        ("(within 60m (seq C (fail (within 5m (seq X (fail Y))))))", "C@0 X@55", ""),
        ("(all (within 5m (seq A (fail X))) (within 5m (seq B (fail X))))", "A@0 B@1 B@2", "6~:1,2"),
        ("(any (within 5m (seq A (fail X))) (seq A B))", "A@0 B@5 A@6", "5:1,2 11~:3"),
    ] {
        let trigger = trigger(pattern);
        for machine in [Machine::new(&trigger), Machine::general(&trigger)] {
            let found = matches(&machine, timeline);
            if found != expected {
                wrong.push(format!("{pattern} on {timeline}: {found}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An event's type, or one of two, or a count of it.
fn some_events(counts: bool) -> BoxedStrategy<String> {
    let one = prop::sample::select(vec!["A", "B", "C", "(any A B)"]).prop_map(str::to_owned);
    match counts {
        true => (1..4, one).prop_map(|(n, event)| format!("(count {n} {event})")).boxed(),
        false => one.boxed(),
    }
}

fn some_guards() -> impl Strategy<Value = String> {
    let guard = prop::sample::select(vec!["", "", "(fail X)", "(fail A)", "(fail X) (fail B)"]);
    guard.prop_map(str::to_owned)
}

/// Simple triggers in all their kinds.
fn simple() -> impl Strategy<Value = String> {
    let links = prop::collection::vec((some_guards(), some_events(false)), 0..4);
    let members = prop::collection::vec(some_events(true), 1..4);
    let windowed = |(window, inner): (u32, String)| match window {
        0 => inner,
        minutes => format!("(within {minutes}m {inner})"),
    };
    let chain = (some_events(false), links, 0..4).prop_map(|(first, links, last)| {
        let links: Vec<_> = links.into_iter().map(|(guards, event)| format!("{guards} {event}")).collect();
        let last = if last == 0 { String::new() } else { format!("(within {last}m (fail X))") };
        format!("(seq {first} {} {last})", links.join(" "))
    });
    let all = (members, some_guards()).prop_map(|(m, guards)| format!("(all {} {guards})", m.join(" ")));
    let waited = (1..5, some_events(false), prop::sample::select(vec!["X", "A"]))
        .prop_map(|(n, event, guard)| format!("(within {n}m (seq {event} (fail {guard})))"));
    let inner = prop_oneof![chain, all, some_events(true)];
    prop_oneof![4 => (0_u32..6, inner).prop_map(windowed), 1 => waited]
}

fn timelines() -> impl Strategy<Value = Vec<(&'static str, i64)>> {
    let step = (prop::sample::select(vec!["A", "A", "B", "C", "X", "-"]), 0_i64..5);
    prop::collection::vec(step, 1..30).prop_map(|steps| {
        let mut time = 0;
        let mut at = |step: i64| {
            // Often no time at all, often whole minutes, so that windows and deadlines are met exactly.
            time += [0, 30_000, 60_000, 60_000, 120_000].get(step as usize).copied().unwrap_or(0);
            time
        };
        steps.into_iter().map(|(name, step)| (name, at(step))).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn simple_triggers_match_in_few_integers_as_they_do_by_the_letter(
        pattern in simple(),
        timeline in timelines(),
    ) {
        let trigger = trigger(&pattern);
        let machine = Machine::new(&trigger);
        prop_assert!(matches!(machine.body, Body::Flat(_)), "{pattern} is not simple");
        prop_assert_eq!(run(&machine, &timeline), run(&Machine::general(&trigger), &timeline), "{}", pattern);
    }
}

/// Triggers that are not simple, all of it in a window.
fn nested() -> impl Strategy<Value = String> {
    let inner = prop::sample::select(vec![
        "(seq (any A (seq B C)) B)",
        "(seq (all A B) (fail X) C)",
        "(count 2 (seq A B))",
        "(count 2 (count 3 (all A B)))",
        "(all (seq A B) (count 2 C))",
        "(any (count 3 A) (seq B (count 17 A)))",
        "(seq A (fail (seq X B)) C)",
        "(all (seq A C) (seq B C) (fail X))",
    ]);
    (1_u32..6, inner).prop_map(|(minutes, inner)| format!("(within {minutes}m {inner})"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

    #[test]
    fn a_state_that_has_expired_is_as_good_as_none(pattern in nested(), timeline in timelines()) {
        let trigger = trigger(&pattern);
        let machine = Machine::new(&trigger);
        prop_assert!(matches!(machine.body, Body::General(_)), "{pattern} is simple");
        // What is built for no window around it never expires.
        prop_assert_eq!(run(&machine, &timeline), run(&Machine::general(&trigger), &timeline), "{}", pattern);
    }
}

#[test]
fn what_stands_only_in_a_fail_does_not_contribute() {
    for pattern in
        ["(seq A (fail X) B)", "(within 1m (seq A B (fail (any X A))))", "(all A B (fail (seq X A)))"]
    {
        let machine = Machine::new(&trigger(pattern));
        let wanted = |name| machine.wanted().meets(&met(&machine, name));
        assert!(wanted("A") && wanted("B") && !wanted("X"), "{pattern}");
    }
}

#[test]
fn counts_of_counts_multiply() {
    for pattern in ["(count 2 (count 3 A))", "(count 3 (count 2 A))"] {
        assert_eq!(
            matches(&Machine::new(&trigger(pattern)), "A@0 A@0 A@0 A@0 A@0 A@1"),
            "1:1,2,3,4,5,6",
            "{pattern}"
        );
    }
    let chain = "(count 2 (count 3 (seq A B)))";
    let timeline = "A@0 B@0 A@0 B@0 A@0 B@0 A@0 B@0 A@0 B@0 A@0 B@1";
    assert_eq!(matches(&Machine::new(&trigger(chain)), timeline), "1:1,2,3,4,5,6,7,8,9,10,11,12");
}

/// However many there are, and whatever stands between them.
#[test]
fn a_predicate_that_stands_again_has_the_number_that_it_had() {
    let names: Vec<String> = (0..100).map(|n| format!("E{n}")).collect();
    let again: Vec<&str> = names.iter().chain(&names).map(String::as_str).collect();
    let machine = Machine::new(&trigger(&format!("(seq {})", again.join(" "))));
    assert_eq!(machine.predicates().len(), names.len());
    let mut state = State::default();
    let found = (1..).zip(&again).find_map(|(n, name)| machine.event(&mut state, n, 0, &met(&machine, name)));
    assert_eq!(found.map(|found| found.witness.len()), Some(again.len()));
}

#[test]
fn an_event_that_meets_more_of_a_pattern_is_fed_to_it_once_with_all_that_it_meets() {
    let attribute = |name: &str| Operand::Attribute(name.into());
    let at_least = |n: i64| {
        Trigger::Event(Predicate::Compare(Comparison::AtLeast, attribute("n"), Operand::Number(n.into())))
    };
    let one =
        Arc::new(Machine::new(&Trigger::Count(3, Box::new(Trigger::Any(vec![at_least(1), at_least(2)])))));
    let event = domain::json::parse(br#"{"n": 2}"#, domain::json::Limits::EVENT).unwrap();
    let both: Met = [0, 1].into_iter().collect();
    for machines in 1..3 {
        let mut touched = Touched::new();
        let set = PatternSet::new(vec![Arc::clone(&one); machines]);
        set.touched(event.as_object().unwrap(), &mut touched);
        assert_eq!(touched, (0..).zip(vec![both.clone(); machines]).collect::<Touched>());
    }
}

#[test]
fn bytes_of_another_format_or_trigger_are_refused() {
    let machine = Machine::new(&trigger("(seq A (count 20 B) C)"));
    let mut state = State::default();
    machine.event(&mut state, 1, 0, &met(&machine, "A"));
    machine.event(&mut state, 2, 0, &met(&machine, "B"));
    let bytes = state.encode();
    assert_eq!(machine.decode(&bytes), Ok(state));
    assert!((0..bytes.len()).all(|end| machine.decode(&bytes[..end]).is_err()));
    assert!(machine.decode(&[&[FORMAT + 1], &bytes[1..]].concat()).is_err());
    assert!(Machine::new(&trigger("(count 2 (seq A B))")).decode(&bytes).is_err());
    for (pattern, other) in
        [("(count 5 A)", "(count 2 A)"), ("(seq A B C)", "(seq A B)"), ("(all A B C)", "(all A B)")]
    {
        let (machine, other) = (Machine::new(&trigger(pattern)), Machine::new(&trigger(other)));
        let mut state = State::default();
        for position in 1..3 {
            machine.event(&mut state, position, 0, &met(&machine, "A"));
        }
        let bytes = state.encode();
        assert!(machine.decode(&bytes).is_ok() && other.decode(&bytes).is_err(), "{pattern}");
    }
}
