//! The pure step: (program, state, input) → effects.

use super::{Effect, Input, Pinned, State};

/// Takes one input in and says what is decided about it. Total and deterministic: the same inputs in the same order
/// give the same state and the same effects, on any machine.
pub fn step(pinned: &Pinned, state: &mut State, input: &Input) -> Vec<Effect> {
    let _ = (pinned, state, input);
    todo!("then")
}
