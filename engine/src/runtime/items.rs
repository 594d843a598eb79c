//! What the engine appends: matches, sealed under their customers' keys, and marks.

use domain::ids::{Partition, Position, TenantId};
use domain::reaction::Match;
use eventlog::crypto::Vault;
use eventlog::record::{Error, Expect, Fence, Item, Metadata, NewEvent, Record, StreamId, StreamKind, Write};

use super::matcher::Completed;

/// The stored name of a mark.
const MARK: &str = "mark";

/// What is to be appended for a match; nothing for a customer who has been erased meanwhile.
pub(super) async fn of_match(
    record: &dyn Record,
    vault: &Vault,
    completed: &Completed,
    fence: Option<Fence>,
) -> Result<Option<Item>, Error> {
    let Completed { tenant, customer, partition, cause, found } = completed;
    let malformed = |e: serde_json::Error| Error::Malformed(e.to_string());
    let clear = serde_json::to_vec(found).map_err(malformed)?;
    let (payload, key) = vault.seal(tenant, *customer, Match::TYPE, &clear).await?;
    if key.is_some() && record.key(tenant, Some(*customer)).await?.is_none() {
        // Their events were sealed under a key that is gone, and no new one is made for what came of them.
        return Ok(None);
    }
    let event =
        NewEvent { event_type: Match::TYPE, event_version: 1, payload, event_id: None, configures: false };
    let write = Write {
        stream: StreamId::new(tenant, StreamKind::Reaction, completed.id().to_string()),
        expect: Expect::Version(0),
        customer: Some(*customer),
        partition: Some(*partition),
        events: vec![event],
    };
    Ok(Some(Item {
        writes: vec![write],
        fence,
        keys: key.into_iter().collect(),
        metadata: Metadata { cause: Some(*cause), ..Metadata::default() },
        ..Item::default()
    }))
}

/// A mark: no event, but the stamp that it is given lets time pass in its partition. It carries the last configuration
/// position of all tenants, since it concerns all of them.
pub(super) fn mark(partition: Partition, fence: Option<Fence>, config: Position) -> Item {
    let event = NewEvent {
        event_type: MARK,
        event_version: 1,
        payload: b"{}".to_vec(),
        event_id: None,
        configures: false,
    };
    let write = Write {
        stream: StreamId::new(&TenantId(String::new()), StreamKind::Mark, partition.0.to_string()),
        expect: Expect::Any,
        customer: None,
        partition: Some(partition),
        events: vec![event],
    };
    Item { writes: vec![write], fence, config: Some(config), ..Item::default() }
}
