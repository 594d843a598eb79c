//! From an event that asks to come in to an item that can be appended.

use std::collections::{BTreeMap, BTreeSet};

use domain::configuration::Configuration;
use domain::customer_event::{Augmented, CustomerEvent, Refusal, key_of};
use domain::ids::{CustomerId, EventId, TenantId};
use domain::json::Object;
use sha2::{Digest, Sha256};

use super::configuration::Current;
use super::door::{Door, Incoming, Prepared, Refused};
use crate::crypto::Customer;
use crate::record::{Error, Expect, Item, NewEvent, StreamId, StreamKind, Write};

/// How many events are sealed before others get their turn on this thread.
const TURN: usize = 64;

/// An event's place in its batch.
type Placed<T> = (usize, T);

/// Validates, augments and seals events; each one's answer, in order.
pub(super) async fn prepare(door: &Door, incoming: &[&Incoming]) -> Vec<Result<Prepared, Refused>> {
    let mut tenants: BTreeMap<&TenantId, Vec<Placed<&Incoming>>> = BTreeMap::new();
    for (n, event) in incoming.iter().enumerate() {
        tenants.entry(&event.tenant).or_default().push((n, event));
    }
    let mut answers = Vec::with_capacity(incoming.len());
    for (tenant, events) in tenants {
        match of_tenant(door, tenant, &events).await {
            Ok(prepared) => answers.extend(prepared),
            Err(error) => {
                answers.extend(events.iter().map(|(n, _)| (*n, Err(Refused::Record(error.clone())))));
            }
        }
    }
    answers.sort_unstable_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

async fn of_tenant(
    door: &Door,
    tenant: &TenantId,
    incoming: &[Placed<&Incoming>],
) -> Result<Vec<Placed<Result<Prepared, Refused>>>, Error> {
    let current = door.configurations.current(&*door.record, tenant).await?;
    let mut answers = Vec::with_capacity(incoming.len());
    let mut valid = Vec::with_capacity(incoming.len());
    let config = {
        let current = current.read().await;
        for (n, incoming) in incoming {
            match validated(&current, incoming) {
                Ok(event) => valid.push((*n, *incoming, event)),
                Err(refusal) => answers.push((*n, Err(refusal.into()))),
            }
        }
        current.configuration.position
    };
    if valid.is_empty() {
        return Ok(answers);
    }
    let of_tenant = door.vault.tenant(tenant).await?;
    let customers: Vec<Customer> = valid.iter().map(|(_, _, event)| of_tenant.customer(&event.key)).collect();
    let ids: BTreeSet<CustomerId> = customers.iter().map(|customer| customer.id).collect();
    let keys = door.vault.customer_keys(&of_tenant, &ids.into_iter().collect::<Vec<_>>(), true).await?;
    for (done, ((n, incoming, event), customer)) in valid.into_iter().zip(customers).enumerate() {
        if done % TURN == TURN - 1 {
            tokio::task::yield_now().await;
        }
        let key = keys.get(&customer.id).ok_or_else(|| Error::Unavailable("no key was made".into()))?;
        let clear = serde_json::to_vec(&event).map_err(|error| Error::Malformed(error.to_string()))?;
        let item = Item {
            writes: vec![Write {
                stream: StreamId::new(tenant, StreamKind::Customer, customer.id.to_string()),
                expect: Expect::Any,
                customer: Some(customer.id),
                partition: Some(customer.partition),
                events: vec![NewEvent {
                    event_type: CustomerEvent::TYPE,
                    event_version: 1,
                    payload: key.seal(tenant, customer.id, CustomerEvent::TYPE, &clear),
                    event_id: Some(event.id),
                    configures: false,
                }],
            }],
            fence: None,
            config: Some(config),
            idempotency: idempotency(incoming),
            keys: key.row(tenant, customer.id).into_iter().collect(),
            metadata: incoming.metadata.clone(),
        };
        answers.push((n, Ok(Prepared { item, event })));
    }
    Ok(answers)
}

/// The event as it will be stored, if it can come in.
fn validated(current: &Current, incoming: &Incoming) -> Result<CustomerEvent, Refusal> {
    let key = key_of(&incoming.event, current.configuration.key_attribute.as_deref())?;
    let event = incoming.event.as_object().ok_or(Refusal::NotAnObject(incoming.event.kind()))?.clone();
    let mut event = CustomerEvent {
        id: EventId(rand::random()),
        key,
        augmented: augmented(&current.configuration, &event),
        event,
        contributing: false,
        origin: incoming.origin.clone(),
    };
    event.contributing = match event.augmented.is_empty() {
        true => current.contributes(&event.event),
        false => current.contributes(&event.effective()),
    };
    Ok(event)
}

/// What the tenant's augments do to an event, by their ids. There are none yet: this is where they will be asked.
fn augmented(_: &Configuration, _: &Object) -> BTreeMap<String, Augmented> {
    BTreeMap::new()
}

/// The hash of tenant and idempotency key; the tenant's length keeps neighbours apart.
pub(super) fn idempotency(incoming: &Incoming) -> Option<[u8; 32]> {
    let key = incoming.idempotency_key.as_ref()?;
    let mut hash = Sha256::new();
    hash.update((incoming.tenant.as_str().len() as u64).to_le_bytes());
    hash.update(incoming.tenant.as_str());
    hash.update(key);
    Some(hash.finalize().into())
}
