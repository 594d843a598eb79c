//! The customer event stream's one door (rest-api.md §4): validate, dedup, augment, append.

mod configuration;
mod door;
mod prepare;
#[cfg(test)]
mod tests;

pub use configuration::change_of;
pub use door::{Accepted, Door, Incoming, Prepared, Refused};
