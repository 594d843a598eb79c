//! From an event that asks to come in to an item that can be appended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domain::augment::Service;
use domain::customer_event::{Augmentations, CustomerEvent, Refusal, key_of};
use domain::ids::{CustomerId, EventId, TenantId};
use domain::json::{Json, Object};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::configuration::Current;
use super::door::{Door, Incoming, Prepared, Refused};
use crate::augment::Plan;
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
    let (current, plan) = door.current(tenant, Service::Engine).await?;
    let key_attribute = current.configuration.key_attribute.as_deref();
    let mut answers = Vec::with_capacity(incoming.len());
    let mut candidates = Vec::with_capacity(incoming.len());
    for (n, incoming) in incoming {
        match candidate(incoming, key_attribute, &plan) {
            Ok(candidate) => candidates.push((*n, *incoming, candidate)),
            Err(refusal) => answers.push((*n, Err(refusal.into()))),
        }
    }
    let augmented = augmented(&plan, &mut candidates).await?;
    let mut valid = Vec::with_capacity(candidates.len());
    for ((n, incoming, candidate), augmented) in candidates.into_iter().zip(augmented) {
        match validated(&current, incoming, candidate, augmented) {
            Ok(event) => valid.push((n, incoming, event)),
            Err(refusal) => answers.push((n, Err(refusal.into()))),
        }
    }
    let config = current.configuration.position;
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

/// An event before it is augmented.
#[derive(Default)]
struct Candidate {
    event: Object,
    /// The key, or why it has none yet.
    key: Option<String>,
}

/// The event, if it can come in. One without a key may be given one by an augment.
fn candidate(incoming: &Incoming, key_attribute: Option<&str>, plan: &Plan) -> Result<Candidate, Refusal> {
    let key = match key_of(&incoming.event, key_attribute) {
        Err(Refusal::KeyMissing(_)) if !plan.is_empty() => None,
        key => Some(key?),
    };
    let event = incoming.event.as_object().ok_or(Refusal::NotAnObject(incoming.event.kind()))?.clone();
    Ok(Candidate { event, key })
}

/// How many events of a batch are augmented at once, where somebody else is asked.
const AT_ONCE: usize = 64;

/// What the augments do to each of the events, in order.
async fn augmented(
    plan: &Plan,
    candidates: &mut [(usize, &Incoming, Candidate)],
) -> Result<Vec<Augmentations>, Error> {
    let mut all = vec![Augmentations::default(); candidates.len()];
    if plan.is_empty() {
        return Ok(all);
    }
    let deadline = Plan::deadline();
    if !plan.asks() || candidates.len() == 1 {
        for (done, ((_, _, candidate), augmented)) in candidates.iter().zip(&mut all).enumerate() {
            if done % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            *augmented = plan.apply(candidate.key.as_deref(), &candidate.event, deadline).await;
        }
        return Ok(all);
    }
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut asking = JoinSet::new();
    for (n, (_, _, candidate)) in candidates.iter_mut().enumerate() {
        let (plan, room, candidate) = (plan.clone(), room.clone(), std::mem::take(candidate));
        asking.spawn(async move {
            let _place = room.acquire().await;
            let augmented = plan.apply(candidate.key.as_deref(), &candidate.event, deadline).await;
            (n, candidate, augmented)
        });
    }
    while let Some(ended) = asking.join_next().await {
        let broken = |error: tokio::task::JoinError| Error::Unavailable(format!("an augment broke: {error}"));
        let (n, candidate, augmented) = ended.map_err(broken)?;
        if let (Some(place), Some(result)) = (candidates.get_mut(n), all.get_mut(n)) {
            place.2 = candidate;
            *result = augmented;
        }
    }
    Ok(all)
}

/// The event as it will be stored, if it can come in.
fn validated(
    current: &Current,
    incoming: &Incoming,
    candidate: Candidate,
    augmented: Augmentations,
) -> Result<CustomerEvent, Refusal> {
    let Candidate { event, key } = candidate;
    let id = EventId(rand::random());
    let origin = incoming.origin.clone();
    let mut event = CustomerEvent { id, key: String::new(), event, augmented, contributing: false, origin };
    let key_attribute = current.configuration.key_attribute.as_deref();
    if event.augmented.is_empty() {
        event.contributing = current.contributes(&event.event);
        event.key = key.map_or_else(|| key_of(&event.event.clone().into(), key_attribute), Ok)?;
    } else {
        let effective = Json::Object(event.effective());
        event.contributing = current.contributes(&effective);
        event.key = key.map_or_else(|| key_of(&effective, key_attribute), Ok)?;
    }
    Ok(event)
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
