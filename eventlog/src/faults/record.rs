//! A record around the real one, which passes the points and breaks the promises that can be broken from outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::ids::{CustomerId, Position, TenantId};
use domain::time::Stamp;

use super::{clock_off, is_broken, reach};
use crate::record::{Clock, Error, Expect, Fence, Item, Layer, Outcome, Record, StreamKind, Write};

/// The real record, with faults.
pub struct Faulty(Arc<dyn Record>);

impl Faulty {
    /// Around a record.
    pub fn around(record: Arc<dyn Record>) -> Arc<dyn Record> {
        Arc::new(Self(record))
    }
}

impl Faulty {
    /// Appends as one who knows nothing of having been taken over from, and is not told: neither by the fence nor by
    /// a reaction that has gone on meanwhile.
    async fn unfenced(&self, mut items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        items.iter_mut().for_each(|item| item.fence = None);
        let mut outcomes = self.0.append(items.clone()).await?;
        for (mut item, outcome) in items.into_iter().zip(&mut outcomes) {
            let step = |write: &Write| {
                write.stream.kind == StreamKind::Reaction && write.expect != Expect::Version(0)
            };
            let Outcome::Conflict(at) = *outcome else { continue };
            if let [write] = &mut item.writes[..]
                && step(write)
            {
                write.expect = Expect::Version(at);
                outcome.clone_from(&self.0.append(vec![item]).await?[0]);
            }
        }
        Ok(outcomes)
    }
}

/// The points before and after an append of this item.
fn points(item: &Item) -> Option<[&'static str; 2]> {
    let write = item.writes.last()?;
    Some(match (write.stream.kind, write.expect) {
        (StreamKind::Customer, _) => ["event.append.before", "event.append.after"],
        (StreamKind::Mark, _) => ["mark.append.before", "mark.append.after"],
        (StreamKind::Reaction, Expect::Version(0)) => ["match.append.before", "match.append.after"],
        (StreamKind::Reaction, _) => ["step.append.before", "step.append.after"],
        _ => ["command.append.before", "command.append.after"],
    })
}

/// Passes each point once, and fails if one of them is ordered to.
fn pass(mut points: Vec<&'static str>) -> Result<(), Error> {
    points.sort_unstable();
    points.dedup();
    match points.into_iter().filter(|point| reach(point)).last() {
        Some(point) => Err(Error::Unavailable(format!("fault on order at {point}"))),
        None => Ok(()),
    }
}

#[async_trait]
impl Layer for Faulty {
    fn inner(&self) -> &dyn Record {
        &*self.0
    }

    async fn append(&self, mut items: Vec<Item>) -> Result<Vec<Outcome>, Error> {
        let points: Vec<_> = items.iter().filter_map(points).collect();
        let events = !points.is_empty() && points.iter().all(|[before, _]| before.starts_with("event"));
        pass(points.iter().map(|[before, _]| *before).collect())?;
        if is_broken("no-fence") {
            return self.unfenced(items).await;
        }
        if is_broken("no-dedup") {
            items.iter_mut().for_each(|item| item.idempotency = None);
        }
        if events && is_broken("acknowledge-before-commit") {
            let forged = Outcome::Appended { first: Position(0), last: Position(0), stamp: self.0.now() };
            let outcomes = vec![forged; items.len()];
            let record = self.0.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(30)).await;
                if let Err(error) = record.append(items).await {
                    tracing::error!(%error, "what was acknowledged is lost");
                }
            });
            return Ok(outcomes);
        }
        let outcomes = self.0.append(items).await?;
        pass(points.iter().map(|[_, after]| *after).collect())?;
        Ok(outcomes)
    }

    async fn take_leases(&self, leases: &[String], owner: &str) -> Result<Vec<Fence>, Error> {
        pass(vec!["leases.before"])?;
        let fences = self.0.take_leases(leases, owner).await?;
        pass(vec!["leases.after"])?;
        Ok(fences)
    }

    async fn erase(&self, tenant: &TenantId, customer: CustomerId) -> Result<bool, Error> {
        pass(vec!["erase.before"])?;
        let erased = self.0.erase(tenant, customer).await?;
        pass(vec!["erase.after"])?;
        Ok(erased)
    }

    async fn idempotent(&self, hash: [u8; 32]) -> Result<Option<Position>, Error> {
        if is_broken("no-dedup") { Ok(None) } else { self.0.idempotent(hash).await }
    }
}

/// A clock that is off by what is ordered, and is set back by 3 s now and then where the break `stamp-falls` is.
pub struct Bent {
    clock: Arc<dyn Clock>,
    asked: AtomicI64,
}

impl Bent {
    /// Around a clock.
    pub fn around(clock: Arc<dyn Clock>) -> Arc<dyn Clock> {
        Arc::new(Self { clock, asked: AtomicI64::new(0) })
    }
}

impl Clock for Bent {
    fn now(&self) -> Stamp {
        let back = is_broken("stamp-falls") && self.asked.fetch_add(1, Ordering::Relaxed) / 50 % 2 == 1;
        self.clock.now().after(clock_off() + if back { -3_000 } else { 0 })
    }
}
