//! What patterns, templates, augments and listeners have in common: a definition that is replaced whole, under a number never used again.
//!
//! A deleted one leaves its number behind.

use domain::ids::{Position, TenantId};
use domain::time::Stamp;
use rusqlite::{OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::entry::Entry;
use crate::model::Target;
use crate::{Error, Views};

/// The columns of such a table.
macro_rules! definition_table {
    ($name:literal) => {
        concat!(
            "CREATE TABLE IF NOT EXISTS ",
            $name,
            "$ (tenant TEXT NOT NULL, id TEXT NOT NULL, number INTEGER, definition TEXT,
            version INTEGER NOT NULL, position INTEGER NOT NULL, created_at INTEGER NOT NULL,
            created INTEGER NOT NULL, PRIMARY KEY (tenant, id), UNIQUE (tenant, created_at),
            UNIQUE (tenant, number)) STRICT, WITHOUT ROWID"
        )
    };
}
pub(crate) use definition_table;

/// What has a definition, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<Id, Definition> {
    /// Its id.
    pub id: Id,
    /// The definition in force.
    pub definition: Definition,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
    /// The position of the last of them, which has this definition.
    pub position: Position,
    /// When it was made.
    pub created: Stamp,
}

/// What becomes of a definition.
pub(crate) enum Change<'a, D> {
    Created(&'a D),
    Updated(&'a D),
    Deleted,
}

/// Writes a change into `table`, whose ids are `prefix` and a number.
pub(crate) fn take<D: Serialize>(
    table: &str,
    prefix: &str,
    entry: &Entry,
    change: Change<'_, D>,
    target: &Target<'_>,
) -> Result<(), Error> {
    let (tenant, position) = (entry.tenant.as_str(), entry.position.0);
    let text = match &change {
        Change::Created(definition) | Change::Updated(definition) => Some(to_json(definition)?),
        Change::Deleted => None,
    };
    match change {
        Change::Created(_) => {
            let number: Option<i64> = entry.id.strip_prefix(prefix).and_then(|digits| digits.parse().ok());
            target.execute(
                &format!("INSERT INTO {table}$ VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)"),
                (tenant, &entry.id, number, text, entry.version, position, entry.stamp.0),
            )
        }
        Change::Updated(_) | Change::Deleted => target.execute(
            &format!(
                "UPDATE {table}$ SET definition = ?3, version = ?4, position = ?5 WHERE tenant = ?1 AND id = ?2"
            ),
            (tenant, &entry.id, text, entry.version, position),
        ),
    }
    .map(|_| ())
}

fn to_json(definition: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(definition).map_err(|error| Error::Damaged(error.to_string()))
}

fn read<Id: From<String>, D: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<View<Id, D>> {
    let text: String = row.get(1)?;
    let definition = serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(View {
        id: row.get::<_, String>(0)?.into(),
        definition,
        version: row.get(2)?,
        position: Position(row.get(3)?),
        created: Stamp(row.get(4)?),
    })
}

const COLUMNS: &str = "SELECT id, definition, version, position, created FROM";

/// What is asked about each kind of them, by its table.
impl Views {
    /// One of a tenant's.
    pub(crate) async fn defined<Id, D>(
        &self,
        table: &str,
        tenant: &TenantId,
        id: &str,
    ) -> Result<Option<View<Id, D>>, Error>
    where
        Id: From<String> + Send + 'static,
        D: DeserializeOwned + Send + 'static,
    {
        let sql = format!("{COLUMNS} {table} WHERE tenant = ?1 AND id = ?2 AND definition IS NOT NULL");
        let (tenant, id) = (tenant.clone(), id.to_owned());
        self.ask(move |connection| {
            Ok(connection.prepare_cached(&sql)?.query_row((tenant.as_str(), id), read).optional()?)
        })
        .await
    }

    /// All of a tenant's, in order of creation.
    pub(crate) async fn all_defined<Id, D>(
        &self,
        table: &str,
        tenant: &TenantId,
    ) -> Result<Vec<View<Id, D>>, Error>
    where
        Id: From<String> + Send + 'static,
        D: DeserializeOwned + Send + 'static,
    {
        let sql =
            format!("{COLUMNS} {table} WHERE tenant = ?1 AND definition IS NOT NULL ORDER BY created_at");
        let tenant = tenant.clone();
        self.ask(move |connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_map([tenant.as_str()], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// The last number that a tenant used, deleted ones included; 0 if it used none.
    pub(crate) async fn last_number(&self, table: &str, tenant: &TenantId) -> Result<u64, Error> {
        let sql = format!("SELECT COALESCE(MAX(number), 0) FROM {table} WHERE tenant = ?1");
        let tenant = tenant.clone();
        self.ask(move |connection| {
            Ok(connection.prepare_cached(&sql)?.query_row([tenant.as_str()], |row| row.get(0))?)
        })
        .await
    }
}
