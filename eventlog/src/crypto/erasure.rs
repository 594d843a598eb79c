//! Erasures: that a customer was erased is an entry of its own, beside the key row that is gone.
//!
//! The entry comes first and names the key, so an erasure that a crash cut in half is finished at the next start,
//! and one that a restored backup knows nothing of is done again. It names the key and not only the customer: who
//! comes back after an erasure comes under another key, which is none of its business.

use std::collections::BTreeMap;

use domain::ids::{CustomerId, Position, TenantId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Vault;
use crate::record::{
    Error, Expect, Item, Metadata, NewEvent, Outcome, Record, Recorded, Select, StreamId, StreamKind, Write,
};

/// The stored name of the entry.
pub const ERASED: &str = "customer-erased";

/// How often an entry is tried when others are written at the same time.
const ATTEMPTS: usize = 32;

/// How many entries are read at a time.
const PAGE: usize = 1_000;

/// What the entry says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// Who.
    pub customer: CustomerId,
    /// SHA-256 of the key row that was destroyed, in hexadecimal digits.
    pub key: String,
}

impl Erasure {
    fn of(customer: CustomerId, wrapped: &[u8]) -> Self {
        Self { customer, key: hex::encode(Sha256::digest(wrapped)) }
    }

    /// What a row of a tenant's erasures says.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a row that says nothing of the kind.
    pub fn read(row: &Recorded) -> Result<Self, Error> {
        serde_json::from_slice(&row.payload)
            .map_err(|error| Error::Damaged(format!("position {}: {error}", row.position)))
    }
}

fn stream(tenant: &TenantId) -> StreamId {
    StreamId::new(tenant, StreamKind::Erasure, "customers")
}

/// All erasures of a tenant, in order.
///
/// # Errors
/// The record's.
pub async fn erasures(record: &dyn Record, tenant: &TenantId) -> Result<Vec<Erasure>, Error> {
    let (mut all, mut after) = (Vec::new(), Position(0));
    loop {
        let rows = record.read_after(Select::Stream(stream(tenant)), after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(all) };
        after = last.position;
        for row in &rows {
            all.push(Erasure::read(row)?);
        }
    }
}

impl Vault {
    /// Erases a customer: notes it in the record, destroys their key row and forgets the key. The position of the
    /// note; none if there is no key, and so nothing of them to be read.
    ///
    /// # Errors
    /// The record's. What was noted and not done is done at the next start ([`finish_erasures`]).
    pub async fn erase(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        metadata: Metadata,
    ) -> Result<Option<Position>, Error> {
        // One at a time: the key that is destroyed has to be the one that is named.
        let _turn = self.erasing.lock().await;
        let Some(wrapped) = self.record.key(tenant, Some(customer)).await? else {
            return Ok(None);
        };
        let noted = note(&*self.record, tenant, &Erasure::of(customer, &wrapped), metadata).await?;
        self.record.erase(tenant, customer).await?;
        self.forget(tenant, customer);
        Ok(Some(noted))
    }
}

impl Vault {
    /// Takes note of an erasure that a row of the record tells of, another server's for instance: what is at hand of
    /// the customer's key is let go. If the key is still there (who noted it is about to destroy it, or was cut off),
    /// it is destroyed first, so that it cannot be read again after this.
    ///
    /// # Errors
    /// The record's; [`Error::Damaged`] for a row that tells of no erasure.
    pub async fn heed(&self, row: &Recorded) -> Result<(), Error> {
        let _turn = self.erasing.lock().await;
        let (tenant, erasure) = (&row.stream.tenant, Erasure::read(row)?);
        finish_erasures(&*self.record, tenant, std::slice::from_ref(&erasure)).await?;
        self.forget(tenant, erasure.customer);
        Ok(())
    }

