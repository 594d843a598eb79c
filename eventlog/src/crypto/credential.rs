//! Credentials: what a tenant's integrations hold in secret, sealed under a key of the tenant's that seals nothing else.
//!
//! A credential is bound to its place (`twilio/password`): moved to another one, or to another tenant, it does not
//! open. It is not bound to a version, since what a client leaves masked is kept as it was sealed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::ids::TenantId;
use domain::integration::Sealed;
use zeroize::Zeroizing;

use super::Vault;
use crate::record::Error;

impl Vault {
    /// Seals a credential for its place.
    ///
    /// # Errors
    /// The record's.
    pub async fn seal_credential(
        &self,
        tenant: &TenantId,
        place: &str,
        clear: &str,
    ) -> Result<Sealed, Error> {
        let keys = self.tenant(tenant).await?;
        Ok(Sealed(STANDARD.encode(keys.seal_credential(place, clear))))
    }

    /// The secret part of the address to which a third party sends its receipts: the same as long as the tenant's key
    /// is, in hexadecimal.
    ///
    /// # Errors
    /// The record's.
    pub async fn receipt_secret(&self, tenant: &TenantId, third_party: &str) -> Result<String, Error> {
        let secret = self.tenant(tenant).await?.receipt_secret(third_party);
        Ok(hex::encode(secret))
    }

    /// A credential in clear; wiped from memory when it is let go of.
    ///
    /// # Errors
    /// The record's; [`Error::Damaged`] if it does not open at this place.
    pub async fn open_credential(
        &self,
        tenant: &TenantId,
        place: &str,
        sealed: &Sealed,
    ) -> Result<Zeroizing<String>, Error> {
        let keys = self.tenant(tenant).await?;
        let opened = STANDARD.decode(&sealed.0).ok().and_then(|sealed| keys.open_credential(place, &sealed));
        opened.ok_or_else(|| Error::Damaged(format!("the credential {place} of {tenant} does not open")))
    }
}
