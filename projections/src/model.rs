//! What a read model is, and the list of all.
//!
//! A read model owns its tables and its place in the record; none reads another's tables while it is made, so that
//! each can be made anew alone.

use domain::ids::{Position, TenantId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use crate::entry::Entry;
use crate::{
    Error, Page, audit, augments, clients, integrations, listeners, patterns, reactions, sends, sums,
    templates, tenants,
};

/// A read model.
pub(crate) struct Model {
    /// Its name on the command line.
    pub name: &'static str,
    /// The key of its place in the record; carries the version of its shape, and is never renamed.
    pub id: &'static str,
    /// Its tables, without the suffix of a [`Side`].
    pub tables: &'static [&'static str],
    /// What makes them, each name followed by `$`, where the suffix goes. Indexes are made by UNIQUE constraints:
    /// such an index goes with its table when that is renamed.
    pub schema: &'static str,
    /// Begins a batch.
    pub batch: fn() -> Box<dyn Batch>,
}

/// All read models.
pub(crate) const MODELS: [&Model; 10] = [
    &tenants::MODEL,
    &clients::MODEL,
    &patterns::MODEL,
    &templates::MODEL,
    &integrations::MODEL,
    &augments::MODEL,
    &listeners::MODEL,
    &audit::MODEL,
    &reactions::MODEL,
    &sends::MODEL,
];

/// The names of all read models.
pub fn names() -> Vec<&'static str> {
    MODELS.iter().map(|model| model.name).collect()
}

/// A batch of entries on its way into a read model; what is touched often is folded in memory and written once.
pub(crate) trait Batch {
    /// Takes in an entry. It is called once for each, in order.
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error>;

    /// Writes what was folded.
    fn finish(&mut self, target: &Target<'_>) -> Result<(), Error> {
        let _ = target;
        Ok(())
    }
}

/// Which tables: those that are read, or those that are being made beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Live,
    Beside,
}

impl Side {
    /// What follows a table's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Live => "",
            Self::Beside => "_beside",
        }
    }
}

/// The tables of a side, in a transaction.
pub(crate) struct Target<'a> {
    pub connection: &'a Connection,
    pub side: Side,
}

impl Target<'_> {
    fn sql(&self, text: &str) -> String {
        text.replace('$', self.side.suffix())
    }

    /// Runs a statement; in its text, `$` stands for the side's suffix.
    pub fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Error> {
        Ok(self.connection.prepare_cached(&self.sql(sql))?.execute(params)?)
    }

    /// Looks for one row.
    pub fn find<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        Ok(self.connection.prepare_cached(&self.sql(sql))?.query_row(params, read).optional()?)
    }

    /// Makes the tables of a read model, if they are not there.
    pub fn create(&self, model: &Model) -> Result<(), Error> {
        self.connection.execute_batch(&self.sql(model.schema))?;
        let keep = |table| Ok(sums::keep(self.connection, &format!("{table}{}", self.side.suffix()))?);
        model.tables.iter().try_for_each(keep)
    }

    /// Drops the tables of a read model, and its place.
    pub fn drop(&self, model: &Model) -> Result<(), Error> {
        for table in model.tables {
            let table = format!("{table}{}", self.side.suffix());
            self.connection.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
            sums::forget(self.connection, &table)?;
        }
        self.execute(FORGET_PLACE, [self.place_id(model)]).map(|_| ())
    }

    /// Where the read model stands in the record; `None` if it has not begun.
    pub fn place(&self, model: &Model) -> Result<Option<Position>, Error> {
        let position = self.find(PLACE, [self.place_id(model)], |row| row.get(0))?;
        Ok(position.map(Position))
    }

    /// Moves it there, having passed over `erased` more entries of erased customers.
    pub fn move_to(&self, model: &Model, position: Position, erased: u64) -> Result<(), Error> {
        self.execute(MOVE_PLACE, (self.place_id(model), position.0, erased)).map(|_| ())
    }

    fn place_id(&self, model: &Model) -> String {
        format!("{}{}", model.id, self.side.suffix())
    }
}

/// The name of the table of places.
pub(crate) const PLACES_TABLE: &str = "projection_v1";

/// The table of places.
pub(crate) const PLACES: &str = "CREATE TABLE IF NOT EXISTS projection_v1 (
    id TEXT PRIMARY KEY, position INTEGER NOT NULL, erased INTEGER NOT NULL) STRICT, WITHOUT ROWID";
const PLACE: &str = "SELECT position FROM projection_v1 WHERE id = ?1";
const MOVE_PLACE: &str = "INSERT INTO projection_v1 VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET position = excluded.position, erased = erased + excluded.erased";
const FORGET_PLACE: &str = "DELETE FROM projection_v1 WHERE id = ?1";

/// The conditions of a question about a part of a tenant's list.
pub(crate) struct Conditions {
    text: String,
    values: Vec<Value>,
    limit: i64,
}

impl Conditions {
    /// Those of a page of a tenant's.
    pub fn page(tenant: &TenantId, page: Page) -> Self {
        let (before, limit) = page.bounds();
        let values = vec![tenant.0.clone().into(), before.into()];
        Self { text: "tenant = ? AND position < ?".to_owned(), values, limit }
    }

    /// One more, if there is a value for it.
    pub fn and(&mut self, condition: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.text.push_str(" AND ");
            self.text.push_str(condition);
            self.values.push(value);
        }
    }

    /// The question, newest first, and its values in order.
    pub fn newest_first(mut self, columns: &str, table: &str) -> (String, Vec<Value>) {
        self.values.push(self.limit.into());
        let text = self.text;
        (format!("SELECT {columns} FROM {table} WHERE {text} ORDER BY position DESC LIMIT ?"), self.values)
    }
}

/// A word in a row that is none of those that can be there.
pub(crate) fn unknown_word(column: usize, word: &str) -> rusqlite::Error {
    let error = Error::Damaged(format!("unknown word {word:?}"));
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}
