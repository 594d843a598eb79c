//! Matching one customer's events against one trigger: pure functions of (state, event or tick).
//!
//! The meaning is when.md §2–3. No clock is read here: the caller brings events in order, and before an event of
//! time t every [`Machine::deadline`] earlier than t, as a [`Machine::tick`]. Nothing here knows tenants, customers
//! or the record. Read next: `plan` (the trigger made simpler), then `general`
//! (the machine for every trigger) and `flat` (the one for nearly all of them, in a few integers).

pub(crate) mod codec;
mod flat;
mod general;
mod met;
mod moment;
mod moments;
mod plan;
mod set;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use domain::dsl::when::{Predicate, Trigger};
use domain::ids::{Point, Position};
use domain::time::Stamp;
use domain::value::Attributes;

pub use codec::Malformed;
pub use met::Met;
pub use set::{PatternSet, Touched};

use codec::{Reader, Writer};
use moment::Moment;
use moments::Moments;
use plan::{Plan, Predicates};

/// A match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it completed.
    pub point: Point,
    /// When, in milliseconds: the time of the completing event, or the deadline.
    pub at: i64,
    /// The positions of the witness's events, ascending, each once.
    pub witness: Vec<u64>,
}

/// One compiled trigger.
#[derive(Debug)]
pub struct Machine {
    predicates: Predicates,
    window: Option<i64>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Flat(flat::Machine),
    General(general::Machine),
}

/// What a customer has contributed towards a match of one trigger since the last one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State(Held);

#[derive(Clone, Debug, Default, PartialEq)]
enum Held {
    #[default]
    Fresh,
    /// Never empty.
    Flat(Moments),
    General(Box<general::State>),
}

/// The form of a state's bytes; raised whenever it or the way that machines are built changes.
pub(crate) const FORMAT: u8 = 1;

/// What a state's bytes begin with after the format.
mod tag {
    pub const FRESH: u8 = 0;
    pub const GENERAL: u8 = 1;
    pub const FLAT: u8 = 2;
}

impl Machine {
    /// Compiles a checked trigger.
    pub fn new(trigger: &Trigger) -> Self {
        let mut predicates = Predicates::default();
        let plan = plan::plan(trigger, &mut predicates);
        let window = match &plan {
            Plan::Within(span, _) => Some(*span),
            _ => None,
        };
        let body = match flat::Machine::new(&plan) {
            Some(machine) => Body::Flat(machine),
            None => Body::General(general::Machine::new(&plan)),
        };
        Self { predicates, window, body }
    }

    /// Compiles a trigger for the machine that takes any, whether or not it is simple.
    #[cfg(test)]
    fn general(trigger: &Trigger) -> Self {
        let mut predicates = Predicates::default();
        let plan = plan::plan(trigger, &mut predicates);
        Self { predicates, window: None, body: Body::General(general::Machine::new(&plan)) }
    }

    /// The distinct event predicates, in the order in which they first stand; a predicate's number is its place here.
    pub fn predicates(&self) -> &[Arc<Predicate>] {
        &self.predicates.list
    }

    /// The predicates that stand outside every `fail`: what contributes to a match.
    pub fn wanted(&self) -> &Met {
        &self.predicates.wanted
    }

    /// The window around the whole trigger, in milliseconds.
    pub fn window(&self) -> Option<i64> {
        self.window
    }

    /// The predicates that an event meets.
    pub fn met(&self, event: &impl Attributes) -> Met {
        (0..)
            .zip(self.predicates())
            .filter(|(_, predicate)| predicate.holds(event))
            .map(|(id, _)| id)
            .collect()
    }

    /// Feeds one event of a customer that meets the predicates `met`. Positions rise and times do not fall from event
    /// to event, and every deadline earlier than `time` has been ticked. After a match everything is used up.
    pub fn event(&self, state: &mut State, position: u64, time: i64, met: &Met) -> Option<Found> {
        let found = self.step(state, Moment::event(time, position), met)?;
        Some(Found::new(found, Point::Event(Position(position)), time))
    }

    /// As [`Self::event`], for an event whose predicates have not been looked at.
    pub fn feed(
        &self,
        state: &mut State,
        position: u64,
        time: i64,
        event: &impl Attributes,
    ) -> Option<Found> {
        self.event(state, position, time, &self.met(event))
    }

