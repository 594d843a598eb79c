//! The keys themselves: what they seal, how they are wrapped, and what is bound into each ciphertext.

use std::sync::atomic::{AtomicBool, Ordering};

use domain::ids::{CustomerId, PARTITIONS, Partition, TenantId};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::seal::{self, Secret, bound, hmac, random};
use super::{Customer, Opened};
use crate::record::{Error, NewKey, Recorded};

/// The first byte of what this release seals and wraps.
const SHAPE: u8 = 1;

/// What a tenant's key yields: one key for each use.
pub(crate) struct TenantKeys {
    pub(super) tenant: TenantId,
    /// The tenant's place in the cache of customers' keys.
    pub(super) serial: u64,
    identify: Secret,
    wrap: Secret,
    credentials: Secret,
    files: Secret,
    receipts: Secret,
}

/// A customer's key.
pub(crate) struct CustomerKey {
    secret: Secret,
    /// Written before all that it seals.
    id: [u8; 8],
    pub(super) wrapped: Vec<u8>,
    /// Whether its row is known to be in the record. Until it is, it goes along with every item.
    stored: AtomicBool,
}

/// The partition of a customer: part of what is stored, so it never changes.
pub fn partition_of(tenant: &TenantId, customer: CustomerId) -> Partition {
    let hash = Sha256::digest(bound("partition", &[tenant.as_str().as_bytes(), &customer.0]));
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    Partition(u8::try_from(u64::from_le_bytes(first) % u64::from(PARTITIONS)).unwrap_or_default())
}

/// A new tenant's key, wrapped under the master key.
pub(super) fn new_tenant_key(master: &Secret, tenant: &TenantId) -> NewKey {
    let wrapped = wrap(master, &tenant_bound(tenant), &random());
    NewKey { tenant: tenant.clone(), customer: None, wrapped }
}

/// A tenant's key, wrapped under a new master key; nothing if it is under it already.
///
/// # Errors
/// [`Error::MasterKey`] if it is under none of these.
pub(super) fn rewrap(
    old: &[Secret],
    new: &Secret,
    tenant: &TenantId,
    wrapped: &[u8],
) -> Result<Option<Vec<u8>>, Error> {
    let bound = tenant_bound(tenant);
    if unwrap(new, &bound, wrapped).is_some() {
        return Ok(None);
    }
    let secret = old.iter().find_map(|old| unwrap(old, &bound, wrapped)).ok_or(Error::MasterKey)?;
    Ok(Some(wrap(new, &bound, &secret)))
}

impl TenantKeys {
    /// The keys of a tenant; `None` if its key was not wrapped for it under this master key.
    pub(super) fn unwrap(master: &Secret, tenant: &TenantId, serial: u64, wrapped: &[u8]) -> Option<Self> {
        let secret = unwrap(master, &tenant_bound(tenant), wrapped)?;
        let derived = |purpose: &str| hmac(&secret, &[purpose.as_bytes()]);
        Some(Self {
            tenant: tenant.clone(),
            serial,
            identify: derived("customer-id"),
            wrap: derived("customer-key"),
            credentials: derived("credentials"),
            files: derived("files"),
            receipts: derived("receipts"),
        })
    }

    /// A customer's key from its row; `None` if it was not wrapped for them by this tenant.
    pub(super) fn customer_key(&self, customer: CustomerId, wrapped: Vec<u8>) -> Option<CustomerKey> {
        let secret = unwrap(&self.wrap, &customer_bound(&self.tenant, customer), &wrapped)?;
        Some(CustomerKey::new(secret, wrapped, true))
    }

    /// A key for a customer who has none.
    pub(super) fn new_customer_key(&self, customer: CustomerId) -> CustomerKey {
        let secret = random();
        let wrapped = wrap(&self.wrap, &customer_bound(&self.tenant, customer), &secret);
        CustomerKey::new(secret, wrapped, false)
    }

    /// Seals a credential for its place.
    pub(super) fn seal_credential(&self, place: &str, clear: &str) -> Vec<u8> {
        let bound = credential_bound(&self.tenant, place);
        seal::seal(&self.credentials, &bound, clear.as_bytes(), vec![SHAPE])
    }

    /// A credential in clear; `None` if it was not sealed for that place by this tenant.
    pub(super) fn open_credential(&self, place: &str, sealed: &[u8]) -> Option<Zeroizing<String>> {
        let (&SHAPE, sealed) = sealed.split_first()? else { return None };
        let clear = seal::open(&self.credentials, &credential_bound(&self.tenant, place), sealed)?;
        String::from_utf8(clear).ok().map(Zeroizing::new)
    }

    /// What only those know who were told where to send receipts of a third party.
    pub(super) fn receipt_secret(&self, third_party: &str) -> Secret {
        hmac(&self.receipts, &[third_party.as_bytes()])
    }

