//! The engine is held to the reference, and the comparison itself is shown to bite.

use std::time::Duration;

use domain::dsl::when::Trigger;
use system_tests::property::{Effort, engine, hold};
use system_tests::reference::{Event, Match, matches};

/// Something subtly wrong that must be found: the reference, asked something else than what was meant.
fn is_found_out(what: &str, wrong: impl Fn(&Trigger, &[Event]) -> Vec<Match> + Sync) {
    let effort = Effort { seed: 1, pairs: 20_000, time: Duration::from_secs(60) };
    assert!(hold(&wrong, effort).is_err(), "{what}: not found out");
}

fn is_fail(trigger: &Trigger) -> bool {
    matches!(trigger, Trigger::Fail(_))
}

/// The trigger with `change` made wherever it makes one, from the outside in.
fn changed(trigger: &Trigger, change: &dyn Fn(&Trigger) -> Option<Trigger>) -> Trigger {
    if let Some(other) = change(trigger) {
        return other;
    }
    let each = |members: &[Trigger]| members.iter().map(|member| changed(member, change)).collect();
    match trigger {
        Trigger::Event(_) => trigger.clone(),
        Trigger::Count(n, member) => Trigger::Count(*n, Box::new(changed(member, change))),
        Trigger::Seq(members) => Trigger::Seq(each(members)),
        Trigger::All(members) => Trigger::All(each(members)),
        Trigger::Any(members) => Trigger::Any(each(members)),
        Trigger::Within(span, member) => Trigger::Within(*span, Box::new(changed(member, change))),
        Trigger::Fail(guard) => Trigger::Fail(Box::new(changed(guard, change))),
    }
}

#[test]
fn a_broken_engine_is_found_out() {
    is_found_out("nothing ever matches", |_, _| Vec::new());
    is_found_out("a witness lacks its first event", |trigger, timeline| {
        let mut found = matches(trigger, timeline, i64::MAX);
        found
            .iter_mut()
            .filter(|found| found.witness.len() > 2)
            .for_each(|found| _ = found.witness.remove(0));
        found
    });
    is_found_out("time ends with the last event", |trigger, timeline| {
        matches(trigger, timeline, timeline.last().map_or(0, |event| event.time))
    });
    is_found_out("an any takes its first member", |trigger, timeline| {
        let first = |trigger: &Trigger| match trigger {
            Trigger::Any(members) => members.first().cloned(),
            _ => None,
        };
        matches(&changed(trigger, &first), timeline, i64::MAX)
    });
    is_found_out("an all is in order", |trigger, timeline| {
        let in_order = |trigger: &Trigger| match trigger {
            Trigger::All(members) if !members.iter().any(is_fail) => Some(Trigger::Seq(members.clone())),
            _ => None,
        };
        matches(&changed(trigger, &in_order), timeline, i64::MAX)
    });
    is_found_out("the guards of an all are not looked at", |trigger, timeline| {
        let without = |trigger: &Trigger| match trigger {
            Trigger::All(members) => {
                Some(Trigger::All(members.iter().filter(|member| !is_fail(member)).cloned().collect()))
            }
            _ => None,
        };
        matches(&changed(trigger, &without), timeline, i64::MAX)
    });
    is_found_out("the guards of a gap are not looked at", |trigger, timeline| {
        let without = |trigger: &Trigger| match trigger {
            Trigger::Seq(members) if !is_fail(members.last()?) => {
                Some(Trigger::Seq(members.iter().filter(|member| !is_fail(member)).cloned().collect()))
            }
            _ => None,
        };
        matches(&changed(trigger, &without), timeline, i64::MAX)
    });
    is_found_out("a deadline of its own runs from the first event", |trigger, timeline| {
        let from_the_first = |trigger: &Trigger| match trigger {
            Trigger::Seq(members) => match members.split_last()? {
                (Trigger::Within(span, fail), before) if is_fail(fail) => {
                    let members = before.iter().chain([&**fail]).cloned().collect();
                    Some(Trigger::Within(*span, Box::new(Trigger::Seq(members))))
                }
                _ => None,
            },
            _ => None,
        };
        matches(&changed(trigger, &from_the_first), timeline, i64::MAX)
    });
    is_found_out("of two events of one time the later comes first", |trigger, timeline| {
        let mut order: Vec<_> = (0..timeline.len()).rev().collect();
        order.sort_by_key(|index| timeline[*index].time);
        let swapped: Vec<_> = order.iter().map(|index| timeline[*index].clone()).collect();
        let mut found = matches(trigger, &swapped, i64::MAX);
        found.iter_mut().flat_map(|found| &mut found.witness).for_each(|index| *index = order[*index]);
        found.iter_mut().for_each(|found| found.witness.sort_unstable());
        found
    });
    is_found_out("a window is an open one", |trigger, timeline| {
        let apart: Vec<_> =
            timeline.iter().map(|e| Event { time: e.time * 1_001 / 1_000, ..e.clone() }).collect();
        let mut found = matches(trigger, &apart, i64::MAX);
        found.iter_mut().for_each(|found| found.point.time = found.point.time * 1_000 / 1_001);
        found
    });
}

#[test]
fn the_engine_finds_what_the_reference_finds() {
    let effort = Effort::from_env(200_000, Duration::from_secs(45));
    println!("seed {}, {} pairs", effort.seed, effort.pairs);
    match hold(&engine, effort) {
        Ok(coverage) => {
            println!("{coverage:?}");
            assert!(coverage.pairs >= effort.pairs.min(100_000), "too slow: only {} pairs", coverage.pairs);
            coverage.check();
        }
        Err(counterexample) => panic!("{counterexample}"),
    }
}
