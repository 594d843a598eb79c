//! The augment aggregate: what a tenant's events, or the contexts of its reactions, are completed with.
//!
//! A `file` augment looks one attribute up in a CSV, an `api` augment asks a server of the tenant's. What the file
//! holds is not here: only which one is in force. Read next: [`Command`], [`Event`], [`csv`] (what is a good file).

mod command;
pub mod csv;
mod event;

pub use command::{Augment, Command, Error};
pub use event::{Definition, Event, File, Kind, Options, Service};
