//! What can be asked about integrations.

use domain::ids::TenantId;
use domain::integration::Kind;
use domain::time::Stamp;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row};

use super::IntegrationView;
use crate::model::unknown_word;
use crate::{Error, Views};

const COLUMNS: &str = "SELECT kind, definition, version, created, created_by, updated, updated_by
    FROM integration_v1 WHERE tenant = ?1 AND definition IS NOT NULL";

fn read(row: &Row<'_>) -> rusqlite::Result<IntegrationView> {
    let (kind, definition): (String, String) = (row.get(0)?, row.get(1)?);
    Ok(IntegrationView {
        kind: Kind::from_name(&kind).ok_or_else(|| unknown_word(0, &kind))?,
        definition: serde_json::from_str(&definition)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))?,
        version: row.get(2)?,
        created: Stamp(row.get(3)?),
        created_by: row.get(4)?,
        updated: Stamp(row.get(5)?),
        updated_by: row.get(6)?,
    })
}

impl Views {
    /// A tenant's integration of a type.
    ///
    /// # Errors
    /// The store's.
    pub async fn integration(&self, tenant: &TenantId, kind: Kind) -> Result<Option<IntegrationView>, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| {
            let mut statement = connection.prepare_cached(&format!("{COLUMNS} AND kind = ?2"))?;
            Ok(statement.query_row((tenant.as_str(), kind.name()), read).optional()?)
        })
        .await
    }

    /// A tenant's integrations, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn integrations(&self, tenant: &TenantId) -> Result<Vec<IntegrationView>, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| {
            let mut statement = connection.prepare_cached(&format!("{COLUMNS} ORDER BY created_at"))?;
            Ok(statement.query_map([tenant.as_str()], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }
}
