//! NATS JetStream as the way by which the record's rows reach many workers.
//!
//! The record stays the record: what is in JetStream may be late, doubled or gone at any time, and nothing is lost.
//! A [`Relay`] publishes what was committed, in order; [`follow`] brings it to the [`Tail`](crate::record::Tail) of each
//! process, which serves readers from memory, and from the record itself wherever something is missing. What is above
//! cannot tell which it was.
//!
//! Read next: [`relay`](Relay), then [`tail`](follow).

mod connect;
mod message;
mod relay;
mod streams;
mod tail;
#[cfg(test)]
mod tests;

pub use connect::{Error, Nats, Options};
pub use relay::Relay;
pub use streams::{INGEST, LOG};
pub use tail::follow;
