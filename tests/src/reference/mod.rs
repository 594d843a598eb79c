//! The `when` language a second time, as plainly as its definition: brute force over a whole history, sentence by
//! sentence. The quotations are the definition; docs/when.md tells the same to those who write patterns.
//!
//! It is what the engine is held to, so it shares nothing with it but the syntax tree and the predicates, and it
//! refuses to be clever or fast. Read next: [`examples`](self), the worked examples of the definition, then
//! [`crate::property`].

#[cfg(test)]
mod examples;
pub mod notation;

use std::collections::{BTreeMap, BTreeSet};

use domain::dsl::when::{Predicate, Trigger};
use domain::json::Object;

/// An event of the one customer, in the order of their positions; times never decrease.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it was appended, in ms.
    pub time: i64,
    /// Its attributes.
    pub attributes: Object,
}

/// A point of the order: an event, or a tick, which stands "after every event of that very time, before all later
/// ones". (The derived order says just that.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    /// In ms.
    pub time: i64,
    /// What happens there.
    pub place: Place,
}

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// An event, by its index in the timeline.
    Event(usize),
    /// A deadline.
    Tick,
}

/// A match: where it completed, and its events, "reported ascending, each event once".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where it completed.
    pub point: Point,
    /// Indices into the timeline.
    pub witness: Vec<usize>,
}

/// One way for a trigger to happen: "T happened, its first event is e_i, and it was complete at j".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Completion {
    start: Point,
    end: Point,
    /// "Its events from the latest to the earliest, an event that serves several places as often as it does."
    /// Vectors compare as the definition says: by the first difference, the longer one if there is none.
    witness: Vec<usize>,
}

/// ⟦T⟧
type Completions = BTreeSet<Completion>;

/// All matches of `trigger` on the timeline whose point has come by the end of the time `until`.
pub fn matches(trigger: &Trigger, timeline: &[Event], until: i64) -> Vec<Match> {
    matches_among(trigger, timeline, until, Witnesses::Greatest)
}

/// How much of ⟦T⟧ is written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Witnesses {
    /// Of the completions with the same start and end only the one with the greatest witness: no other can come
    /// to be reported, since two lists keep their order when the same events are added to both.
    Greatest,
    /// Every one, as the definition has it; the tests compare both.
    Every,
}

fn matches_among(trigger: &Trigger, timeline: &[Event], until: i64, witnesses: Witnesses) -> Vec<Match> {
    let mut found = Vec::new();
    let mut used_up = None;
    loop {
        // "The customer's events since this pattern's last match for them": all up to it is used up, "also what a
        // guard could have seen", and "a match at a tick uses up the events of that time too".
        let events = timeline.iter().enumerate().map(|(index, event)| (point_of(index, event), event));
        let history = History { events: events.filter(|(at, _)| Some(*at) > used_up).collect(), witnesses };
        let completions = history.completions(trigger);
        // "A pattern matches at the first point j at which some (i, j) of its trigger ends" …
        let Some(point) = completions.iter().map(|completion| completion.end).min() else { break };
        if point > tick(until) {
            break;
        }
        // … "the match takes the one with the latest i", and of those the greatest witness.
        let ending = completions.into_iter().filter(|completion| completion.end == point);
        let Some(mut best) = ending.max_by(|a, b| (a.start, &a.witness).cmp(&(b.start, &b.witness))) else {
            break;
        };
        best.witness.dedup();
        best.witness.reverse();
        found.push(Match { point, witness: best.witness });
        used_up = Some(point);
    }
    found
}

fn point_of(index: usize, event: &Event) -> Point {
    Point { time: event.time, place: Place::Event(index) }
}

/// What must not happen, if this is a fail.
fn fail_of(trigger: &Trigger) -> Option<&Trigger> {
    if let Trigger::Fail(guard) = trigger { Some(guard) } else { None }
}

fn tick(time: i64) -> Point {
    Point { time, place: Place::Tick }
}

/// e1 … en.
struct History<'a> {
    events: Vec<(Point, &'a Event)>,
    witnesses: Witnesses,
}

