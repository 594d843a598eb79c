//! What can be asked about templates.

use domain::ids::{TemplateId, TenantId};

use super::{TABLE, TemplateView};
use crate::{Error, Views, definitions};

impl Views {
    /// A tenant's template.
    ///
    /// # Errors
    /// The store's.
    pub async fn template(&self, tenant: &TenantId, id: &TemplateId) -> Result<Option<TemplateView>, Error> {
        let (tenant, id) = (tenant.clone(), id.clone());
        self.ask(move |connection| {
            Ok(definitions::get(connection, TABLE, &tenant, id.as_str())?.map(TemplateView::from))
        })
        .await
    }

    /// A tenant's templates, in order of creation.
    ///
    /// # Errors
    /// The store's.
    pub async fn templates(&self, tenant: &TenantId) -> Result<Vec<TemplateView>, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| {
            let stored = definitions::list(connection, TABLE, &tenant)?;
            Ok(stored.into_iter().map(TemplateView::from).collect())
        })
        .await
    }

    /// The last number that a tenant gave to a template, deleted ones included; 0: none yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_template_number(&self, tenant: &TenantId) -> Result<u64, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| definitions::last_number(connection, TABLE, &tenant)).await
    }
}
