//! The template aggregate: a Mustache text that patterns' reactions name by id.

mod command;
mod event;

pub use command::{Command, Error, Template};
pub use event::{Definition, Event};
