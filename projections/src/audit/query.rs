//! What can be asked of the audit trail.

use domain::ids::{Position, TenantId};
use domain::time::Stamp;
use rusqlite::Row;

use super::{AuditEntry, ChangeKind};
use crate::{Error, Page, Views};

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let kind: String = row.get(1)?;
    Ok(AuditEntry {
        position: Position(row.get(0)?),
        kind: ChangeKind::from_name(&kind).ok_or_else(|| crate::model::unknown_word(1, &kind))?,
        resource: row.get(2)?,
        id: row.get(3)?,
        at: Stamp(row.get(4)?),
        by: row.get(5)?,
        before: row.get(6)?,
        after: row.get(7)?,
    })
}

impl Views {
    /// A tenant's audit trail, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn audit(&self, tenant: &TenantId, page: Page) -> Result<Vec<AuditEntry>, Error> {
        let tenant = tenant.0.clone();
        self.ask(move |connection| {
            let (before, limit) = page.bounds();
            let mut statement = connection.prepare_cached(
                "SELECT position, kind, resource, id, at, author, before, after FROM audit_v1
                 WHERE tenant = ?1 AND position < ?2 ORDER BY position DESC LIMIT ?3",
            )?;
            Ok(statement.query_map((tenant, before, limit), read)?.collect::<Result<_, _>>()?)
        })
        .await
    }
}