impl History<'_> {
    fn completions(&self, trigger: &Trigger) -> Completions {
        match trigger {
            Trigger::Event(predicate) => self.event(predicate),
            Trigger::Count(n, member) => self.count(*n, member),
            Trigger::Seq(members) => self.seq(members, None),
            Trigger::All(members) => self.all(members),
            // "The union."
            Trigger::Any(members) => self.kept(members.iter().flat_map(|member| self.completions(member))),
            Trigger::Within(span, member) => {
                let window = span.millis();
                let inner = match member.as_ref() {
                    // "The `within` directly around the seq" gives its last fails their deadline.
                    Trigger::Seq(members) => self.seq(members, Some(window)),
                    other => self.completions(other),
                };
                // "Those with time(j) − time(i) ≤ D. Exactly D still counts."
                inner.into_iter().filter(|c| c.end.time - c.start.time <= window).collect()
            }
            Trigger::Fail(_) => unreachable!("the language refuses a fail outside seq and all"),
        }
    }

    /// "All (i, i) with P(e_i)."
    fn event(&self, predicate: &Predicate) -> Completions {
        let met = self.events.iter().filter(|(_, event)| predicate.holds(&event.attributes));
        let index = |at: Point| if let Place::Event(index) = at.place { vec![index] } else { vec![] };
        met.map(|(at, _)| Completion { start: *at, end: *at, witness: index(*at) }).collect()
    }

    /// "Chains of n completions of T, each starting after the one before it ended."
    fn count(&self, n: u32, member: &Trigger) -> Completions {
        let each = self.completions(member);
        (1..n).fold(each.clone(), |chains, _| self.joined(&chains, &each, |a, b| a.end < b.start))
    }

    /// "Chains of one completion of each, in order, each starting after the one before it ended", with guards in
    /// the gaps and at the end.
    fn seq(&self, members: &[Trigger], window: Option<i64>) -> Completions {
        let mut chains: Option<Completions> = None;
        let mut guards = Vec::new();
        for member in members {
            match member {
                Trigger::Fail(guard) => guards.push(self.completions(guard)),
                Trigger::Within(span, fail) if fail_of(fail).is_some() => {
                    // "Deadline = time at which the member before ended + D."
                    let guards: Vec<_> =
                        fail_of(fail).map(|guard| self.completions(guard)).into_iter().collect();
                    let deadline = |chain: &Completion| chain.end.time.saturating_add(span.millis());
                    return self.unless_by(chains.unwrap_or_default(), &guards, deadline);
                }
                _ => {
                    let each = self.completions(member);
                    chains = Some(match chains {
                        None => each,
                        // "Strictly between the end of the member before and the start of the member after.
                        // Several fails in one gap all guard it."
                        Some(chains) => self.joined(&chains, &each, |a, b| {
                            let seen = |g: &Completion| a.end < g.start && g.end < b.start;
                            a.end < b.start && !guards.iter().flatten().any(seen)
                        }),
                    });
                    guards.clear();
                }
            }
        }
        let chains = chains.unwrap_or_default();
        match window {
            // "Deadline = time of the seq's first event + D." "Several bare fails at the end guard together."
            Some(window) if !guards.is_empty() => {
                self.unless_by(chains, &guards, |chain| chain.start.time.saturating_add(window))
            }
            _ => chains,
        }
    }

    /// Last fails: "the stretch runs from the end of the member before up to and including a deadline, and the
    /// completion ends at that deadline"; it "never ends before its last member".
    fn unless_by(
        &self,
        chains: Completions,
        guards: &[Completions],
        deadline: impl Fn(&Completion) -> i64,
    ) -> Completions {
        self.kept(chains.into_iter().filter_map(|chain| {
            let deadline = tick(deadline(&chain));
            let seen = |g: &Completion| chain.end < g.start && g.end <= deadline;
            (chain.end <= deadline && !guards.iter().flatten().any(seen))
                .then_some(Completion { end: deadline, ..chain })
        }))
    }

    /// "One completion of each; from the earliest start to the latest end. The members are independent." Its fails
    /// guard the stretch "(i, j) of the other members, both ends included".
    fn all(&self, members: &[Trigger]) -> Completions {
        let together = members
            .iter()
            .filter(|member| fail_of(member).is_none())
            .map(|member| self.completions(member))
            .reduce(|a, b| self.joined(&a, &b, |_, _| true))
            .unwrap_or_default();
        let guards: Vec<_> =
            members.iter().filter_map(fail_of).map(|guard| self.completions(guard)).collect();
        let seen = |c: &Completion| guards.iter().flatten().any(|g| c.start <= g.start && g.end <= c.end);
        together.into_iter().filter(|completion| !seen(completion)).collect()
    }

    /// Every pair of completions that `may` stand together, as one.
    fn joined(
        &self,
        a: &Completions,
        b: &Completions,
        may: impl Fn(&Completion, &Completion) -> bool,
    ) -> Completions {
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
        self.kept(pairs.filter(|(a, b)| may(a, b)).map(|(a, b)| {
            let mut witness = [&a.witness[..], &b.witness[..]].concat();
            witness.sort_by(|a, b| b.cmp(a));
            Completion { start: a.start.min(b.start), end: a.end.max(b.end), witness }
        }))
    }

    fn kept(&self, completions: impl Iterator<Item = Completion>) -> Completions {
        if self.witnesses == Witnesses::Every {
            return completions.collect();
        }
        let mut greatest: BTreeMap<(Point, Point), Vec<usize>> = BTreeMap::new();
        for Completion { start, end, witness } in completions {
            let kept = greatest.entry((start, end)).or_default();
            *kept = witness.max(std::mem::take(kept));
        }
        greatest.into_iter().map(|((start, end), witness)| Completion { start, end, witness }).collect()
    }
}
