//! Templates: a row each, as they are now; deleted ones leave their number behind.

mod query;

use domain::ids::TemplateId;
use domain::template::{Definition, Event};

use crate::Error;
use crate::definitions::{self, Change, View, definition_table};
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

/// A template as it is now.
pub type TemplateView = View<TemplateId, Definition>;

pub(crate) const MODEL: Model = Model {
    name: "templates",
    id: "projection.templates.v1",
    tables: &[TABLE],
    schema: definition_table!("template_v1"),
    batch: || Box::new(Templates),
};

const TABLE: &str = "template_v1";

struct Templates;

impl Batch for Templates {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        let Body::Template(event) = &entry.body else { return Ok(()) };
        let change = match event {
            Event::Created(definition) => Change::Created(definition),
            Event::Updated(definition) => Change::Updated(definition),
            Event::Deleted => Change::Deleted,
        };
        definitions::take(TABLE, "TM", entry, change, target)
    }
}
