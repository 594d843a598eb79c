//! Tenants' keys in the database, wrapped anew: all of them or none.

use async_trait::async_trait;
use domain::ids::TenantId;
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;

use super::schema::{self, MIGRATING};
use super::{Options, failed};
use crate::crypto::{Rewrap, Wrapped};
use crate::record::Error;

/// The keys of a record, beside the servers on it or in their place. While this is held, no server starts.
pub struct Keys {
    connection: Mutex<PgConnection>,
    is_alone: bool,
}

impl Keys {
    /// Those of a record that is there.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if there is none of this release's format.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        let beside = options.connect.clone().application_name("cxengage keys");
        let mut connection = schema::connect(&beside).await.map_err(failed)?;
        if schema::format(&mut connection).await? != Some(schema::FORMAT) {
            return Err(Error::Unavailable(
                "there is no record of this release's format in the database".into(),
            ));
        }
        // A server that starts waits for this lock before it reads a key.
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATING);
        lock.execute(&mut connection).await.map_err(failed)?;
        let others: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cxengage'",
        )
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
        Ok(Self { connection: Mutex::new(connection), is_alone: others == 0 })
    }
}

#[async_trait]
impl Wrapped for Keys {
    fn is_alone(&self) -> bool {
        self.is_alone
    }

    async fn rewrap(&self, rewrap: Rewrap<'_>) -> Result<u64, Error> {
        let mut connection = self.connection.lock().await;
        let mut transaction = connection.begin().await.map_err(failed)?;
        let keys: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT tenant, wrapped FROM cxengage.keys WHERE customer = '' FOR UPDATE")
                .fetch_all(&mut *transaction)
                .await
                .map_err(failed)?;
        let mut rewrapped = 0;
        for (tenant, old) in &keys {
            let Some(new) = rewrap(&TenantId(tenant.clone()), old)? else { continue };
            sqlx::query("UPDATE cxengage.keys SET wrapped = $2 WHERE tenant = $1 AND customer = ''")
                .bind(tenant)
                .bind(new)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            rewrapped += 1;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(rewrapped)
    }
}
