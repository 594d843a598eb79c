//! The pattern aggregate: *when* these things happen to one customer, *then* do that.

mod command;
mod event;

pub use command::{Command, Error, Pattern};
pub use event::{Definition, Event};