    /// Seals a piece of a file for its place.
    pub(super) fn seal_piece(&self, file: &str, number: u32, clear: &[u8]) -> Vec<u8> {
        let out = vec![SHAPE];
        seal::seal(&self.files, &piece_bound(&self.tenant, file, number), clear, out)
    }

    /// A piece in clear; `None` if it was not sealed for that place by this tenant.
    pub(super) fn open_piece(&self, file: &str, number: u32, sealed: &[u8]) -> Option<Vec<u8>> {
        let (&SHAPE, sealed) = sealed.split_first()? else { return None };
        seal::open(&self.files, &piece_bound(&self.tenant, file, number), sealed)
    }

    /// What cursors are made with, if these are of the record's mark.
    pub(super) fn cursor_key(&self) -> [u8; 32] {
        *hmac(&self.identify, &[b"cursors"])
    }

    /// Who a key attribute value is.
    pub(crate) fn customer(&self, key: &str) -> Customer {
        let mac = hmac(&self.identify, &[key.as_bytes()]);
        let mut id = [0; 16];
        id.copy_from_slice(&mac[..16]);
        let id = CustomerId(id);
        Customer { id, partition: partition_of(&self.tenant, id) }
    }
}

impl CustomerKey {
    fn new(secret: Secret, wrapped: Vec<u8>, stored: bool) -> Self {
        let mut id = [0; 8];
        id.copy_from_slice(&hmac(&secret, &[b"key-id"])[..8]);
        Self { secret, id, wrapped, stored: AtomicBool::new(stored) }
    }

    pub(super) fn is_stored(&self) -> bool {
        self.stored.load(Ordering::Acquire)
    }

    pub(super) fn set_stored(&self) {
        self.stored.store(true, Ordering::Release);
    }

    /// The row that has to go along with what this key seals, if it is not known to be stored.
    pub(crate) fn row(&self, tenant: &TenantId, customer: CustomerId) -> Option<NewKey> {
        (!self.is_stored()).then(|| NewKey {
            tenant: tenant.clone(),
            customer: Some(customer),
            wrapped: self.wrapped.clone(),
        })
    }

    /// Shape, key id, nonce, ciphertext.
    pub(crate) fn seal(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        event_type: &str,
        clear: &[u8],
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(9 + 24 + clear.len() + 16);
        out.push(SHAPE);
        out.extend_from_slice(&self.id);
        seal::seal(&self.secret, &payload_bound(tenant, customer, event_type, &self.id), clear, out)
    }
}

/// What a sealed row holds, given the key that its customer has now.
pub(super) fn open_row(row: &Recorded, key: Option<&CustomerKey>) -> Result<Opened, Error> {
    let damaged = || Error::Damaged(format!("position {}: the payload does not open", row.position));
    let (head, sealed) = row.payload.split_at_checked(9).ok_or_else(damaged)?;
    let (Some(customer), [SHAPE, id @ ..]) = (row.customer, head) else { return Err(damaged()) };
    // A key of another id: the customer was erased, and came back under a new key.
    let Some(key) = key.filter(|key| key.id == id) else { return Ok(Opened::Erased) };
    let bound = payload_bound(&row.stream.tenant, customer, &row.event_type, &key.id);
    seal::open(&key.secret, &bound, sealed).map(Opened::Clear).ok_or_else(damaged)
}

fn payload_bound(tenant: &TenantId, customer: CustomerId, event_type: &str, key: &[u8; 8]) -> Vec<u8> {
    bound("payload", &[tenant.as_str().as_bytes(), &customer.0, event_type.as_bytes(), key])
}

pub(super) fn tenant_bound(tenant: &TenantId) -> Vec<u8> {
    bound("tenant-key", &[tenant.as_str().as_bytes()])
}

fn customer_bound(tenant: &TenantId, customer: CustomerId) -> Vec<u8> {
    bound("customer-key", &[tenant.as_str().as_bytes(), &customer.0])
}

pub(super) fn wrap(under: &[u8; 32], bound: &[u8], secret: &Secret) -> Vec<u8> {
    seal::seal(under, bound, &secret[..], vec![SHAPE])
}

fn unwrap(under: &[u8; 32], bound: &[u8], wrapped: &[u8]) -> Option<Secret> {
    let (&SHAPE, sealed) = wrapped.split_first()? else { return None };
    let clear = Zeroizing::new(seal::open(under, bound, sealed)?);
    let mut secret = Zeroizing::new([0; 32]);
    if clear.len() != secret.len() {
        return None;
    }
    secret.copy_from_slice(&clear);
    Some(secret)
}

fn credential_bound(tenant: &TenantId, place: &str) -> Vec<u8> {
    bound("credential", &[tenant.as_str().as_bytes(), place.as_bytes()])
}

fn piece_bound(tenant: &TenantId, file: &str, number: u32) -> Vec<u8> {
    bound("file", &[tenant.as_str().as_bytes(), file.as_bytes(), &number.to_le_bytes()])
}
