//! The property: on any trigger and any timeline the engine finds what the [`reference`](crate::reference) finds,
//! match by match, witness by witness, ticks included.
//!
//! Read next: [`draw`] (what is drawn), [`shrink`] (how a counterexample becomes readable).

pub mod dice;
pub mod draw;
mod engine;
pub mod shrink;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::dsl::Limits;
use domain::dsl::when::{Trigger, parse};
use domain::json::Json;

pub use dice::Dice;
pub use engine::engine;

use crate::reference::{Event, Match, Place, matches};

/// A trigger and a timeline.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is looked for.
    pub trigger: Trigger,
    /// What happens, in order.
    pub timeline: Vec<Event>,
}

impl Case {
    /// A case, valid by the language's own check.
    pub fn draw(dice: &mut Dice) -> Self {
        let (trigger, timeline) = draw::case(dice);
        let case = Self { trigger, timeline };
        assert!(case.is_valid(), "what is drawn must be valid: {}", problems(&case.trigger));
        case
    }

    /// Whether the language takes the trigger, written down, for what it is.
    pub fn is_valid(&self) -> bool {
        parse(&self.trigger.to_string(), &Limits::default()).is_ok_and(|when| when.trigger == self.trigger)
    }
}

fn problems(trigger: &Trigger) -> String {
    let source = trigger.to_string();
    match parse(&source, &Limits::default()) {
        Ok(when) => format!("{source} is read as {}", when.trigger),
        Err(problems) => {
            problems.iter().map(|problem| problem.render(&source)).collect::<Vec<_>>().join("\n")
        }
    }
}

/// The pattern, then one line an event, numbered as the witnesses number them.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.trigger)?;
        self.timeline.iter().enumerate().try_for_each(|(index, event)| {
            writeln!(f, "  event {index} at {:>5} ms  {}", event.time, Json::from(event.attributes.clone()))
        })
    }
}

/// What finds matches: the engine, or something broken on purpose.
pub trait Subject: Sync {
    /// All matches on the timeline, time advanced to well past its end.
    fn matches(&self, trigger: &Trigger, timeline: &[Event]) -> Vec<Match>;
}

impl<F: Fn(&Trigger, &[Event]) -> Vec<Match> + Sync> Subject for F {
    fn matches(&self, trigger: &Trigger, timeline: &[Event]) -> Vec<Match> {
        self(trigger, timeline)
    }
}

/// What a run covered: in how many pairs it is so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coverage {
    /// All pairs.
    pub pairs: u64,
    /// At least one match.
    pub matched: u64,
    /// At least two matches.
    pub matched_again: u64,
    /// At least one match at a tick.
    pub at_a_tick: u64,
    /// A match although the trigger has a fail in it.
    pub despite_a_fail: u64,
    /// A fail of more than one event or count.
    pub composite_fail: u64,
    /// A deadline inside another trigger than a within (all, seq, count, any, fail).
    pub nested_deadline: u64,
}

impl Coverage {
    fn add(&mut self, case: &Case, found: &[Match]) {
        let kinds = Kinds::of(&case.trigger);
        self.pairs += 1;
        self.matched += u64::from(!found.is_empty());
        self.matched_again += u64::from(found.len() > 1);
        self.at_a_tick += u64::from(found.iter().any(|found| found.point.place == Place::Tick));
        self.despite_a_fail += u64::from(kinds.fail && !found.is_empty());
        self.composite_fail += u64::from(kinds.composite_fail);
        self.nested_deadline += u64::from(kinds.nested_deadline);
    }

    fn sum(self, other: Self) -> Self {
        Self {
            pairs: self.pairs + other.pairs,
            matched: self.matched + other.matched,
            matched_again: self.matched_again + other.matched_again,
            at_a_tick: self.at_a_tick + other.at_a_tick,
            despite_a_fail: self.despite_a_fail + other.despite_a_fail,
            composite_fail: self.composite_fail + other.composite_fail,
            nested_deadline: self.nested_deadline + other.nested_deadline,
        }
    }

    /// Whether the run said something about every part of the language.
    pub fn check(&self) {
        for (what, count, least) in [
            ("a match", self.matched, 40),
            ("two matches", self.matched_again, 20),
            ("a match at a tick", self.at_a_tick, 8),
            ("a match despite a fail", self.despite_a_fail, 15),
            ("a composite fail", self.composite_fail, 10),
            ("a nested deadline", self.nested_deadline, 8),
        ] {
            let percent = 100 * count / self.pairs.max(1);
            assert!(
                percent >= least,
                "only {percent} % of the pairs have {what}, at least {least} % should: {self:?}"
            );
        }
    }
}

