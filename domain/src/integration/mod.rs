//! The integration aggregate: a tenant's account with a third party, one for each type.
//!
//! What is secret of it is sealed before it comes here, and nothing here can open it. Read next: [`Kind`] (which
//! fields each type has), [`Command`], [`Event`].

mod command;
mod event;
mod kind;

pub use command::{Command, Error, Integration, Secret, Setting};
pub use event::{Definition, Event, OnAmbiguous, Sealed};
pub use kind::{Field, Kind};

/// What is shown in place of a secret; written back, it keeps the secret that is stored.
pub const MASK: &str = "********";
