//! Augments: a row each, as they are now; deleted ones leave their number behind.

mod query;

use domain::augment::{Definition, Event};
use domain::ids::AugmentId;

use crate::Error;
use crate::definitions::{self, Change, View, definition_table};
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

/// An augment as it is now.
pub type AugmentView = View<AugmentId, Definition>;

pub(crate) const MODEL: Model = Model {
    name: "augments",
    id: "projection.augments.v1",
    tables: &[TABLE],
    schema: definition_table!("augment_v1"),
    batch: || Box::new(Augments),
};

const TABLE: &str = "augment_v1";

struct Augments;

impl Batch for Augments {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        let Body::Augment(event) = &entry.body else { return Ok(()) };
        let change = match event {
            Event::Created(definition) => Change::Created(definition),
            Event::Updated(definition) | Event::FileSet(definition) | Event::FileDeleted(definition) => {
                Change::Updated(definition)
            }
            Event::Deleted => Change::Deleted,
        };
        definitions::take(TABLE, "AU", entry, change, target)
    }
}
