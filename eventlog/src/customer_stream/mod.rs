//! The customer event stream's one door (rest-api.md §4): validate, dedup, augment, append.

mod door;

pub use door::{Accepted, Door, Incoming, Prepared, Refused};
