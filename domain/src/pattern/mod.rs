//! The pattern aggregate: *when* these things happen to one customer, *then* do that.

mod check;
mod command;
mod event;

pub use check::{Checked, Field, Invalid, check, place_of};
pub use command::{Change, Command, Error, Pattern};
pub use event::{Definition, Event};
