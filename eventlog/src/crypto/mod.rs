//! Sealing (design.md §2): keys per tenant and per customer, wrapped under the operator's master key.
//!
//! Outside ciphertext a customer is only [`CustomerId`]. A sealed payload names the key that sealed it, so that an
//! erased customer who comes back under a new key does not make the old payloads look damaged. Read next: `keys`
//! (what is wrapped and bound), `seal` (the cipher), `master` (the operator's file), `credential` (a
//! tenant's secrets with third parties), `file` (its files), `rotation` (another master key).

mod credential;
mod erasure;
mod file;
mod keys;
mod master;
mod rotation;
mod seal;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::ids::{CustomerId, Partition, TenantId};

use self::keys::{CustomerKey, TenantKeys, new_tenant_key, open_row};
use self::seal::Secret;
use crate::cache::Cache;
use crate::record::{Error, Item, NewKey, Outcome, Record, Recorded};

pub use erasure::{ERASED, Erasure, all_erasures, erasures, finish_erasures, take_over_erasures};
pub use keys::partition_of;
pub use master::{MASTER_KEY_FILE, MasterKeyError, MasterKeys, master_keys, new_master_key, put_master_keys};
pub use rotation::{Rewrap, Wrapped, check, rotate};

/// How many customers' keys are kept at hand.
const CUSTOMERS: usize = 200_000;

/// What is sealed is opened and sealed here.
pub struct Vault {
    record: Arc<dyn Record>,
    masters: MasterKeys,
    tenants: Mutex<HashMap<TenantId, Arc<TenantKeys>>>,
    customers: Mutex<Customers>,
    /// Whose turn it is to erase.
    erasing: tokio::sync::Mutex<()>,
}

/// Customers' keys at hand.
struct Customers {
    keys: Cache<(u64, CustomerId), Arc<CustomerKey>>,
    /// Rises with every erasure: a key that was read before is not kept after it.
    erasures: u64,
}

/// A customer as the vault knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// HMAC(tenant key, key attribute value).
    pub id: CustomerId,
    /// The partition: a hash of tenant and customer.
    pub partition: Partition,
}

/// A customer's key, to seal their entries with.
pub struct Sealer {
    tenant: Arc<TenantKeys>,
    customer: CustomerId,
    key: Arc<CustomerKey>,
}

impl Sealer {
    /// Seals a payload; `event_type` is bound in, so that a payload cannot stand in for another.
    pub fn seal(&self, event_type: &str, clear: &[u8]) -> Vec<u8> {
        self.key.seal(&self.tenant.tenant, self.customer, event_type, clear)
    }

    /// The row that must go into the item with what is sealed, if it is not known to be stored.
    pub fn row(&self) -> Option<NewKey> {
        self.key.row(&self.tenant.tenant, self.customer)
    }
}

/// What a row holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The payload in clear.
    Clear(Vec<u8>),
    /// The customer was erased: their key is gone.
    Erased,
}

impl Vault {
    /// A vault over a record, with the operator's master key, or keys.
    pub fn new(record: Arc<dyn Record>, masters: impl Into<MasterKeys>) -> Self {
        Self {
            record,
            masters: masters.into(),
            tenants: Mutex::default(),
            customers: Mutex::new(Customers { keys: Cache::new(CUSTOMERS), erasures: 0 }),
            erasing: tokio::sync::Mutex::default(),
        }
    }

    /// Makes sure at start that the record was made with this master key; a new record is marked with it.
    ///
    /// # Errors
    /// [`Error::MasterKey`] if it was made with another; the record's.
    pub async fn check_master_key(&self) -> Result<(), Error> {
        if self.mark().await?.is_none() {
            let outcome = self.append_key(new_tenant_key(&self.masters.first(), &nobody())).await?;
            if outcome == Outcome::KeyTaken {
                // Another server that starts at the same time has marked it.
                self.mark().await?;
            }
        }
        Ok(())
    }

    /// The record's mark: a key of nobody's, from which it is seen which master key the others are under. It stays the
    /// same when that is changed.
    async fn mark(&self) -> Result<Option<(Secret, TenantKeys)>, Error> {
        self.stored_key(&nobody()).await
    }

    /// A tenant's key, and the master key that it is under.
    async fn stored_key(&self, tenant: &TenantId) -> Result<Option<(Secret, TenantKeys)>, Error> {
        // It may just have been read when the master key was changed.
        for _ in 0..2 {
            let Some(wrapped) = self.record.key(tenant, None).await? else { return Ok(None) };
            let open = |master: &Secret| {
                TenantKeys::unwrap(master, tenant, 0, &wrapped).map(|keys| (master.clone(), keys))
            };
            if let Some(opened) = self.masters.find(open) {
                return Ok(Some(opened));
            }
        }
        Err(Error::MasterKey)
    }

