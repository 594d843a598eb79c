//! What can be asked about patterns.

use domain::ids::{PatternId, TenantId};

use super::{PatternView, TABLE};
use crate::{Error, Views, definitions};

impl Views {
    /// A tenant's pattern.
    ///
    /// # Errors
    /// The store's.
    pub async fn pattern(&self, tenant: &TenantId, id: &PatternId) -> Result<Option<PatternView>, Error> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.ask(move |connection| {
            Ok(definitions::get(connection, TABLE, &tenant, id.as_str())?.map(PatternView::from))
        })
        .await
    }

    /// A tenant's patterns, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn patterns(&self, tenant: &TenantId) -> Result<Vec<PatternView>, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| {
            let stored = definitions::list(connection, TABLE, &tenant)?;
            Ok(stored.into_iter().map(PatternView::from).collect())
        })
        .await
    }

    /// The last number that a tenant gave to a pattern, deleted ones included; 0: none yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_pattern_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| definitions::last_number(connection, TABLE, &tenant)).await
    }
}
