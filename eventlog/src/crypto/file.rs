//! Files: what a tenant uploads, sealed piece by piece under a key of the tenant's that seals nothing else.
//!
//! A piece is bound to its file and its number: pieces cannot change places, nor stand in for those of another file.

use domain::ids::TenantId;

use super::Vault;
use crate::record::Error;

impl Vault {
    /// Seals a piece of a file.
    ///
    /// # Errors
    /// The record's.
    pub(crate) async fn seal_piece(
        &self,
        tenant: &TenantId,
        file: &str,
        number: u32,
        clear: &[u8],
    ) -> Result<Vec<u8>, Error> {
        Ok(self.tenant(tenant).await?.seal_piece(file, number, clear))
    }

    /// A piece in clear.
    ///
    /// # Errors
    /// The record's; [`Error::Damaged`] if it does not open at this place.
    pub(crate) async fn open_piece(
        &self,
        tenant: &TenantId,
        file: &str,
        number: u32,
        sealed: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let opened = self.tenant(tenant).await?.open_piece(file, number, sealed);
        opened.ok_or_else(|| Error::Damaged(format!("piece {number} of a file of {tenant} does not open")))
    }
}
