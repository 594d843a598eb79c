//! The notation of the definition's worked examples: `A@5` is an event of type A at minute 5, and `A` in a pattern
//! is short for `(event (= type "A"))`.

use std::fmt::Write;

use domain::dsl::Limits;
use domain::dsl::when::{Trigger, parse};
use domain::json::Object;

use super::{Event, Match, Place};

const MINUTE: i64 = 60_000;

/// A timeline: `A@0 B@5`.
pub fn timeline(text: &str) -> Vec<Event> {
    text.split_whitespace()
        .map(|event| {
            let (name, minute) = event.split_once('@').expect("type@minute");
            let mut attributes = Object::new();
            attributes.set("type", name);
            let time = minute.parse::<i64>().expect("a whole number of minutes") * MINUTE;
            Event { time, attributes }
        })
        .collect()
}

/// A pattern in which a word that is no keyword stands for an event of that type.
pub fn trigger(text: &str) -> Trigger {
    let source = expanded(text);
    match parse(&source, &Limits::default()) {
        Ok(when) => when.trigger,
        Err(problems) => {
            let problems: Vec<_> = problems.iter().map(|problem| problem.render(&source)).collect();
            panic!("{source} is refused:\n{}", problems.join("\n"))
        }
    }
}

/// `text` with its abbreviations written out.
pub fn expanded(text: &str) -> String {
    const KEYWORDS: &str =
        " seq all any count within fail when second seconds minute minutes hour hours day days ";
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_alphanumeric() {
            word.push(c);
            continue;
        }
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        if word.is_empty() || number || KEYWORDS.contains(&format!(" {word} ")) {
            out.push_str(&word);
        } else {
            let _ = write!(out, "(event (= type \"{word}\"))");
        }
        word.clear();
        out.push(c);
    }
    out.trim_end().to_owned()
}

/// Matches in the same notation, each as `point: witness`, a tick's point as `tick@60`; joined by `; `.
pub fn shown(matches: &[Match], timeline: &[Event]) -> String {
    let event = |index: usize| {
        let event = &timeline[index];
        let name = event.attributes.get("type").and_then(|name| name.as_text()).unwrap_or("?");
        format!("{name}@{}", event.time / MINUTE)
    };
    let each = matches.iter().map(|found| {
        let point = match found.point.place {
            Place::Event(index) => event(index),
            Place::Tick => format!("tick@{}", found.point.time / MINUTE),
        };
        let witness: Vec<_> = found.witness.iter().map(|index| event(*index)).collect();
        format!("{point}: {}", witness.join(" "))
    });
    each.collect::<Vec<_>>().join("; ")
}
