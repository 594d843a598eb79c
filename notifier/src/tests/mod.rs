//! Reactions end to end, on a record in a temporary folder, with a stand-in for the third party.

mod augments;
mod clock;
mod commands;
mod crash;
mod endpoints;
mod held;
mod parked;
mod receipts;
pub(crate) mod stand_in;
mod world;
