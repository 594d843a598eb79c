//! Files in the database: every server reads what any of them took in.

use async_trait::async_trait;
use domain::ids::TenantId;
use domain::time::Stamp;

use super::{PostgresRecord, failed};
use crate::files::Files;
use crate::record::{Error, Record};

#[async_trait]
impl Files for PostgresRecord {
    async fn put_piece(
        &self,
        tenant: &TenantId,
        file: &str,
        number: u32,
        sealed: Vec<u8>,
    ) -> Result<(), Error> {
        self.writer()?;
        sqlx::query("INSERT INTO cxengage.pieces VALUES ($1, $2, $3, $4, $5)")
            .bind(tenant.as_str())
            .bind(file)
            .bind(i64::from(number))
            .bind(self.now().0)
            .bind(sealed)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn piece(&self, tenant: &TenantId, file: &str, number: u32) -> Result<Option<Vec<u8>>, Error> {
        sqlx::query_scalar(
            "SELECT sealed FROM cxengage.pieces WHERE tenant = $1 AND file = $2 AND number = $3",
        )
        .bind(tenant.as_str())
        .bind(file)
        .bind(i64::from(number))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)
    }

    async fn drop_file(&self, tenant: &TenantId, file: &str) -> Result<(), Error> {
        self.writer()?;
        sqlx::query("DELETE FROM cxengage.pieces WHERE tenant = $1 AND file = $2")
            .bind(tenant.as_str())
            .bind(file)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn files_before(&self, time: Stamp) -> Result<Vec<(TenantId, String)>, Error> {
        let found: Vec<(String, String)> =
            sqlx::query_as("SELECT tenant, file FROM cxengage.pieces WHERE number = 0 AND stamp < $1")
                .bind(time.0)
                .fetch_all(&self.pool)
                .await
                .map_err(failed)?;
        Ok(found.into_iter().map(|(tenant, file)| (TenantId(tenant), file)).collect())
    }
}
