//! What can be asked about patterns.

use domain::ids::{PatternId, TenantId};

use super::{PatternView, TABLE};
use crate::{Error, Views};

impl Views {
    /// A tenant's pattern.
    ///
    /// # Errors
    /// The store's.
    pub async fn pattern(&self, tenant: &TenantId, id: &PatternId) -> Result<Option<PatternView>, Error> {
        self.defined(TABLE, tenant, id.as_str()).await
    }

    /// A tenant's patterns, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn patterns(&self, tenant: &TenantId) -> Result<Vec<PatternView>, Error> {
        self.all_defined(TABLE, tenant).await
    }

    /// The last number that a tenant gave to a pattern, deleted ones included; 0: none yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_pattern_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        self.last_number(TABLE, tenant).await
    }
}
