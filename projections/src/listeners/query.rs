//! What can be asked about listeners.

use domain::ids::{ListenerId, TenantId};

use super::{ListenerView, TABLE};
use crate::{Error, Views};

impl Views {
    /// A tenant's listener.
    ///
    /// # Errors
    /// The store's.
    pub async fn listener(&self, tenant: &TenantId, id: &ListenerId) -> Result<Option<ListenerView>, Error> {
        self.defined(TABLE, tenant, id.as_str()).await
    }

    /// A tenant's listeners, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn listeners(&self, tenant: &TenantId) -> Result<Vec<ListenerView>, Error> {
        self.all_defined(TABLE, tenant).await
    }

    /// The last number that a tenant gave to a listener, deleted ones included; 0: none yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_listener_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        self.last_number(TABLE, tenant).await
    }
}
