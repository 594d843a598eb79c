//! What can be asked about templates.

use domain::ids::{TemplateId, TenantId};

use super::{TABLE, TemplateView};
use crate::{Error, Views};

impl Views {
    /// A tenant's template.
    ///
    /// # Errors
    /// The store's.
    pub async fn template(&self, tenant: &TenantId, id: &TemplateId) -> Result<Option<TemplateView>, Error> {
        self.defined(TABLE, tenant, id.as_str()).await
    }

    /// A tenant's templates, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn templates(&self, tenant: &TenantId) -> Result<Vec<TemplateView>, Error> {
        self.all_defined(TABLE, tenant).await
    }

    /// The last number that a tenant gave to a template, deleted ones included; 0: none yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_template_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        self.last_number(TABLE, tenant).await
    }
}
