//! A record that seems to end at a position until it is let go: what comes after is there, and nobody is told of it.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ids::{CustomerId, Position, TenantId};
use domain::time::Stamp;
use eventlog::record::{Error, Fence, Head, Item, Outcome, Record, Recorded, Select};
use tokio::sync::watch;

/// The record.
pub struct Held {
    record: Arc<dyn Record>,
    head: watch::Sender<Head>,
}

impl Held {
    /// One that seems to end there.
    pub fn at(record: Arc<dyn Record>, end: Position) -> Self {
        let stamp = record.head().borrow().stamp;
        Self { record, head: watch::channel(Head { position: end, stamp }).0 }
    }

    /// Tells of all that is there.
    pub fn let_go(&self) {
        self.head.send_replace(*self.record.head().borrow());
    }
}

#[async_trait]
impl Record for Held {
    async fn append(&self, items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        self.record.append(items).await
    }

    async fn read_after(
        &self,
        select: Select,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        self.record.read_after(select, after, limit).await
    }

    async fn read_before(
        &self,
        select: Select,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        self.record.read_before(select, before, limit).await
    }

    async fn read_at(&self, positions: &[Position]) -> Result<Vec<Recorded>, Error> {
        self.record.read_at(positions).await
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    fn now(&self) -> Stamp {
        self.record.now()
    }

    async fn config_position(&self, tenant: &TenantId) -> Result<Position, Error> {
        self.record.config_position(tenant).await
    }

    async fn take_leases(&self, leases: &[String], owner: &str) -> Result<Vec<Fence>, Error> {
        self.record.take_leases(leases, owner).await
    }

    async fn keys(
        &self,
        tenant: &TenantId,
        customers: &[Option<CustomerId>],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.record.keys(tenant, customers).await
    }

    async fn erase(&self, tenant: &TenantId, customer: CustomerId) -> Result<bool, Error> {
        self.record.erase(tenant, customer).await
    }

    async fn fits_together(&self) -> Result<(), Error> {
        self.record.fits_together().await
    }

    async fn idempotent(&self, hash: [u8; 32]) -> Result<Option<Position>, Error> {
        self.record.idempotent(hash).await
    }
}
