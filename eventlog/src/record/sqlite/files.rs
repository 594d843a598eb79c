//! Files in `log.db`: written by the one writer, read like everything else.

use async_trait::async_trait;
use domain::ids::TenantId;
use domain::time::Stamp;
use rusqlite::{Connection, OptionalExtension};

use super::{SqliteRecord, failed};
use crate::files::Files;
use crate::record::{Error, Record};

/// Keeps a piece.
pub(super) fn put(
    connection: &Connection,
    tenant: &TenantId,
    file: &str,
    (number, stamp): (u32, Stamp),
    sealed: &[u8],
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO files VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.prepare_cached(sql)?.execute((tenant.as_str(), file, number, stamp.0, sealed)).map(drop)
}

/// Lets a file go.
pub(super) fn drop_file(connection: &Connection, tenant: &TenantId, file: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM files WHERE tenant = ?1 AND file = ?2";
    connection.prepare_cached(sql)?.execute((tenant.as_str(), file)).map(drop)
}

#[async_trait]
impl Files for SqliteRecord {
    async fn put_piece(
        &self,
        tenant: &TenantId,
        file: &str,
        number: u32,
        sealed: Vec<u8>,
    ) -> Result<(), Error> {
        let (tenant, file, now) = (tenant.clone(), file.to_owned(), self.now());
        let put = move |connection: &Connection| put(connection, &tenant, &file, (number, now), &sealed);
        self.writer()?.beside(Box::new(put)).await
    }

    async fn piece(&self, tenant: &TenantId, file: &str, number: u32) -> Result<Option<Vec<u8>>, Error> {
        let (tenant, file) = (tenant.clone(), file.to_owned());
        let sql = "SELECT sealed FROM files WHERE tenant = ?1 AND file = ?2 AND number = ?3";
        let query = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let row = statement.query_row((tenant.as_str(), file, number), |row| row.get(0));
            row.optional().map_err(failed)
        };
        self.readers.read(query).await
    }

    async fn drop_file(&self, tenant: &TenantId, file: &str) -> Result<(), Error> {
        let (tenant, file) = (tenant.clone(), file.to_owned());
        let drop = move |connection: &Connection| drop_file(connection, &tenant, &file);
        self.writer()?.beside(Box::new(drop)).await
    }

    async fn files_before(&self, time: Stamp) -> Result<Vec<(TenantId, String)>, Error> {
        let sql = "SELECT tenant, file FROM files WHERE number = 0 AND stamp < ?1";
        let query = move |connection: &Connection| {
            let mut statement = connection.prepare_cached(sql).map_err(failed)?;
            let rows = statement.query_map([time.0], |row| Ok((TenantId(row.get(0)?), row.get(1)?)));
            rows.map_err(failed)?.collect::<Result<_, _>>().map_err(failed)
        };
        self.readers.read(query).await
    }
}
