//! What sealing promises: a payload opens in its own place, and nowhere else.

use std::sync::Arc;

use domain::ids::TenantId;

use super::*;
use crate::record::sqlite::{Options, SqliteRecord};
use crate::record::{Expect, NewEvent, Select, StreamId, StreamKind, Write};
use domain::ids::Position;

#[tokio::test]
async fn what_was_sealed_opens_until_the_customer_is_erased() {
    let folder = tempfile::tempdir().unwrap();
    let record = SqliteRecord::open(folder.path(), Options::default()).unwrap();
    let vault = Vault::new(record.clone(), [7; 32]);
    vault.check_master_key().await.unwrap();
    let tenant = TenantId::from("acme");
    let key = vault.new_tenant_key(&tenant).await.unwrap();
    record.append(vec![Item { keys: vec![key], ..Item::default() }]).await.unwrap();
    let customer = vault.customer(&tenant, "1234").await.unwrap();
    let (payload, key) = vault.seal(&tenant, customer.id, "seen", b"hello").await.unwrap();
    let write = Write {
        stream: StreamId::new(&tenant, StreamKind::Customer, customer.id.to_string()),
        expect: Expect::Any,
        customer: Some(customer.id),
        partition: Some(customer.partition),
        events: vec![NewEvent {
            event_type: "seen",
            event_version: 1,
            payload,
            event_id: None,
            configures: false,
        }],
    };
    let item = Item { writes: vec![write], keys: key.into_iter().collect(), ..Item::default() };
    let outcomes = record.append(vec![item]).await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Appended { first: Position(1), .. }]), "{outcomes:?}");
    let rows = record.read_after(Select::All, Position(0), 10).await.unwrap();
    assert_eq!(vault.open(&rows[0]).await.unwrap(), Opened::Clear(b"hello".to_vec()));
    assert!(vault.seal(&tenant, customer.id, "seen", b"x").await.unwrap().1.is_none());
    assert!(vault.erase(&tenant, customer.id).await.unwrap());
    assert_eq!(vault.open(&rows[0]).await.unwrap(), Opened::Erased);
    assert!(vault.seal(&tenant, customer.id, "seen", b"x").await.unwrap().1.is_some());
    assert_eq!(vault.open(&rows[0]).await.unwrap(), Opened::Erased);
    assert!(matches!(Vault::new(record, [8; 32]).check_master_key().await, Err(Error::Damaged(_))));
}
