//! A trigger made simpler without changing what it means, its predicates numbered.
//!
//! What is undone here: members that stand alone, nested `any`s and `seq`s, counts of counts, the two ways to end a
//! `seq` with `fail`. Both kinds of machine are built from a [`Plan`]. Read next: `general` and `flat`.

use std::sync::Arc;

use domain::dsl::when::{Predicate, Trigger};
use rustc_hash::FxHashMap;

use super::Met;

/// What has to happen.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Plan {
    /// One event that meets one of these.
    Event(Met),
    /// The n-th event that meets one of these.
    Count(u64, Met),
    /// One of these.
    Any(Vec<Plan>),
    /// That, in no more than so many milliseconds.
    Within(i64, Box<Plan>),
    /// One after the other.
    Seq(Seq),
    /// All, in any order.
    All {
        /// What has to happen.
        members: Vec<Plan>,
        /// What must not, from first to last.
        guards: Vec<Plan>,
    },
    /// So often, one after the other.
    Repeat(u64, Box<Plan>),
}

/// A sequence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seq {
    /// Its members.
    pub steps: Vec<Step>,
    /// What must not happen after the last.
    pub trailing: Option<Trailing>,
}

/// A member of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    /// What must not happen between the member before and this one.
    pub guards: Vec<Plan>,
    /// What has to happen.
    pub plan: Plan,
}

/// What must not happen after the last member, up to a deadline.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trailing {
    /// What must not happen.
    pub guards: Vec<Plan>,
    /// Milliseconds to the deadline.
    pub span: i64,
    /// From where they count.
    pub from: Anchor,
}

/// From where a deadline counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The sequence's first event: `(within D (seq … (fail T)))`.
    Start,
    /// The end of the member before: `(seq … (within D (fail T)))`.
    End,
}

/// Counts up to this one stand in a sequence as so many steps; greater ones as one step with a ring.
const UNROLL: u64 = 16;

/// The distinct event predicates of a trigger, in the order in which they first stand.
#[derive(Debug, Default)]
pub(super) struct Predicates {
    pub list: Vec<Arc<Predicate>>,
    /// Those that stand outside every `fail`.
    pub wanted: Met,
    /// Their numbers, if there are too many to look at each.
    numbers: FxHashMap<Arc<Predicate>, u16>,
}

/// Up to so many predicates are compared one by one.
const FEW: usize = 8;

impl Predicates {
    fn number(&mut self, predicate: &Predicate, guard: bool) -> u16 {
        // The checks allow 1,000 forms in a trigger, so the numbers do not run out.
        let next = u16::try_from(self.list.len()).unwrap_or(u16::MAX);
        let known = match self.numbers.is_empty() {
            true => (0..).zip(&self.list).find(|(_, known)| ***known == *predicate).map(|(id, _)| id),
            false => self.numbers.get(predicate).copied(),
        };
        let id = known.unwrap_or_else(|| {
            self.list.push(Arc::new(predicate.clone()));
            if self.list.len() > FEW {
                let from = self.numbers.len();
                self.numbers.extend(self.list.iter().cloned().zip(0..).skip(from));
            }
            next
        });
        if !guard {
            self.wanted.insert(id);
        }
        id
    }
}

/// Plans a trigger.
pub(super) fn plan(trigger: &Trigger, predicates: &mut Predicates) -> Plan {
    Planner { predicates, guard: false }.plan(trigger)
}

struct Planner<'a> {
    predicates: &'a mut Predicates,
    guard: bool,
}

