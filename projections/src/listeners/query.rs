//! What can be asked about listeners.

use domain::ids::{ListenerId, TenantId};

use super::{ListenerView, TABLE};
use crate::{Error, Views, definitions};

impl Views {
    /// A tenant's listener.
    ///
    /// # Errors
    /// The store's.
    pub async fn listener(&self, tenant: &TenantId, id: &ListenerId) -> Result<Option<ListenerView>, Error> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.ask(move |connection| {
            Ok(definitions::get(connection, TABLE, &tenant, id.as_str())?.map(ListenerView::from))
        })
        .await
    }

    /// A tenant's listeners, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn listeners(&self, tenant: &TenantId) -> Result<Vec<ListenerView>, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| {
            let stored = definitions::list(connection, TABLE, &tenant)?;
            Ok(stored.into_iter().map(ListenerView::from).collect())
        })
        .await
    }

    /// The last number that a tenant gave to a listener, deleted ones included; 0: none yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_listener_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| definitions::last_number(connection, TABLE, &tenant)).await
    }
}
