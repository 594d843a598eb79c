//! What can be asked about augments.

use domain::ids::{AugmentId, TenantId};

use super::{AugmentView, TABLE};
use crate::{Error, Views};

impl Views {
    /// A tenant's augment.
    ///
    /// # Errors
    /// The store's.
    pub async fn augment(&self, tenant: &TenantId, id: &AugmentId) -> Result<Option<AugmentView>, Error> {
        self.defined(TABLE, tenant, id.as_str()).await
    }

    /// A tenant's augments, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn augments(&self, tenant: &TenantId) -> Result<Vec<AugmentView>, Error> {
        self.all_defined(TABLE, tenant).await
    }

    /// The last number that a tenant gave to an augment, deleted ones included; 0: none yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_augment_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        self.last_number(TABLE, tenant).await
    }
}
