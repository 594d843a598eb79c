//! A new master key: the keys of all tenants are wrapped under it. What they have sealed stays as it is, and what
//! they seal from now on is under the new master key in turn.

use domain::ids::TenantId;
use zeroize::Zeroizing;

use super::keys::{TenantKeys, rewrap};
use crate::record::sqlite::SqliteRecord;
use crate::record::{Error, Record};

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
pub async fn rotate(record: &SqliteRecord, old: &[u8; 32], new: &[u8; 32]) -> Result<Rotation, Error> {
    let nobody = TenantId(String::new());
    let (old, new) = (Zeroizing::new(*old), Zeroizing::new(*new));
    // A record without a mark has no tenant either: it takes the key that it is first opened with.
    let Some(mark) = record.key(&nobody, None).await? else { return Ok(Rotation::Before) };
    if TenantKeys::unwrap(&new, &nobody, 0, &mark).is_some() {
        return Ok(Rotation::Before);
    }
    let rewrapped = record.rewrap(Box::new(move |tenant, wrapped| rewrap(&old, &new, tenant, wrapped)));
    rewrapped.await.map(Rotation::Done)
}
