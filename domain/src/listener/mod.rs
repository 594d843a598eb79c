//! The listener aggregate: a tenant's ear at a third party, whose events become customer events.
//!
//! Nothing here connects to anything: that is the notifier's. Read next: [`Kind`] (which options each type has),
//! [`mapping`] (what of a third party's event is taken over), [`Command`], [`Event`].

mod command;
mod event;
mod kind;
pub mod mapping;

pub use command::{Command, Error, Listener, Problem};
pub use event::{Definition, Event};
pub use kind::Kind;