    /// A key for the cursors of lists: all servers of a record share it, and no one outside can make one.
    ///
    /// # Errors
    /// As [`Self::check_master_key`], after which there is one.
    pub async fn cursor_key(&self) -> Result<[u8; 32], Error> {
        let (_, mark) = self.mark().await?.ok_or(Error::MasterKey)?;
        Ok(mark.cursor_key())
    }

    /// Whether a record has been marked with a master key: then no other one will do.
    ///
    /// # Errors
    /// The record's.
    pub async fn has_master_key(record: &dyn Record) -> Result<bool, Error> {
        Ok(record.key(&nobody(), None).await?.is_some())
    }

    async fn append_key(&self, key: NewKey) -> Result<Outcome, Error> {
        let outcomes = self.record.append(vec![Item { keys: vec![key], ..Item::default() }]).await?;
        outcomes.into_iter().next().ok_or_else(|| Error::Unavailable("no answer to an append".into()))
    }

    /// Makes a new tenant's key, under the same master key as all others: the row goes into the item that creates the
    /// tenant.
    ///
    /// # Errors
    /// The record's; [`Error::MasterKey`] if the others are under one that is not known here.
    pub async fn new_tenant_key(&self, tenant: &TenantId) -> Result<NewKey, Error> {
        let master = self.mark().await?.map_or_else(|| self.masters.first(), |(master, _)| master);
        Ok(new_tenant_key(&master, tenant))
    }

    /// Who a key attribute value is.
    ///
    /// # Errors
    /// The record's; no key for the tenant is [`Error::Damaged`].
    pub async fn customer(&self, tenant: &TenantId, key: &str) -> Result<Customer, Error> {
        Ok(self.tenant(tenant).await?.customer(key))
    }

    /// Seals a payload under a customer's key, making one if there is none: the rows returned must go into the
    /// item. `event_type` is bound in, so that a payload cannot stand in for another.
    ///
    /// # Errors
    /// The record's.
    pub async fn seal(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        event_type: &str,
        clear: &[u8],
    ) -> Result<(Vec<u8>, Option<NewKey>), Error> {
        let sealer = self.sealer(tenant, customer).await?;
        Ok((sealer.seal(event_type, clear), sealer.row()))
    }

    /// A customer's key to seal with, made if there is none. To be used at once: an erasure takes no key away that
    /// is in use.
    ///
    /// # Errors
    /// The record's.
    pub async fn sealer(&self, tenant: &TenantId, customer: CustomerId) -> Result<Sealer, Error> {
        let tenant = self.tenant(tenant).await?;
        let at_hand = self.customers().keys.get(&(tenant.serial, customer));
        let key = match at_hand.filter(|key| key.is_stored()) {
            Some(key) => key,
            None => {
                let mut keys = self.customer_keys(&tenant, &[customer], true).await?;
                keys.remove(&customer).ok_or_else(|| Error::Unavailable("no key was made".into()))?
            }
        };
        Ok(Sealer { tenant, customer, key })
    }

    /// What a row holds, in clear.
    ///
    /// # Errors
    /// The record's; a payload that does not open is [`Error::Damaged`].
    pub async fn open(&self, row: &Recorded) -> Result<Opened, Error> {
        let mut opened = self.open_all(std::slice::from_ref(row)).await?;
        opened.pop().ok_or_else(|| Error::Unavailable("a row was not opened".into()))
    }

