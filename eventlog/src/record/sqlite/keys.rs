//! Tenants' keys in `log.db`, wrapped anew: all of them or none.

use async_trait::async_trait;
use domain::ids::TenantId;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::SqliteRecord;
use crate::crypto::{Rewrap, Wrapped};
use crate::record::{Error, Record};

#[async_trait]
impl Wrapped for SqliteRecord {
    async fn mark(&self) -> Result<Option<Vec<u8>>, Error> {
        self.key(&TenantId(String::new()), None).await
    }

    async fn rewrap(&self, rewrap: Rewrap) -> Result<u64, Error> {
        let (tell, told) = oneshot::channel();
        let statement = move |connection: &Connection| {
            // What was there must not stay readable in the file.
            connection.pragma_update(None, "secure_delete", true)?;
            let rewrapped = all(connection, &rewrap)?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            // Whoever asked waits for the statement first.
            let _ = tell.send(rewrapped);
            Ok(())
        };
        self.writer()?.beside(Box::new(statement)).await?;
        let rewrapped = told.await.map_err(|_| Error::Unavailable("the writer has stopped".into()))?;
        rewrapped.ok_or(Error::MasterKey)
    }
}

fn all(connection: &Connection, rewrap: &Rewrap) -> rusqlite::Result<Option<u64>> {
    let transaction = connection.unchecked_transaction()?;
    let wrapped: Vec<(TenantId, Vec<u8>)> = {
        let mut select = transaction.prepare("SELECT tenant, wrapped FROM keys WHERE customer = x''")?;
        let rows = select.query_map([], |row| Ok((TenantId(row.get(0)?), row.get(1)?)))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    {
        let mut update =
            transaction.prepare("UPDATE keys SET wrapped = ?2 WHERE tenant = ?1 AND customer = x''")?;
        for (tenant, old) in &wrapped {
            let Some(new) = rewrap(tenant, old) else { return Ok(None) };
            update.execute((tenant.as_str(), new))?;
        }
    }
    transaction.commit()?;
    Ok(Some(wrapped.len() as u64))
}
