//! The worked examples of the definition: pattern, timeline, matches.

use super::notation::{shown, timeline, trigger};
use super::{Witnesses, matches, matches_among};
use crate::property::{Case, Dice};

fn check(examples: &[(&str, &str, &str)]) {
    for (pattern, events, expected) in examples {
        let events_of = timeline(events);
        let found = matches(&trigger(pattern), &events_of, i64::MAX);
        assert_eq!(&shown(&found, &events_of), expected, "{pattern} on {events}");
    }
}

#[test]
fn a_pattern_matches_where_the_definition_says() {
    check(&[
        ("A", "X@0 A@1 A@2", "A@1: A@1; A@2: A@2"),
        // count: chains; what a match has used up does not come back
        ("(count 2 A)", "A@0", ""),
        ("(count 2 A)", "A@0 A@0 A@1", "A@0: A@0 A@0"),
        ("(count 2 A)", "A@0 A@1 A@2 A@3", "A@1: A@0 A@1; A@3: A@2 A@3"),
        ("(count 2 (seq A B))", "A@0 A@1 B@2 B@3 A@4 B@5", "B@5: A@1 B@3 A@4 B@5"),
        // seq: other events in between never break it, and one event never serves two places
        ("(seq A B)", "A@0 X@1 B@2", "B@2: A@0 B@2"),
        ("(seq A A)", "A@0", ""),
        ("(seq A B)", "B@0 A@0", ""),
        ("(seq A B)", "A@0 B@0", "B@0: A@0 B@0"),
        // all: any order, and one event may serve several members
        ("(all A B)", "B@0 A@5", "A@5: B@0 A@5"),
        ("(all A A)", "A@0", "A@0: A@0"),
        ("(all (count 2 A) (seq A B))", "A@0 A@1 B@2", "B@2: A@0 A@1 B@2"),
        // any
        ("(any A (count 2 B))", "B@0 A@1 B@2 B@3", "A@1: A@1; B@3: B@2 B@3"),
        // within: exactly D still counts, windows slide, a later start never hides a match
        ("(within 1 hours (count 2 P))", "P@0 P@60", "P@60: P@0 P@60"),
        ("(within 1 hours (count 2 P))", "P@0 P@61", ""),
        ("(within 1 hours (count 2 P))", "P@0 P@70 P@100", "P@100: P@70 P@100"),
        ("(within 30 minutes (seq A B))", "A@0 A@20 B@45", "B@45: A@20 B@45"),
        ("(within 30 minutes (seq A A B))", "A@0 A@10 A@20 B@25", "B@25: A@10 A@20 B@25"),
    ]);
}

#[test]
fn the_witness_is_the_greatest_list() {
    check(&[
        ("(seq A P R)", "A@0 P@1 P@2 R@3", "R@3: A@0 P@2 R@3"),
        ("(any (seq A B) (seq A P B))", "A@0 P@1 B@2", "B@2: A@0 P@1 B@2"),
        ("(all (any A (seq A P)) (seq A B))", "A@0 P@1 B@2", "B@2: A@0 P@1 B@2"),
        // An event that serves two places counts twice: [C B B A] is greater than [C B A A].
        ("(any (all (seq A B) (seq A B C)) (all (seq A C) (seq A B C)))", "A@0 B@1 C@2", "C@2: A@0 B@1 C@2"),
    ]);
}

#[test]
fn a_fail_guards_its_stretch() {
    let called_twice = "(all (within 1 hours (count 2 abandoned)) (fail (count 1 answered)))";
    check(&[
        (called_twice, "abandoned@0 abandoned@9", "abandoned@9: abandoned@0 abandoned@9"),
        (called_twice, "abandoned@0 answered@3 abandoned@9", ""),
        (
            called_twice,
            "abandoned@0 answered@3 abandoned@9 abandoned@12",
            "abandoned@12: abandoned@9 abandoned@12",
        ),
        // in all: both ends included
        ("(all (count 2 A) (fail (all A A)))", "A@0 A@1", ""),
        ("(all (seq A B) (fail (seq A X)))", "A@0 X@1 B@2", ""),
        ("(all (seq A B) (fail (seq X B)))", "X@0 A@1 B@2", "B@2: A@1 B@2"),
        // in seq: strictly between
        ("(seq A (fail A) B)", "A@0 B@1", "B@1: A@0 B@1"),
        ("(seq A (fail A) B)", "A@0 A@1 B@2", "B@2: A@1 B@2"),
        ("(seq A (fail X) B)", "A@0 X@0 B@0", ""),
        ("(seq A (fail X) (fail Y) B)", "A@0 Y@1 B@2", ""),
        ("(seq A (fail (seq X Y)) B)", "X@0 A@1 Y@2 X@3 B@4", "B@4: A@1 B@4"),
        ("(seq A (fail (seq X Y)) B)", "A@1 X@2 Y@3 B@4", ""),
        // a longer member's latest start is not always the best placed one
        ("(seq A (fail X) (seq P R))", "A@0 P@1 X@2 P@3 R@4", "R@4: A@0 P@1 R@4"),
        ("(seq (any P (seq Q R)) (fail X) B)", "Q@0 P@1 X@2 R@3 B@4", "B@4: Q@0 R@3 B@4"),
    ]);
}

