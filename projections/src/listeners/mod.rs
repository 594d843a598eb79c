//! Listeners: a row each, as they are now; deleted ones leave their number behind.

mod query;

use domain::ids::ListenerId;
use domain::listener::{Definition, Event};

use crate::Error;
use crate::definitions::{self, Change, View, definition_table};
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

/// A listener as it is now.
pub type ListenerView = View<ListenerId, Definition>;

pub(crate) const MODEL: Model = Model {
    name: "listeners",
    id: "projection.listeners.v1",
    tables: &[TABLE],
    schema: definition_table!("listener_v1"),
    batch: || Box::new(Listeners),
};

const TABLE: &str = "listener_v1";

struct Listeners;

impl Batch for Listeners {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        let Body::Listener(event) = &entry.body else { return Ok(()) };
        let change = match event {
            Event::Created(definition) => Change::Created(definition),
            Event::Updated(definition) => Change::Updated(definition),
            Event::Deleted => Change::Deleted,
        };
        definitions::take(TABLE, "LI", entry, change, target)
    }
}
