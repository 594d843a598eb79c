//! Sealing (design.md §2): keys per tenant and per customer, wrapped under the operator's master key.

use std::sync::Arc;

use domain::ids::{CustomerId, Partition, TenantId};

use crate::record::{Error, NewKey, Record, Recorded};

/// What is sealed is opened and sealed here.
pub struct Vault {
    _record: Arc<dyn Record>,
}

/// A customer as the vault knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// HMAC(tenant key, key attribute value).
    pub id: CustomerId,
    /// The partition: a hash of tenant and customer.
    pub partition: Partition,
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
    /// A vault over a record, with the operator's master key.
    pub fn new(record: Arc<dyn Record>, master: [u8; 32]) -> Self {
        let _ = master;
        Self { _record: record }
    }

    /// Makes a new tenant's key: the row goes into the item that creates the tenant.
    ///
    /// # Errors
    /// The record's.
    pub async fn new_tenant_key(&self, tenant: &TenantId) -> Result<NewKey, Error> {
        let _ = tenant;
        todo!("eventlog")
    }

    /// Who a key attribute value is.
    ///
    /// # Errors
    /// The record's; no key for the tenant is [`Error::Damaged`].
    pub async fn customer(&self, tenant: &TenantId, key: &str) -> Result<Customer, Error> {
        let _ = (tenant, key);
        todo!("eventlog")
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
        let _ = (tenant, customer, event_type, clear);
        todo!("eventlog")
    }

    /// What a row holds, in clear.
    ///
    /// # Errors
    /// The record's; a payload that does not open is [`Error::Damaged`].
    pub async fn open(&self, row: &Recorded) -> Result<Opened, Error> {
        let _ = row;
        todo!("eventlog")
    }
}
