//! The engine as a [`Subject`](super::Subject): events and ticks in the order in which the stream brings them.

use domain::dsl::when::Trigger;
use domain::ids::Point as EnginePoint;
use engine::matching::{Found, Machine, State};

use crate::reference::{Event, Match, Place, Point};

/// Runs the engine's machine over the timeline, then lets every deadline pass. On every second timeline the state
/// goes through its bytes before each step, as it does when a customer is spilled or a server restarts.
///
/// # Panics
/// If deadlines do not come to an end, or a state cannot be read back.
pub fn engine(trigger: &Trigger, timeline: &[Event]) -> Vec<Match> {
    let machine = Machine::new(trigger);
    let spilled = timeline.len() % 2 == 1;
    let restored = |state: State| {
        if spilled { machine.decode(&state.encode()).expect("what was written can be read") } else { state }
    };
    let mut state = State::default();
    let mut found = Vec::new();
    let ticks = |state: &mut State, before: i64, found: &mut Vec<Match>| {
        let mut last = None;
        while let Some(deadline) = machine.deadline(state).filter(|deadline| *deadline < before) {
            assert!(Some(deadline) > last, "the deadline {deadline} came twice");
            last = Some(deadline);
            *state = restored(std::mem::take(state));
            found.extend(machine.tick(state, deadline).map(translated));
        }
    };
    for (index, event) in timeline.iter().enumerate() {
        ticks(&mut state, event.time, &mut found);
        state = restored(state);
        found
            .extend(machine.feed(&mut state, position(index), event.time, &event.attributes).map(translated));
    }
    ticks(&mut state, i64::MAX, &mut found);
    found
}

/// A customer's events are not neighbours in the record.
fn position(index: usize) -> u64 {
    11 + 7 * index as u64
}

fn index(position: u64) -> usize {
    (position as usize - 11) / 7
}

fn translated(found: Found) -> Match {
    let place = match found.point {
        EnginePoint::Event(position) => Place::Event(index(position.0)),
        EnginePoint::Deadline(stamp) => {
            assert_eq!(stamp.0, found.at, "a deadline is its own time");
            Place::Tick
        }
    };
    let witness = found.witness.into_iter().map(index).collect();
    Match { point: Point { time: found.at, place }, witness }
}
