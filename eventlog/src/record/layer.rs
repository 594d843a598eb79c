//! What stands before a record and does some things otherwise.

use async_trait::async_trait;
use domain::ids::{CustomerId, Position, TenantId};
use domain::time::Stamp;
use tokio::sync::watch;

use super::{Error, Fence, Head, Item, Outcome, Record, Recorded, Select};

/// A record that asks another one for all that it does not do itself: [`Record`] comes of it.
#[async_trait]
pub trait Layer: Send + Sync + 'static {
    /// The record behind it.
    fn inner(&self) -> &dyn Record;

    /// See [`Record::append`]; the others likewise.
    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        self.inner().append(items).await
    }

    /// Rows after a position.
    async fn read_after(
        &self,
        select: Select,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        self.inner().read_after(select, after, limit).await
    }

    /// Rows before a position.
    async fn read_before(
        &self,
        select: Select,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        self.inner().read_before(select, before, limit).await
    }

    /// The end of the record.
    fn head(&self) -> watch::Receiver<Head> {
        self.inner().head()
    }

    /// The same for those who follow the domain log alone; a layer with a [`head`](Self::head) of its own says it, too.
    fn domain_head(&self) -> watch::Receiver<Head> {
        self.inner().domain_head()
    }

    /// Takes leases over.
    async fn take_leases(&self, leases: &[String], owner: &str) -> Result<Vec<Fence>, Error> {
        self.inner().take_leases(leases, owner).await
    }

    /// The wrapped keys of customers.
    async fn keys(
        &self,
        tenant: &TenantId,
        customers: &[Option<CustomerId>],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.inner().keys(tenant, customers).await
    }

    /// Destroys a customer's key row.
    async fn erase(&self, tenant: &TenantId, customer: CustomerId) -> Result<bool, Error> {
        self.inner().erase(tenant, customer).await
    }

    /// The event that used this idempotency key.
    async fn idempotent(&self, hash: [u8; 32]) -> Result<Option<Position>, Error> {
        self.inner().idempotent(hash).await
    }
}

#[async_trait]
impl<L: Layer> Record for L {
    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        Layer::append(self, items).await
    }

    async fn read_after(
        &self,
        select: Select,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        Layer::read_after(self, select, after, limit).await
    }

    async fn read_before(
        &self,
        select: Select,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        Layer::read_before(self, select, before, limit).await
    }

    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, Error> {
        self.inner().read_at(positions).await
    }

    fn head(&self) -> watch::Receiver<Head> {
        Layer::head(self)
    }

    fn domain_head(&self) -> watch::Receiver<Head> {
        Layer::domain_head(self)
    }

    fn now(&self) -> Stamp {
        self.inner().now()
    }

    async fn config_position(&self, tenant: &TenantId) -> Result<Position, Error> {
        self.inner().config_position(tenant).await
    }

    async fn take_leases(&self, leases: &[String], owner: &str) -> Result<Vec<Fence>, Error> {
        Layer::take_leases(self, leases, owner).await
    }

    async fn keys(
        &self,
        tenant: &TenantId,
        customers: &[Option<CustomerId>],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        Layer::keys(self, tenant, customers).await
    }

    async fn erase(&self, tenant: &TenantId, customer: CustomerId) -> Result<bool, Error> {
        Layer::erase(self, tenant, customer).await
    }

    async fn idempotent(&self, hash: [u8; 32]) -> Result<Option<Position>, Error> {
        Layer::idempotent(self, hash).await
    }

    async fn fits_together(&self) -> Result<(), Error> {
        self.inner().fits_together().await
    }
}
