//! Reactions end to end, on a record in a temporary folder, with a stand-in for the third party.

mod commands;
mod crash;
mod speed;
mod world;