    /// The next tick that could complete or change something.
    pub fn deadline(&self, state: &State) -> Option<i64> {
        match (&self.body, &state.0) {
            (Body::Flat(machine), Held::Flat(state)) => machine.deadline(state),
            (Body::General(machine), Held::General(state)) => machine.deadline(state),
            // A state of another machine is none of this one's.
            _ => None,
        }
    }

    /// The last time at which a state can still matter, where a window bounds that; afterwards it is as good as fresh.
    pub fn expiry(&self, state: &State) -> Option<i64> {
        let latest = match &state.0 {
            Held::Fresh => None,
            Held::Flat(moments) => moments.iter().map(|moment| moment.time).max(),
            Held::General(state) => state.latest_start(),
        };
        // What completes starts with what is held or later, and the window counts from there.
        Some(latest.unwrap_or(i64::MIN).saturating_add(self.window?))
    }

    /// Lets a deadline pass: all events of its time have been fed, and none of a later one.
    pub fn tick(&self, state: &mut State, deadline: i64) -> Option<Found> {
        let found = self.step(state, Moment::tick(deadline), &Met::none())?;
        Some(Found::new(found, Point::Deadline(Stamp(deadline)), deadline))
    }

    /// The witness of a match: events from the latest to the earliest, as often as they serve.
    fn step(&self, state: &mut State, at: Moment, met: &Met) -> Option<Vec<u64>> {
        match &self.body {
            Body::Flat(machine) => {
                let mut held = match std::mem::take(&mut state.0) {
                    Held::Flat(held) => held,
                    Held::Fresh | Held::General(_) => Moments::new(),
                };
                let found = match at.is_tick() {
                    true => machine.tick(&mut held, at.time),
                    false => machine.event(&mut held, at, met),
                };
                if !held.is_empty() {
                    state.0 = Held::Flat(held);
                }
                found
            }
            Body::General(machine) => {
                let mut held = match std::mem::take(&mut state.0) {
                    Held::General(held) => held,
                    Held::Fresh | Held::Flat(_) => Box::default(),
                };
                let found = machine.step(&mut held, at, met);
                if !held.is_fresh() {
                    state.0 = Held::General(held);
                }
                found
            }
        }
    }

    /// Reads a state that [`State::encode`] wrote for this very trigger.
    ///
    /// # Errors
    /// Bytes of another format or trigger, as far as that can be told.
    pub fn decode(&self, bytes: &[u8]) -> Result<State, Malformed> {
        match bytes.split_first() {
            Some((&FORMAT, bytes)) => self.read(bytes),
            _ => Err(Malformed),
        }
    }

    /// As [`Self::decode`], of what [`State::write`] wrote.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<State, Malformed> {
        let mut reader = Reader(bytes);
        let held = match (reader.byte()?, &self.body) {
            (tag::FRESH, _) => Held::Fresh,
            (tag::FLAT, Body::Flat(machine)) => {
                let moments: Moments = reader.list(Reader::moment)?;
                Held::Flat(Some(moments).filter(|m| !m.is_empty() && machine.accepts(m)).ok_or(Malformed)?)
            }
            (tag::GENERAL, Body::General(machine)) => Held::General(Box::new(machine.decode(&mut reader)?)),
            _ => return Err(Malformed),
        };
        reader.end()?;
        Ok(State(held))
    }
}

impl State {
    /// Whether nothing has been contributed: as good as no state at all.
    pub fn is_fresh(&self) -> bool {
        matches!(self.0, Held::Fresh)
    }

    /// The state as bytes, versioned; only of use to a [`Machine`] of the same trigger.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer(vec![FORMAT]);
        self.write(&mut writer);
        writer.0
    }

    /// As [`Self::encode`], without the format.
    pub(crate) fn write(&self, writer: &mut Writer) {
        match &self.0 {
            Held::Fresh => writer.0.push(tag::FRESH),
            Held::Flat(moments) => {
                writer.0.push(tag::FLAT);
                writer.list(moments.iter(), |w, moment| w.moment(*moment));
            }
            Held::General(state) => {
                writer.0.push(tag::GENERAL);
                state.encode(writer);
            }
        }
    }

    /// About how many bytes it takes beside its own.
    pub(crate) fn blocks(&self) -> usize {
        match &self.0 {
            Held::Fresh => 0,
            Held::Flat(moments) => moments.block(),
            Held::General(state) => state.size(),
        }
    }
}

impl Found {
    fn new(mut witness: Vec<u64>, point: Point, at: i64) -> Self {
        witness.reverse();
        witness.dedup();
        Self { point, at, witness }
    }
}
