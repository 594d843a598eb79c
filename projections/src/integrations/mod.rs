//! Integrations: a row each, as they are now. Secrets are in it as the record has them: sealed.

mod query;
mod view;

use domain::integration::Event;

pub use view::IntegrationView;

use crate::Error;
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

pub(crate) const MODEL: Model = Model {
    name: "integrations",
    id: "projection.integrations.v1",
    tables: &["integration_v1"],
    schema: "CREATE TABLE IF NOT EXISTS integration_v1$ (
        tenant TEXT NOT NULL, kind TEXT NOT NULL, definition TEXT, version INTEGER NOT NULL,
        created_at INTEGER NOT NULL, created INTEGER NOT NULL, created_by TEXT, updated INTEGER NOT NULL,
        updated_by TEXT, PRIMARY KEY (tenant, kind), UNIQUE (tenant, created_at)) STRICT, WITHOUT ROWID",
    batch: || Box::new(Integrations),
};

/// One that is set up again after a delete is a new one.
const SET: &str = "INSERT INTO integration_v1$ VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, ?7)
    ON CONFLICT (tenant, kind) DO UPDATE SET definition = excluded.definition, version = excluded.version,
        updated = excluded.updated, updated_by = excluded.updated_by,
        created_at = iif(definition IS NULL, excluded.created_at, created_at),
        created = iif(definition IS NULL, excluded.created, created),
        created_by = iif(definition IS NULL, excluded.created_by, created_by)";

/// Its version stays: the next one's goes on from it.
const DELETE: &str =
    "UPDATE integration_v1$ SET definition = NULL, version = ?3 WHERE tenant = ?1 AND kind = ?2";

struct Integrations;

impl Batch for Integrations {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        let Body::Integration(event) = &entry.body else { return Ok(()) };
        let (tenant, id) = (entry.tenant.as_str(), entry.id.as_str());
        match event {
            Event::Set(definition) => {
                let text =
                    serde_json::to_string(definition).map_err(|error| Error::Damaged(error.to_string()))?;
                let (position, stamp) = (entry.position.0, entry.stamp.0);
                target.execute(SET, (tenant, id, text, entry.version, position, stamp, &entry.by))
            }
            Event::Deleted => target.execute(DELETE, (tenant, id, entry.version)),
        }
        .map(|_| ())
    }
}
