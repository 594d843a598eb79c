//! The runtime.

mod attempt;
mod expects;
mod lanes;
mod timers;