impl Planner<'_> {
    fn plan(&mut self, trigger: &Trigger) -> Plan {
        match trigger {
            Trigger::Event(predicate) => {
                Plan::Event([self.predicates.number(predicate, self.guard)].into_iter().collect())
            }
            Trigger::Count(n, inner) => count(u64::from(*n), self.plan(inner)),
            Trigger::Any(members) => any(members.iter().map(|m| self.plan(m)).collect()),
            Trigger::Seq(members) => self.seq(members, None),
            Trigger::All(members) => self.all(members),
            Trigger::Within(span, inner) => {
                let span = span.millis();
                match inner.as_ref() {
                    // Directly around a sequence that ends in bare `fail`s it also sets their deadline.
                    Trigger::Seq(members) => within(span, self.seq(members, Some(span))),
                    inner => within(span, self.plan(inner)),
                }
            }
            // Stands only where `seq` and `all` look for it (when.md §3), and they take what is inside.
            Trigger::Fail(inner) => self.guarded(inner),
        }
    }

    fn guarded(&mut self, trigger: &Trigger) -> Plan {
        let outer = std::mem::replace(&mut self.guard, true);
        let plan = self.plan(trigger);
        self.guard = outer;
        plan
    }

    fn all(&mut self, triggers: &[Trigger]) -> Plan {
        let (mut members, mut guards) = (Vec::new(), Vec::new());
        for trigger in triggers {
            match trigger {
                Trigger::Fail(inner) => guards.push(self.guarded(inner)),
                _ => members.push(self.plan(trigger)),
            }
        }
        match members.len() {
            1 if guards.is_empty() => members.remove(0),
            // A lone member's stretch is its own, so its window can stand outside.
            1 => match members.remove(0) {
                Plan::Within(span, inner) => {
                    Plan::Within(span, Box::new(Plan::All { members: vec![*inner], guards }))
                }
                member => Plan::All { members: vec![member], guards },
            },
            _ => Plan::All { members, guards },
        }
    }

    fn seq(&mut self, triggers: &[Trigger], around: Option<i64>) -> Plan {
        let mut steps: Vec<Step> = Vec::new();
        let mut gap = Vec::new();
        let mut trailing = None;
        for trigger in triggers {
            match trigger {
                Trigger::Fail(inner) => gap.push(self.guarded(inner)),
                Trigger::Within(span, inner) if matches!(**inner, Trigger::Fail(_)) => {
                    let guards = vec![self.plan(inner)];
                    trailing = Some(Trailing { guards, span: span.millis(), from: Anchor::End });
                }
                _ => {
                    let guards = std::mem::take(&mut gap);
                    push_step(&mut steps, guards, self.plan(trigger));
                }
            }
        }
        if let (Some(span), false) = (around, gap.is_empty()) {
            trailing = Some(Trailing { guards: gap, span, from: Anchor::Start });
        }
        match steps.as_slice() {
            [only] if trailing.is_none() && only.guards.is_empty() => steps.remove(0).plan,
            _ => Plan::Seq(Seq { steps, trailing }),
        }
    }
}

/// A chain of chains is a chain.
fn push_step(steps: &mut Vec<Step>, guards: Vec<Plan>, plan: Plan) {
    match plan {
        Plan::Seq(Seq { steps: inner, trailing: None }) => {
            let mut guards = guards;
            for mut step in inner {
                step.guards.append(&mut guards);
                steps.push(step);
            }
        }
        Plan::Count(n, met) if n <= UNROLL => {
            let mut guards = guards;
            for _ in 0..n {
                steps.push(Step { guards: std::mem::take(&mut guards), plan: Plan::Event(met.clone()) });
            }
        }
        plan => steps.push(Step { guards, plan }),
    }
}

fn count(n: u64, inner: Plan) -> Plan {
    match (n, inner) {
        (1, inner) => inner,
        (n, Plan::Event(met)) => Plan::Count(n, met),
        (n, Plan::Count(m, met)) => Plan::Count(n.saturating_mul(m), met),
        (n, Plan::Repeat(m, inner)) => Plan::Repeat(n.saturating_mul(m), inner),
        (n, inner) => Plan::Repeat(n, Box::new(inner)),
    }
}

fn within(span: i64, inner: Plan) -> Plan {
    match inner {
        // One event takes no time.
        Plan::Event(met) => Plan::Event(met),
        Plan::Within(tighter, inner) => Plan::Within(span.min(tighter), inner),
        inner => Plan::Within(span, Box::new(inner)),
    }
}

fn any(members: Vec<Plan>) -> Plan {
    let mut flat = Vec::new();
    let mut events: Option<Met> = None;
    let mut rest = members;
    rest.reverse();
    while let Some(member) = rest.pop() {
        match member {
            Plan::Event(met) => match &mut events {
                Some(events) => events.extend(&met),
                None => events = Some(met),
            },
            Plan::Any(inner) => rest.extend(inner.into_iter().rev()),
            member => flat.push(member),
        }
    }
    flat.extend(events.map(Plan::Event));
    match flat.len() {
        1 => flat.remove(0),
        _ => Plan::Any(flat),
    }
}
