//! What can be asked about augments.

use domain::ids::{AugmentId, TenantId};

use super::{AugmentView, TABLE};
use crate::{Error, Views, definitions};

impl Views {
    /// A tenant's augment.
    ///
    /// # Errors
    /// The store's.
    pub async fn augment(&self, tenant: &TenantId, id: &AugmentId) -> Result<Option<AugmentView>, Error> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.ask(move |connection| {
            Ok(definitions::get(connection, TABLE, &tenant, id.as_str())?.map(AugmentView::from))
        })
        .await
    }

    /// A tenant's augments, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn augments(&self, tenant: &TenantId) -> Result<Vec<AugmentView>, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| {
            let stored = definitions::list(connection, TABLE, &tenant)?;
            Ok(stored.into_iter().map(AugmentView::from).collect())
        })
        .await
    }

    /// The last number that a tenant gave to an augment, deleted ones included; 0: none yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_augment_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| definitions::last_number(connection, TABLE, &tenant)).await
    }
}