/// What occurs in a trigger.
#[derive(Default)]
struct Kinds {
    fail: bool,
    composite_fail: bool,
    nested_deadline: bool,
}

impl Kinds {
    fn of(trigger: &Trigger) -> Self {
        let mut kinds = Self::default();
        kinds.walk(trigger, false);
        kinds
    }

    fn walk(&mut self, trigger: &Trigger, inside: bool) {
        match trigger {
            Trigger::Event(_) => {}
            Trigger::Within(_, member) => self.walk(member, inside),
            Trigger::Count(_, member) => self.walk(member, true),
            Trigger::Fail(guard) => {
                self.fail = true;
                self.composite_fail |=
                    matches!(**guard, Trigger::Seq(_) | Trigger::All(_) | Trigger::Within(..));
                self.walk(guard, true);
            }
            Trigger::Seq(members) | Trigger::All(members) | Trigger::Any(members) => {
                let last_is_fail = match members.last() {
                    Some(Trigger::Within(_, last)) => matches!(**last, Trigger::Fail(_)),
                    last => matches!((trigger, last), (Trigger::Seq(_), Some(Trigger::Fail(_)))),
                };
                self.nested_deadline |= inside && last_is_fail;
                members.iter().for_each(|member| self.walk(member, true));
            }
        }
    }
}

/// How long to look.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The first pair's seed; the others' follow.
    pub seed: u64,
    /// How many pairs.
    pub pairs: u64,
    /// After this time it ends, however many pairs are done.
    pub time: Duration,
}

impl Effort {
    /// `pairs` from `CXENGAGE_PAIRS` and `seed` from `CXENGAGE_SEED` where those are set; pairs that were asked
    /// for are done, however long it takes.
    pub fn from_env(pairs: u64, time: Duration) -> Self {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a whole number"));
        let asked = number("CXENGAGE_PAIRS");
        let clock = || std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos() as u64);
        Self {
            seed: number("CXENGAGE_SEED").unwrap_or_else(clock),
            pairs: asked.unwrap_or(pairs),
            time: if asked.is_some() { Duration::MAX } else { time },
        }
    }
}

/// Holds `subject` to the reference, on all processors.
///
/// # Errors
/// The first counterexample found, shrunk, with both answers and the seed of its pair.
pub fn hold(subject: &impl Subject, effort: Effort) -> Result<Coverage, String> {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let (started, stop) = (Instant::now(), AtomicBool::new(false));
    let run = |first: u64| -> Result<Coverage, String> {
        let mut coverage = Coverage::default();
        for index in (first..effort.pairs).step_by(threads as usize) {
            if stop.load(Ordering::Relaxed) || started.elapsed() > effort.time {
                break;
            }
            let seed = effort.seed.wrapping_add(index);
            let case = Case::draw(&mut Dice::new(seed));
            let expected = matches(&case.trigger, &case.timeline, i64::MAX);
            if subject.matches(&case.trigger, &case.timeline) != expected {
                stop.store(true, Ordering::Relaxed);
                return Err(explained(subject, case, seed));
            }
            coverage.add(&case, &expected);
        }
        Ok(coverage)
    };
    let shards = std::thread::scope(|scope| {
        let shards: Vec<_> = (0..threads).map(|first| scope.spawn(move || run(first))).collect();
        shards.into_iter().map(|shard| shard.join().expect("a shard does not panic")).collect::<Vec<_>>()
    });
    shards.into_iter().try_fold(Coverage::default(), |sum, shard| Ok(sum.sum(shard?)))
}

fn explained(subject: &impl Subject, case: Case, seed: u64) -> String {
    let differs = |case: &Case| {
        subject.matches(&case.trigger, &case.timeline) != matches(&case.trigger, &case.timeline, i64::MAX)
    };
    let case = shrink::shrunk(case, differs);
    let expected = listed(&matches(&case.trigger, &case.timeline, i64::MAX));
    let found = listed(&subject.matches(&case.trigger, &case.timeline));
    format!("{case}expected:{expected}\nfound:   {found}\nagain with: CXENGAGE_SEED={seed} CXENGAGE_PAIRS=1")
}

fn listed(matches: &[Match]) -> String {
    let each = matches.iter().map(|found| match found.point.place {
        Place::Event(index) => format!(" at event {index} with {:?}", found.witness),
        Place::Tick => format!(" at the tick {} with {:?}", found.point.time, found.witness),
    });
    if matches.is_empty() { " no match".to_owned() } else { each.collect::<Vec<_>>().join(",") }
}
