//! Tenants' keys in `log.db`, wrapped anew: all of them or none.

use std::path::Path;

use async_trait::async_trait;
use domain::ids::TenantId;
use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Mutex;

use super::{FolderLock, LOG_FILE, failed, schema};
use crate::crypto::{Rewrap, Wrapped};
use crate::record::Error;

/// The keys of a record, beside a server on its folder or in its place.
pub struct Keys {
    connection: Mutex<Connection>,
    /// If no server has the folder: until this is dropped, none starts.
    lock: Option<FolderLock>,
}

impl Keys {
    /// Those of a record that is there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if there is none; [`Error::Format`] if it is of another release.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let lock = match FolderLock::take(folder) {
            Ok(lock) => Some(lock),
            Err(Error::Locked(_)) => None,
            Err(error) => return Err(error),
        };
        let connection = schema::open_beside(&folder.join(LOG_FILE))?;
        Ok(Self { connection: Mutex::new(connection), lock })
    }
}

#[async_trait]
impl Wrapped for Keys {
    fn is_alone(&self) -> bool {
        self.lock.is_some()
    }

    async fn rewrap(&self, rewrap: Rewrap<'_>) -> Result<u64, Error> {
        let mut connection = self.connection.lock().await;
        let rewrapped = all(&mut connection, rewrap)?;
        if !schema::empty_log(&connection).map_err(failed)? {
            tracing::info!("keys as they were are still in the write-ahead log, which a reader holds");
        }
        Ok(rewrapped)
    }
}

fn all(connection: &mut Connection, rewrap: Rewrap<'_>) -> Result<u64, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let wrapped = wrapped(&transaction).map_err(failed)?;
    let mut rewrapped = 0;
    for (tenant, old) in &wrapped {
        if let Some(new) = rewrap(tenant, old)? {
            // As long as the old one, so it takes its place.
            let update = "UPDATE wrapped SET bytes = ?2 WHERE place = \
                          (SELECT place FROM keys WHERE tenant = ?1 AND customer = x'')";
            transaction.execute(update, (tenant.as_str(), new)).map_err(failed)?;
            rewrapped += 1;
        }
    }
    transaction.commit().map_err(failed)?;
    Ok(rewrapped)
}

fn wrapped(connection: &Connection) -> rusqlite::Result<Vec<(TenantId, Vec<u8>)>> {
    let mut select = connection
        .prepare("SELECT tenant, bytes FROM keys JOIN wrapped USING (place) WHERE customer = x''")?;
    let rows = select.query_map([], |row| Ok((TenantId(row.get(0)?), row.get(1)?)))?;
    rows.collect()
}