    /// As [`finish_erasures`], for a record that somebody may have read through this vault already: their keys are not
    /// kept at hand either.
    ///
    /// # Errors
    /// The record's.
    pub async fn finish_erasures(&self, tenant: &TenantId, erasures: &[Erasure]) -> Result<usize, Error> {
        let _turn = self.erasing.lock().await;
        let finished = finish_erasures(&*self.record, tenant, erasures).await?;
        if finished > 0 {
            erasures.iter().for_each(|erasure| self.forget(tenant, erasure.customer));
        }
        Ok(finished)
    }
}

/// Destroys the keys that erasures name and that are there all the same: a crash came in between, or a backup that
/// is older than the erasure brought them back. How many there were. For a record that nobody seals or opens yet.
///
/// # Errors
/// The record's.
pub async fn finish_erasures(
    record: &dyn Record,
    tenant: &TenantId,
    erasures: &[Erasure],
) -> Result<usize, Error> {
    let mut finished = 0;
    for chunk in erasures.chunks(PAGE) {
        let customers: Vec<_> = chunk.iter().map(|erasure| Some(erasure.customer)).collect();
        let keys = record.keys(tenant, &customers).await?;
        for (erasure, wrapped) in chunk.iter().zip(keys) {
            if wrapped.is_some_and(|wrapped| Erasure::of(erasure.customer, &wrapped) == *erasure) {
                record.erase(tenant, erasure.customer).await?;
                finished += 1;
            }
        }
    }
    Ok(finished)
}

/// Takes erasures over that this record may know nothing of: notes them, so that what is made of it later knows
/// them, and destroys their keys. How many keys there were.
///
/// # Errors
/// The record's.
pub async fn take_over_erasures(
    record: &dyn Record,
    tenant: &TenantId,
    erasures: &[Erasure],
) -> Result<usize, Error> {
    let known = self::erasures(record, tenant).await?;
    for erasure in erasures.iter().filter(|erasure| !known.contains(erasure)) {
        note(record, tenant, erasure, Metadata::default()).await?;
    }
    finish_erasures(record, tenant, erasures).await
}

/// Every tenant's erasures, in order, found by going through the whole domain log.
///
/// # Errors
/// The record's.
pub async fn all_erasures(record: &dyn Record) -> Result<Vec<(TenantId, Vec<Erasure>)>, Error> {
    let (mut all, mut after) = (BTreeMap::<String, Vec<Erasure>>::new(), Position(0));
    loop {
        let rows = record.read_after(Select::Domain, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.position;
        for row in rows.iter().filter(|row| row.stream.kind == StreamKind::Erasure) {
            all.entry(row.stream.tenant.0.clone()).or_default().push(Erasure::read(row)?);
        }
    }
    Ok(all.into_iter().map(|(tenant, erasures)| (TenantId(tenant), erasures)).collect())
}

async fn note(
    record: &dyn Record,
    tenant: &TenantId,
    erasure: &Erasure,
    metadata: Metadata,
) -> Result<Position, Error> {
    let payload = serde_json::to_vec(erasure).map_err(|error| Error::Malformed(error.to_string()))?;
    let newest = record.read_before(Select::Stream(stream(tenant)), None, 1).await?;
    let mut version = newest.first().map_or(0, |row| row.version);
    for _ in 0..ATTEMPTS {
        let event = NewEvent {
            event_type: ERASED,
            event_version: 1,
            payload: payload.clone(),
            event_id: None,
            configures: false,
        };
        let write = Write {
            stream: stream(tenant),
            expect: Expect::Version(version),
            // Not sealed under the key that goes.
            customer: None,
            partition: None,
            events: vec![event],
        };
        let item = Item { writes: vec![write], metadata: metadata.clone(), ..Item::default() };
        match record.append(vec![item]).await?.pop() {
            Some(Outcome::Appended { last, .. }) => return Ok(last),
            Some(Outcome::Conflict(at)) => version = at,
            other => return Err(Error::Unavailable(format!("an erasure was answered {other:?}"))),
        }
    }
    Err(Error::Unavailable("others kept noting erasures at the same time".into()))
}
