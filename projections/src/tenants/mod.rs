//! Tenants: a row each, as they are now.

mod query;
mod view;

use domain::tenant::Event;

pub use view::TenantView;

use crate::Error;
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

pub(crate) const MODEL: Model = Model {
    name: "tenants",
    id: "projection.tenants.v1",
    tables: &["tenant_v1"],
    schema: "CREATE TABLE IF NOT EXISTS tenant_v1$ (
        id TEXT PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL, key TEXT,
        version INTEGER NOT NULL, position INTEGER NOT NULL UNIQUE, created INTEGER NOT NULL) STRICT",
    batch: || Box::new(Tenants),
};

struct Tenants;

impl Batch for Tenants {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        let Body::Tenant(event) = &entry.body else { return Ok(()) };
        match event {
            Event::Created { name, uuid } => target.execute(
                "INSERT INTO tenant_v1$ VALUES (?1, ?2, ?3, NULL, ?4, ?5, ?6)",
                (&entry.id, uuid, name, entry.version, entry.position.0, entry.stamp.0),
            )?,
            Event::KeyAttributeSet { key } => target.execute(
                "UPDATE tenant_v1$ SET key = ?2, version = ?3 WHERE id = ?1",
                (&entry.id, key, entry.version),
            )?,
        };
        Ok(())
    }
}