#[test]
fn a_last_fail_completes_at_its_deadline() {
    let abandoned = "(within 1 hours (seq cart (fail paid)))";
    check(&[
        (abandoned, "cart@0", "tick@60: cart@0"),
        (abandoned, "cart@0 paid@60", ""),
        (abandoned, "cart@0 paid@61", "tick@60: cart@0"),
        (abandoned, "cart@0 cart@10", "tick@60: cart@0"),
        (abandoned, "cart@0 paid@5 cart@10", "tick@70: cart@10"),
        // a match at a tick uses up the events of that time too
        (abandoned, "cart@0 cart@60", "tick@60: cart@0"),
        (abandoned, "cart@0 cart@61", "tick@60: cart@0; tick@121: cart@61"),
        // the deadline may also run from the member before
        ("(seq A B (within 10 minutes (fail X)))", "A@0 B@50", "tick@60: A@0 B@50"),
        ("(seq A B (within 10 minutes (fail X)))", "A@0 B@50 X@60", ""),
        ("(seq A B (within 10 minutes (fail X)))", "A@0 B@5 B@6 X@16", "tick@15: A@0 B@5"),
        ("(seq A (within 10 minutes (fail X)))", "A@0 X@0", ""),
        ("(within 10 minutes (seq A (fail X) (fail Y)))", "A@0 Y@10", ""),
        ("(within 10 minutes (seq A (fail (seq X Y))))", "A@0 X@5 Y@10", ""),
        ("(within 10 minutes (seq A (fail (seq X Y))))", "A@0 X@5 Y@11", "tick@10: A@0"),
        // it never ends before its last member
        ("(within 1 hours (seq A B (fail X)))", "A@0 B@61", ""),
        ("(within 1 hours (seq A B (fail X)))", "A@0 B@60", "tick@60: A@0 B@60"),
        ("(within 1 hours (seq A B (fail X)))", "A@0 X@30 B@60 X@60", ""),
        // a tick is a completion like any other
        ("(seq (within 10 minutes (seq A (fail X))) B)", "A@0 A@5 B@20", "B@20: A@5 B@20"),
        ("(seq (within 10 minutes (seq A (fail X))) B)", "A@0 B@10", ""),
        ("(count 2 (within 10 minutes (seq A (fail X))))", "A@0 A@5 A@10 A@11", "tick@21: A@0 A@11"),
        ("(seq A (within 10 minutes (fail (within 5 minutes (seq X (fail Y))))))", "A@0 X@5", ""),
        ("(seq A (within 10 minutes (fail (within 5 minutes (seq X (fail Y))))))", "A@0 X@6", "tick@10: A@0"),
    ]);
}

#[test]
fn time_that_has_not_come_makes_no_match() {
    let events = timeline("cart@0");
    let abandoned = trigger("(within 1 hours (seq cart (fail paid)))");
    assert!(matches(&abandoned, &events, 3_599_999).is_empty());
    assert_eq!(matches(&abandoned, &events, 3_600_000).len(), 1);
}

#[test]
fn keeping_only_the_greatest_witnesses_changes_no_match() {
    let mut found = 0;
    for seed in 0..1_000 {
        let mut case = Case::draw(&mut Dice::new(seed));
        case.timeline.truncate(7);
        let every = matches_among(&case.trigger, &case.timeline, i64::MAX, Witnesses::Every);
        assert_eq!(matches(&case.trigger, &case.timeline, i64::MAX), every, "{case}");
        found += every.len();
    }
    assert!(found > 300, "too few matches to say anything: {found}");
}
