//! Patterns: a row each, as they are now; deleted ones leave their number behind.

mod query;

use domain::ids::PatternId;
use domain::pattern::{Definition, Event};

use crate::Error;
use crate::definitions::{self, Change, View, definition_table};
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

/// A pattern as it is now.
pub type PatternView = View<PatternId, Definition>;

pub(crate) const MODEL: Model = Model {
    name: "patterns",
    id: "projection.patterns.v1",
    tables: &[TABLE],
    schema: definition_table!("pattern_v1"),
    batch: || Box::new(Patterns),
};

const TABLE: &str = "pattern_v1";

struct Patterns;

impl Batch for Patterns {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        let Body::Pattern(event) = &entry.body else { return Ok(()) };
        let change = match event {
            Event::Created(definition) => Change::Created(definition),
            Event::Updated(definition) => Change::Updated(definition),
            Event::Deleted => Change::Deleted,
        };
        definitions::take(TABLE, "PT", entry, change, target)
    }
}
