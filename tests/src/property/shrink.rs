//! From a counterexample to a small one: every step that keeps it a counterexample is taken, until none is left.

use domain::dsl::when::{Predicate, Trigger};
use domain::json::Json;

use super::Case;
use crate::reference::Event;

/// The smallest case that can be reached from `case` by steps that `fails` outlives.
pub fn shrunk(mut case: Case, fails: impl Fn(&Case) -> bool) -> Case {
    while let Some(smaller) = smaller(&case).find(|smaller| smaller.is_valid() && fails(smaller)) {
        case = smaller;
    }
    case
}

fn smaller(case: &Case) -> impl Iterator<Item = Case> + use<> {
    let of_trigger = simpler(&case.trigger).into_iter();
    let of_timeline = shorter(&case.timeline).into_iter();
    let (timeline, trigger) = (case.timeline.clone(), case.trigger.clone());
    of_trigger
        .map(move |trigger| Case { trigger, timeline: timeline.clone() })
        .chain(of_timeline.map(move |timeline| Case { trigger: trigger.clone(), timeline }))
}

/// Fewer events, earlier ones, plainer ones.
fn shorter(timeline: &[Event]) -> Vec<Vec<Event>> {
    let mut all = Vec::new();
    for at in 0..timeline.len() {
        let mut without = timeline.to_vec();
        without.remove(at);
        all.push(without);
    }
    for (at, event) in timeline.iter().enumerate() {
        let before = if at == 0 { 0 } else { timeline[at - 1].time };
        for step in [1_000, 1] {
            if event.time - before >= step && (step == 1_000 || event.time % 1_000 != 0) {
                let mut earlier = timeline.to_vec();
                earlier[at..].iter_mut().for_each(|event| event.time -= step);
                all.push(earlier);
            }
        }
        if event.attributes.get("n").is_some() {
            let mut plainer = timeline.to_vec();
            plainer[at].attributes.remove("n");
            all.push(plainer);
        }
        if event.attributes.get("type").and_then(Json::as_text) != Some("A") {
            let mut plainer = timeline.to_vec();
            plainer[at].attributes.set("type", "A");
            all.push(plainer);
        }
    }
    all
}

/// Triggers with one thing less; whether they are valid is for the language to say.
fn simpler(trigger: &Trigger) -> Vec<Trigger> {
    match trigger {
        Trigger::Event(predicate) => plainer(predicate).into_iter().map(Trigger::Event).collect(),
        Trigger::Count(n, member) => {
            let fewer = (*n > 1).then(|| Trigger::Count(n - 1, member.clone()));
            let inner = simpler(member).into_iter().map(|member| Trigger::Count(*n, Box::new(member)));
            [(**member).clone()].into_iter().chain(fewer).chain(inner).collect()
        }
        Trigger::Seq(members) => list(members, Trigger::Seq),
        Trigger::All(members) => list(members, Trigger::All),
        Trigger::Any(members) => list(members, Trigger::Any),
        Trigger::Within(span, member) => {
            let mut shorter = *span;
            shorter.amount -= 1;
            let shorter = (shorter.amount > 0).then(|| Trigger::Within(shorter, member.clone()));
            let inner = simpler(member).into_iter().map(|member| Trigger::Within(*span, Box::new(member)));
            [(**member).clone()].into_iter().chain(shorter).chain(inner).collect()
        }
        Trigger::Fail(guard) => {
            simpler(guard).into_iter().map(|guard| Trigger::Fail(Box::new(guard))).collect()
        }
    }
}

fn list(members: &[Trigger], whole: fn(Vec<Trigger>) -> Trigger) -> Vec<Trigger> {
    let alone = members.iter().filter(|member| !matches!(member, Trigger::Fail(_))).cloned();
    let without = (0..members.len()).map(|at| {
        let mut rest = members.to_vec();
        rest.remove(at);
        whole(rest)
    });
    let inner = members.iter().enumerate().flat_map(|(at, member)| {
        simpler(member).into_iter().map(move |member| {
            let mut changed = members.to_vec();
            changed[at] = member;
            whole(changed)
        })
    });
    alone.chain(without.filter(|_| members.len() > 1)).chain(inner).collect()
}

fn plainer(predicate: &Predicate) -> Vec<Predicate> {
    match predicate {
        Predicate::And(parts) | Predicate::Or(parts) => parts.clone(),
        Predicate::Not(part) => vec![(**part).clone()],
        _ => Vec::new(),
    }
}
