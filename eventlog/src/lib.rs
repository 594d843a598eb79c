//! The record: one append-only sequence of everything that happened, and how it is read.
//!
//! This is the only crate that writes the record. Read [`record`] first (the port and its homes), then [`crypto`]
//! (sealing), [`aggregates`] (cqrs-es over the port), [`customer_stream`] (the door through which every customer
//! event comes), [`augment`] (what completes it on its way in), [`files`] (what is too long for an entry), [`checkpoint`] (where its readers keep their place).

pub mod aggregates;
pub mod augment;
pub mod checkpoint;
pub mod crypto;
pub mod customer_stream;
pub mod files;
pub mod record;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
