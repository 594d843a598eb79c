//! Clients that may use the API, and the tokens that they were given.
//!
//! A deleted client is gone, and with it every token: a token counts only together with its client.

mod query;
mod view;

use domain::client::{Event, TokenIssued};
use domain::ids::TenantId;

pub use view::{ClientView, TokenView};

use crate::Error;
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

pub(crate) const MODEL: Model = Model {
    name: "clients",
    id: "projection.clients.v1",
    tables: &["client_v1", "client_tenant_v1", "token_v1"],
    schema: "CREATE TABLE IF NOT EXISTS client_v1$ (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, secret_hash TEXT NOT NULL, scopes TEXT NOT NULL,
        tenants TEXT NOT NULL, position INTEGER NOT NULL UNIQUE, created INTEGER NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS client_tenant_v1$ (
        tenant TEXT NOT NULL, position INTEGER NOT NULL, client TEXT NOT NULL,
        PRIMARY KEY (tenant, position), UNIQUE (client, tenant)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS token_v1$ (
        hash TEXT PRIMARY KEY, client TEXT NOT NULL, scopes TEXT NOT NULL, expires INTEGER NOT NULL,
        UNIQUE (expires, hash)) STRICT, WITHOUT ROWID",
    batch: || Box::new(Clients),
};

struct Clients;

impl Batch for Clients {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        match &entry.body {
            Body::Client(Event::Created { name, secret_hash, scopes, tenants }) => {
                target.execute(
                    "INSERT INTO client_v1$ VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    (
                        &entry.id,
                        name,
                        secret_hash,
                        view::to_json(scopes)?,
                        view::to_json(tenants)?,
                        entry.position.0,
                        entry.stamp.0,
                    ),
                )?;
                bind(entry, tenants, target)
            }
            Body::Client(Event::Deleted) => {
                target.execute("DELETE FROM client_v1$ WHERE id = ?1", [&entry.id])?;
                target.execute("DELETE FROM client_tenant_v1$ WHERE client = ?1", [&entry.id]).map(|_| ())
            }
            Body::Token(TokenIssued { client, scopes, expires }) => {
                // Those that have expired by now go: how many there are is bounded by how many are in use.
                target.execute("DELETE FROM token_v1$ WHERE expires <= ?1", [entry.stamp.0])?;
                let row = (&entry.id, client.as_str(), view::to_json(scopes)?, expires.0);
                target.execute("INSERT OR REPLACE INTO token_v1$ VALUES (?1, ?2, ?3, ?4)", row).map(|_| ())
            }
            _ => Ok(()),
        }
    }
}

fn bind(entry: &Entry, tenants: &[TenantId], target: &Target<'_>) -> Result<(), Error> {
    tenants.iter().try_for_each(|tenant| {
        let row = (tenant.as_str(), entry.position.0, &entry.id);
        target.execute("INSERT OR IGNORE INTO client_tenant_v1$ VALUES (?1, ?2, ?3)", row).map(|_| ())
    })
}
