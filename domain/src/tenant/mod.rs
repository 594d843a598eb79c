//! The tenant aggregate: a business, and the attribute by which it tells its customers apart.

mod command;
mod event;

pub use command::{Command, Error, Tenant};
pub use event::Event;
