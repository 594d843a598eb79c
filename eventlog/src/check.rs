//! The whole record, held against its checksums.
//!
//! Every row is held against its checksum whenever it is read. What nothing reads, what an index no longer finds, and
//! a key that is gone though nobody was erased show only here.

use std::collections::{HashMap, HashSet};

use domain::ids::{CustomerId, Position, TenantId};

use crate::crypto::Erasure;
use crate::record::{Error, Record, Recorded, Select, StreamKind};

/// How many rows are read at a time.
const PAGE: usize = 1_000;

/// Reads all of a record. Takes as long as that does, and may run beside everything else.
///
/// # Errors
/// [`Error::Damaged`] if anything does not fit; the record's.
pub async fn check(record: &dyn Record) -> Result<(), Error> {
    record.fits_together().await?;
    let (mut after, mut keys) = (Position(0), Keys::default());
    loop {
        let rows = record.read_after(Select::All, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.position;
        keys.look(record, &rows).await?;
    }
    keys.verdict()
}

/// Who has no key, and who was erased.
#[derive(Default)]
struct Keys {
    without: HashSet<(TenantId, CustomerId)>,
    erased: HashSet<(TenantId, CustomerId)>,
}

impl Keys {
    async fn look(&mut self, record: &dyn Record, rows: &[Recorded]) -> Result<(), Error> {
        let mut customers: HashMap<&TenantId, HashSet<CustomerId>> = HashMap::new();
        for row in rows {
            let tenant = &row.stream.tenant;
            if row.stream.kind == StreamKind::Erasure {
                self.erased.insert((tenant.clone(), Erasure::read(row)?.customer));
            }
            if let Some(customer) = row.customer {
                customers.entry(tenant).or_default().insert(customer);
            }
        }
        for (tenant, customers) in customers {
            let customers: Vec<_> = customers.into_iter().map(Some).collect();
            let keys = record.keys(tenant, &customers).await?;
            let without = customers.into_iter().zip(keys).filter(|(_, key)| key.is_none());
            self.without.extend(without.filter_map(|(customer, _)| Some((tenant.clone(), customer?))));
        }
        Ok(())
    }

    /// A key is destroyed after the record says so, so whoever lost one while this was read is among the erased.
    fn verdict(&self) -> Result<(), Error> {
        match self.without.difference(&self.erased).next() {
            None => Ok(()),
            Some((tenant, customer)) => Err(Error::Damaged(format!(
                "the key of customer {customer} of {tenant} is gone, and nobody erased them"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::crypto::Customer;
    use crate::record::sqlite::LOG_FILE;
    use crate::record::{Expect, Item, Metadata, NewEvent, StreamId, Write};
    use crate::testing::TempRecord;

    /// A record with two customers; one of them.
    async fn world() -> (TempRecord, TenantId, Customer) {
        let temp = TempRecord::new();
        let acme = temp.tenant("acme", "id").await;
        let vault = temp.vault();
        let mut last = None;
        for key in ["a", "b"] {
            let customer = vault.customer(&acme, key).await.unwrap();
            let (payload, key) = vault.seal(&acme, customer.id, "seen", b"hello").await.unwrap();
            let event =
                NewEvent { event_type: "seen", event_version: 1, payload, event_id: None, configures: false };
            let write = Write {
                stream: StreamId::new(&acme, StreamKind::Customer, customer.id.to_string()),
                expect: Expect::Any,
                customer: Some(customer.id),
                partition: Some(customer.partition),
                events: vec![event],
            };
            let item = Item { writes: vec![write], keys: key.into_iter().collect(), ..Item::default() };
            temp.record.append(vec![item]).await.unwrap();
            last = Some(customer);
        }
        (temp, acme, last.unwrap())
    }

    #[tokio::test]
    async fn a_sound_record_fits_with_erased_customers_too() {
        let (temp, acme, customer) = world().await;
        check(&*temp.record).await.unwrap();
        temp.vault().erase(&acme, customer.id, Metadata::default()).await.unwrap().unwrap();
        check(&*temp.record).await.unwrap();
    }

    #[tokio::test]
    async fn what_no_reader_would_notice_is_noticed() {
        for damage in [
            // A key that is gone looks like an erasure.
            "DELETE FROM keys WHERE customer <> x''",
            "UPDATE keys SET tenant = 'acmd' WHERE customer <> x''",
            // A row that nobody asks for.
            "UPDATE events SET stamp = stamp + 1 WHERE position = 1",
            "DELETE FROM events WHERE position = 2",
            // An index that leads past its rows.
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, '(tenant)', '(tenant || ''x'')')
             WHERE name = 'events_tenant'",
        ] {
            let (temp, ..) = world().await;
            Connection::open(temp.folder().join(LOG_FILE)).unwrap().execute_batch(damage).unwrap();
            let found = check(&*temp.reopen().record).await;
            assert!(matches!(found, Err(Error::Damaged(_))), "{damage}: {found:?}");
        }
    }
}
