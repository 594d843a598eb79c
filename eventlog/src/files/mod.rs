//! Files: content that is too long for an entry of the record and need not be kept for ever.
//!
//! They are kept in pieces, sealed, in the record's own database: one folder to back up, one fsync to trust. What is
//! in force is said by the record alone (an augment's event names its file); a file that no entry names is litter
//! of an upload that did not come to its end. See docs/decisions/0008-augments.md.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ids::TenantId;
use domain::time::Stamp;

use crate::crypto::Vault;
use crate::record::Error;

/// How long a piece is, in bytes; the last one of a file may be shorter.
pub const PIECE: usize = 1 << 20;

/// Where pieces are kept. Both homes of the record are one.
#[async_trait]
pub trait Files: Send + Sync + 'static {
    /// Keeps a piece of a file: committed and fsynced when this returns.
    async fn put_piece(
        &self,
        tenant: &TenantId,
        file: &str,
        number: u32,
        sealed: Vec<u8>,
    ) -> Result<(), Error>;

    /// A piece; none if the file has no such piece, or is gone.
    async fn piece(&self, tenant: &TenantId, file: &str, number: u32) -> Result<Option<Vec<u8>>, Error>;

    /// Lets a file go, with all its pieces.
    async fn drop_file(&self, tenant: &TenantId, file: &str) -> Result<(), Error>;

    /// The files whose first piece was kept before that time.
    async fn files_before(&self, time: Stamp) -> Result<Vec<(TenantId, String)>, Error>;
}

/// Files in clear: sealed on their way in, opened on their way out.
#[derive(Clone)]
pub struct FileStore {
    files: Arc<dyn Files>,
    vault: Arc<Vault>,
}

impl FileStore {
    /// A store of files under the tenants' keys.
    pub fn new(files: Arc<dyn Files>, vault: Arc<Vault>) -> Self {
        Self { files, vault }
    }

    /// Begins a new file.
    pub fn create(&self, tenant: &TenantId) -> Writer {
        let id = hex::encode(rand::random::<[u8; 16]>());
        Writer { store: self.clone(), tenant: tenant.clone(), id, pending: Vec::new(), pieces: 0, bytes: 0 }
    }

    /// A piece of a file, in clear; none behind its last one.
    ///
    /// # Errors
    /// The record's; [`Error::Damaged`] if it does not open at its place.
    pub async fn piece(&self, tenant: &TenantId, file: &str, number: u32) -> Result<Option<Vec<u8>>, Error> {
        let Some(sealed) = self.files.piece(tenant, file, number).await? else { return Ok(None) };
        self.vault.open_piece(tenant, file, number, &sealed).await.map(Some)
    }

    /// Lets a file go. One that cannot be let go of now is litter, and swept up later.
    pub async fn let_go(&self, tenant: &TenantId, file: &str) {
        if let Err(error) = self.files.drop_file(tenant, file).await {
            tracing::warn!(tenant.id = %tenant, %error, "a file could not be let go of");
        }
    }

    /// Lets go of the files that were begun before a time and that `is_in_force` does not know.
    ///
    /// # Errors
    /// The record's.
    pub async fn sweep(
        &self,
        before: Stamp,
        mut is_in_force: impl FnMut(&TenantId, &str) -> bool,
    ) -> Result<(), Error> {
        for (tenant, file) in self.files.files_before(before).await? {
            if !is_in_force(&tenant, &file) {
                self.files.drop_file(&tenant, &file).await?;
            }
        }
        Ok(())
    }
}

/// A file on its way in: holds one piece at a time.
pub struct Writer {
    store: FileStore,
    tenant: TenantId,
    id: String,
    pending: Vec<u8>,
    pieces: u32,
    bytes: u64,
}

impl Writer {
    /// Takes the next bytes in.
    ///
    /// # Errors
    /// The record's.
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.pending.len()));
            self.pending.extend_from_slice(now);
            bytes = later;
            if self.pending.len() == PIECE {
                self.put().await?;
            }
        }
        Ok(())
    }

    /// Ends the file: its id and its length.
    ///
    /// # Errors
    /// The record's.
    pub async fn end(&mut self) -> Result<(String, u64), Error> {
        if !self.pending.is_empty() {
            self.put().await?;
        }
        Ok((self.id.clone(), self.bytes))
    }

    /// Lets go of what has come.
    pub async fn give_up(self) {
        if self.pieces > 0 {
            self.store.let_go(&self.tenant, &self.id).await;
        }
    }

    async fn put(&mut self) -> Result<(), Error> {
        let sealed = self.store.vault.seal_piece(&self.tenant, &self.id, self.pieces, &self.pending).await?;
        self.store.files.put_piece(&self.tenant, &self.id, self.pieces, sealed).await?;
        self.bytes += self.pending.len() as u64;
        self.pieces += 1;
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
