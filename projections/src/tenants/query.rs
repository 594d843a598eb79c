//! What can be asked about tenants.

use domain::ids::TenantId;
use domain::time::Stamp;
use rusqlite::{OptionalExtension, Row};

use super::TenantView;
use crate::{Error, Views};

const COLUMNS: &str = "SELECT id, uuid, name, key, version, created FROM tenant_v1";

fn read(row: &Row<'_>) -> rusqlite::Result<TenantView> {
    Ok(TenantView {
        id: TenantId(row.get(0)?),
        uuid: row.get(1)?,
        name: row.get(2)?,
        key_attribute: row.get(3)?,
        version: row.get(4)?,
        created: Stamp(row.get(5)?),
    })
}

impl Views {
    /// The tenant of that id.
    ///
    /// # Errors
    /// The store's.
    pub async fn tenant(&self, id: &TenantId) -> Result<Option<TenantView>, Error> {
        self.one_tenant("id", id.0.clone()).await
    }

    /// The tenant of that uuid, written in lower case with hyphens.
    ///
    /// # Errors
    /// The store's.
    pub async fn tenant_by_uuid(&self, uuid: &str) -> Result<Option<TenantView>, Error> {
        self.one_tenant("uuid", uuid.to_owned()).await
    }

    /// All tenants, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn tenants(&self) -> Result<Vec<TenantView>, Error> {
        self.ask(|connection| {
            let mut statement = connection.prepare_cached(&format!("{COLUMNS} ORDER BY position"))?;
            Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    async fn one_tenant(&self, column: &'static str, value: String) -> Result<Option<TenantView>, Error> {
        self.ask(move |connection| {
            let sql = format!("{COLUMNS} WHERE {column} = ?1");
            Ok(connection.prepare_cached(&sql)?.query_row([value], read).optional()?)
        })
        .await
    }
}
