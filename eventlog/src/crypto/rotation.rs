//! A new master key: the keys of all tenants are wrapped under it. What they have sealed stays as it is, and what
//! they seal from now on is under the new master key in turn.

use async_trait::async_trait;
use domain::ids::TenantId;
use zeroize::Zeroizing;

use super::keys::{TenantKeys, rewrap};
use crate::record::Error;

/// A wrapped key as it is to be, of a tenant and the key as it is; nothing if that cannot be opened.
pub type Rewrap = Box<dyn Fn(&TenantId, &[u8]) -> Option<Vec<u8>> + Send>;

/// The wrapped keys of a record that nobody else uses.
#[async_trait]
pub trait Wrapped: Send + Sync {
    /// The mark that says under which master key the record is.
    ///
    /// # Errors
    /// The record's.
    async fn mark(&self) -> Result<Option<Vec<u8>>, Error>;

    /// Wraps the keys of all tenants anew, and the mark; how many there were. In one transaction: whatever cuts it off,
    /// either all are as they were or all are new.
    ///
    /// # Errors
    /// [`Error::MasterKey`] if one of them cannot be opened: then all are as they were.
    async fn rewrap(&self, rewrap: Rewrap) -> Result<u64, Error>;
}

/// What a rotation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// So many keys have been wrapped anew, the record's own mark included.
    Done(u64),
    /// They are all under the new key already.
    Before,
}

/// Wraps the keys of a record under `new` that are under `old` now. It does all or nothing, and done once more it
/// does nothing.
///
/// # Errors
/// [`Error::MasterKey`] if they are under neither; the record's.
pub async fn rotate(keys: &dyn Wrapped, old: &[u8; 32], new: &[u8; 32]) -> Result<Rotation, Error> {
    let nobody = TenantId(String::new());
    let (old, new) = (Zeroizing::new(*old), Zeroizing::new(*new));
    // A record without a mark has no tenant either: it takes the key that it is first opened with.
    let Some(mark) = keys.mark().await? else { return Ok(Rotation::Before) };
    if TenantKeys::unwrap(&new, &nobody, 0, &mark).is_some() {
        return Ok(Rotation::Before);
    }
    let rewrapped = keys.rewrap(Box::new(move |tenant, wrapped| rewrap(&old, &new, tenant, wrapped)));
    rewrapped.await.map(Rotation::Done)
}
