//! The client aggregate: a program that may use the API, and the tokens that it was given.

mod command;
mod event;
mod scope;

pub use command::{Client, Command, Error, Life};
pub use event::{Event, TokenIssued};
pub use scope::Scope;
