//! Where providers send their receipts: below the operator's public URL, with a part that only they are told.

use std::sync::Arc;

use domain::ids::TenantId;
use domain::integration::Kind;
use eventlog::crypto::Vault;
use eventlog::record;

use super::gives;
use crate::endpoint::http::Url;
use crate::endpoint::provider::call::{query, segment};

/// Where this server is reached from outside: the operator's `--public-url`, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Public(String);

impl Public {
    /// Reads one.
    ///
    /// # Errors
    /// Why it cannot be one, for a person.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        let uri = url.uri();
        if text.contains(['?', '#']) {
            return Err("it must have neither a query nor a fragment".to_owned());
        }
        if uri.host().is_some_and(|host| host.contains('_')) {
            return Err("its host must have no underscore: Twilio takes no such address".to_owned());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

/// The addresses for receipts.
#[derive(Clone)]
pub struct Addresses {
    public: Public,
    vault: Arc<Vault>,
}

impl Addresses {
    /// Those below a public URL.
    pub fn new(public: Public, vault: Arc<Vault>) -> Self {
        Self { public, vault }
    }

    /// The address of a tenant's third party.
    ///
    /// # Errors
    /// The record's.
    pub async fn of(&self, tenant: &TenantId, kind: Kind) -> Result<String, record::Error> {
        let secret = self.vault.receipt_secret(tenant, kind.name()).await?;
        // A tenant's id is safe in a path; one that is not would be no tenant's.
        let tenant = segment("tenant", tenant.as_str()).map_err(record::Error::Malformed)?;
        Ok(format!("{}/1.0/receipts/{tenant}/{}/{secret}", self.public.0, kind.name()))
    }

    /// The same for one send, if the third party gives receipts.
    ///
    /// # Errors
    /// The record's.
    pub(crate) async fn of_send(
        &self,
        tenant: &TenantId,
        kind: Kind,
        key: &str,
    ) -> Result<Option<String>, record::Error> {
        if !gives(kind) {
            return Ok(None);
        }
        Ok(Some(for_send(&self.of(tenant, kind).await?, key)))
    }
}

/// An address with what says which send it is for.
pub(super) fn for_send(address: &str, key: &str) -> String {
    format!("{address}?send={}", query(key))
}