    /// What rows hold, in clear, in order; the keys that are not at hand are read together.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_all<R: Borrow<Recorded>>(&self, rows: &[R]) -> Result<Vec<Opened>, Error> {
        let mut sealed: HashMap<&TenantId, HashSet<CustomerId>> = HashMap::new();
        for row in rows {
            let row = row.borrow();
            if let Some(customer) = row.customer {
                sealed.entry(&row.stream.tenant).or_default().insert(customer);
            }
        }
        let mut keys = HashMap::with_capacity(sealed.len());
        for (tenant, customers) in sealed {
            let customers: Vec<_> = customers.into_iter().collect();
            let of_tenant = self.tenant(tenant).await?;
            keys.insert(tenant, self.customer_keys(&of_tenant, &customers, false).await?);
        }
        let open = |row: &Recorded| match row.customer {
            None => Ok(Opened::Clear(row.payload.clone())),
            Some(customer) => open_row(
                row,
                keys.get(&row.stream.tenant).and_then(|keys| keys.get(&customer)).map(|key| &**key),
            ),
        };
        rows.iter().map(Borrow::borrow).map(open).collect()
    }

    /// Says that an item that carried this key row was appended: spares the next seal a look into the record.
    pub fn stored(&self, row: &NewKey) {
        let (Some(customer), Some(tenant)) = (row.customer, self.tenants().get(&row.tenant).cloned()) else {
            return;
        };
        if let Some(key) = self.customers().keys.get(&(tenant.serial, customer))
            && key.wrapped == row.wrapped
        {
            key.set_stored();
        }
    }

    /// Forgets the key of a customer who has been erased.
    fn forget(&self, tenant: &TenantId, customer: CustomerId) {
        let serial = self.tenants().get(tenant).map(|keys| keys.serial);
        let mut customers = self.customers();
        customers.erasures += 1;
        if let Some(serial) = serial {
            customers.keys.remove(&(serial, customer));
        }
    }

    /// The keys of a tenant.
    pub(crate) async fn tenant(&self, tenant: &TenantId) -> Result<Arc<TenantKeys>, Error> {
        if let Some(keys) = self.tenants().get(tenant) {
            return Ok(Arc::clone(keys));
        }
        let stored = self.stored_key(tenant).await?;
        let (_, mut keys) = stored.ok_or_else(|| Error::Damaged(format!("tenant {tenant} has no key")))?;
        let mut tenants = self.tenants();
        keys.serial = tenants.len() as u64;
        Ok(Arc::clone(tenants.entry(tenant.clone()).or_insert_with(|| Arc::new(keys))))
    }

    /// The keys of customers. One that is not in the record is left out, or made if `make`: the same for all that
    /// ask at the same time, and to be stored with what it seals ([`CustomerKey::row`]).
    pub(crate) async fn customer_keys(
        &self,
        tenant: &TenantKeys,
        customers: &[CustomerId],
        make: bool,
    ) -> Result<HashMap<CustomerId, Arc<CustomerKey>>, Error> {
        let mut found = HashMap::with_capacity(customers.len());
        let mut unknown = Vec::new();
        let erasures = {
            let mut cache = self.customers();
            for &customer in customers {
                match cache.keys.get(&(tenant.serial, customer)) {
                    Some(key) if key.is_stored() => drop(found.insert(customer, key)),
                    _ => unknown.push(Some(customer)),
                }
            }
            cache.erasures
        };
        if unknown.is_empty() {
            return Ok(found);
        }
        let rows = self.record.keys(&tenant.tenant, &unknown).await?;
        for (customer, row) in unknown.into_iter().flatten().zip(rows) {
            let key = match row {
                Some(wrapped) => Some(self.loaded(tenant, customer, wrapped, erasures)?),
                None => make.then(|| self.made(tenant, customer)),
            };
            found.extend(key.map(|key| (customer, key)));
        }
        Ok(found)
    }

    /// A key whose row was just read: the one at hand if it is that one, else it takes that one's place, unless
    /// somebody was erased since (there were so many `erasures` before).
    fn loaded(
        &self,
        tenant: &TenantKeys,
        customer: CustomerId,
        wrapped: Vec<u8>,
        erasures: u64,
    ) -> Result<Arc<CustomerKey>, Error> {
        let place = (tenant.serial, customer);
        if let Some(key) = self.customers().keys.get(&place)
            && key.wrapped == wrapped
        {
            key.set_stored();
            return Ok(key);
        }
        let key = tenant
            .customer_key(customer, wrapped)
            .ok_or_else(|| Error::Damaged(format!("the key of customer {customer} of {}", tenant.tenant)))?;
        let key = Arc::new(key);
        let mut customers = self.customers();
        if customers.erasures == erasures {
            customers.keys.insert(place, Arc::clone(&key));
        }
        drop(customers);
        Ok(key)
    }

    fn made(&self, tenant: &TenantKeys, customer: CustomerId) -> Arc<CustomerKey> {
        let place = (tenant.serial, customer);
        let mut cache = self.customers();
        if let Some(key) = cache.keys.get(&place) {
            return key;
        }
        let key = Arc::new(tenant.new_customer_key(customer));
        cache.keys.insert(place, Arc::clone(&key));
        key
    }

    fn tenants(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<TenantKeys>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn customers(&self) -> MutexGuard<'_, Customers> {
        self.customers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose key the record's mark is.
fn nobody() -> TenantId {
    TenantId(String::new())
}
