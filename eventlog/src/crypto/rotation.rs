//! A new master key: the keys of all tenants are wrapped under it. What they have sealed stays as it is, and what
//! they seal from now on is under the new master key in turn.
//!
//! Servers may run meanwhile, if each can read both keys: one that comes upon a key that it cannot open reads its file
//! again, and makes new tenants' keys under the master key that the record's mark is under.

use std::time::Duration;

use async_trait::async_trait;
use domain::ids::TenantId;

use super::keys::{TenantKeys, rewrap};
use super::seal::Secret;
use crate::record::Error;

/// A wrapped key as it is to be, of a tenant and the key as it is; nothing if it is so already.
pub type Rewrap<'a> = &'a (dyn Fn(&TenantId, &[u8]) -> Result<Option<Vec<u8>>, Error> + Sync);

/// The wrapped keys of a record.
#[async_trait]
pub trait Wrapped: Send + Sync {
    /// Whether nobody else uses the record, and nobody can for as long as this is held.
    fn is_alone(&self) -> bool;

    /// Wraps the keys of all tenants anew, and the mark; how many were not as they are to be. In one transaction:
    /// whatever cuts it off, either all are as they were or all are new.
    ///
    /// # Errors
    /// The record's, and those of `rewrap`: then all are as they were.
    async fn rewrap(&self, rewrap: Rewrap<'_>) -> Result<u64, Error>;
}

/// Sees to it that every key of a record is under one of these master keys.
///
/// # Errors
/// [`Error::MasterKey`] if one is not; the record's.
pub async fn check(keys: &dyn Wrapped, masters: &[Secret]) -> Result<(), Error> {
    let as_it_is = |tenant: &TenantId, wrapped: &[u8]| {
        let opens = |master: &Secret| TenantKeys::unwrap(master, tenant, 0, wrapped).is_some();
        if masters.iter().any(opens) { Ok(None) } else { Err(Error::MasterKey) }
    };
    keys.rewrap(&as_it_is).await.map(drop)
}

/// Beside servers the keys are looked through until this many times nothing was left to do,
const CALM: usize = 3;
/// and so long lies between: a server may have made a tenant's key just before, and be about to store it.
const BETWEEN: Duration = Duration::from_secs(1);

/// Wraps the keys of a record under `new` that are under one of `old`; how many there were, the record's mark included.
/// It does all or nothing, and done once more it does nothing.
///
/// # Errors
/// [`Error::MasterKey`] if they are under neither; the record's.
pub async fn rotate(keys: &dyn Wrapped, old: &[Secret], new: &Secret) -> Result<u64, Error> {
    let rewrap = |tenant: &TenantId, wrapped: &[u8]| rewrap(old, new, tenant, wrapped);
    let mut all = keys.rewrap(&rewrap).await?;
    let mut calm = 0;
    while calm < CALM && !keys.is_alone() {
        tokio::time::sleep(BETWEEN).await;
        let found = keys.rewrap(&rewrap).await?;
        all += found;
        calm = if found == 0 { calm + 1 } else { 0 };
    }
    Ok(all)
}
