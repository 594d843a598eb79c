//! What can be asked about clients and tokens.

use domain::ids::{ClientId, TenantId};
use domain::time::Stamp;
use rusqlite::{OptionalExtension, Row};

use super::view::from_json;
use super::{ClientView, TokenView};
use crate::{Error, Views};

const COLUMNS: &str = "SELECT c.id, c.name, c.secret_hash, c.scopes, c.tenants, c.created FROM client_v1 c";

fn read(row: &Row<'_>) -> rusqlite::Result<ClientView> {
    Ok(ClientView {
        id: ClientId(row.get(0)?),
        name: row.get(1)?,
        secret_hash: row.get(2)?,
        scopes: from_json(3, row)?,
        tenants: from_json(4, row)?,
        created: Stamp(row.get(5)?),
    })
}

impl Views {
    /// The client of that id.
    ///
    /// # Errors
    /// The store's.
    pub async fn client(&self, id: &ClientId) -> Result<Option<ClientView>, Error> {
        let id = id.0.clone();
        self.ask(move |connection| {
            let sql = format!("{COLUMNS} WHERE c.id = ?1");
            Ok(connection.prepare_cached(&sql)?.query_row([id], read).optional()?)
        })
        .await
    }

    /// The clients bound to a tenant, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn clients(&self, tenant: &TenantId) -> Result<Vec<ClientView>, Error> {
        let tenant = tenant.0.clone();
        self.ask(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "{COLUMNS} JOIN client_tenant_v1 t ON t.client = c.id WHERE t.tenant = ?1 ORDER BY t.position"
            ))?;
            Ok(statement.query_map([tenant], read)?.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Whether some client has the scope `admin`.
    ///
    /// # Errors
    /// The store's.
    pub async fn has_admin(&self) -> Result<bool, Error> {
        self.ask(|connection| {
            let sql = "SELECT EXISTS (SELECT 1 FROM client_v1, json_each(scopes) WHERE value = 'admin')";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        })
        .await
    }

    /// The token whose SHA-256, as lower-case hex, is `hash`, if its client is still there.
    ///
    /// # Errors
    /// The store's.
    pub async fn token(&self, hash: &str) -> Result<Option<TokenView>, Error> {
        let hash = hash.to_owned();
        self.ask(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT t.client, t.scopes, c.tenants, t.expires
                 FROM token_v1 t JOIN client_v1 c ON c.id = t.client WHERE t.hash = ?1",
            )?;
            let read = |row: &Row<'_>| {
                Ok(TokenView {
                    client: ClientId(row.get(0)?),
                    scopes: from_json(1, row)?,
                    tenants: from_json(2, row)?,
                    expires: Stamp(row.get(3)?),
                })
            };
            Ok(statement.query_row([hash], read).optional()?)
        })
        .await
    }
}
