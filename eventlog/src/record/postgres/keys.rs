//! Tenants' keys in the database, wrapped anew while no server runs: all of them or none.

use async_trait::async_trait;
use domain::ids::TenantId;
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;

use super::schema::{self, MIGRATING};
use super::{Options, failed};
use crate::crypto::{Rewrap, Wrapped};
use crate::record::Error;

/// The keys of a record that no server has open. While this is held, none starts.
pub struct KeysAlone(Mutex<PgConnection>);

impl KeysAlone {
    /// Takes them.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a server runs on the database, or there is no record in it.
    pub async fn take(options: &Options) -> Result<Self, Error> {
        let alone = options.connect.clone().application_name("cxengage keys");
        let mut connection = schema::connect(&alone).await.map_err(failed)?;
        if schema::format(&mut connection).await? != Some(schema::FORMAT) {
            return Err(Error::Unavailable(
                "there is no record of this release's format in the database".into(),
            ));
        }
        // A server that starts waits for this lock before it reads a key.
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(MIGRATING);
        lock.execute(&mut connection).await.map_err(failed)?;
        let servers: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'cxengage'",
        )
        .fetch_one(&mut connection)
        .await
        .map_err(failed)?;
        match servers {
            0 => Ok(Self(Mutex::new(connection))),
            _ => Err(Error::Unavailable(format!(
                "a server or a command is using the database ({servers} connections): stop all of them first"
            ))),
        }
    }
}

#[async_trait]
impl Wrapped for KeysAlone {
    async fn mark(&self) -> Result<Option<Vec<u8>>, Error> {
        let statement = "SELECT wrapped FROM cxengage.keys WHERE tenant = '' AND customer = ''";
        sqlx::query_scalar(statement).fetch_optional(&mut *self.0.lock().await).await.map_err(failed)
    }

    async fn rewrap(&self, rewrap: Rewrap) -> Result<u64, Error> {
        let mut connection = self.0.lock().await;
        let mut transaction = connection.begin().await.map_err(failed)?;
        let keys: Vec<(String, Vec<u8>)> =
            sqlx::query_as("SELECT tenant, wrapped FROM cxengage.keys WHERE customer = '' FOR UPDATE")
                .fetch_all(&mut *transaction)
                .await
                .map_err(failed)?;
        for (tenant, old) in &keys {
            let new = rewrap(&TenantId(tenant.clone()), old).ok_or(Error::MasterKey)?;
            sqlx::query("UPDATE cxengage.keys SET wrapped = $2 WHERE tenant = $1 AND customer = ''")
                .bind(tenant)
                .bind(new)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(keys.len() as u64)
    }
}
