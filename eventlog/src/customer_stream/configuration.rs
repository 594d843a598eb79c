//! The configuration of each tenant, kept up to date from the record.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use domain::configuration::{Change, Configuration};
use domain::dsl::when::index::PredicateIndex;
use domain::ids::{AugmentId, PatternId, Position, TenantId};
use domain::value::Attributes;
use tokio::sync::RwLock;

use crate::record::{Error, Record, Recorded, Select, StreamKind};

/// How many changes are read at a time.
const PAGE: usize = 1_000;

/// What an event is held against at the door.
#[derive(Default)]
pub(super) struct Current {
    pub(super) configuration: Configuration,
    /// The event predicates of the enabled patterns, a `fail`'s too; each once.
    predicates: PredicateIndex<()>,
}

impl Current {
    /// Whether some enabled pattern has an event predicate that the event meets.
    pub(super) fn contributes(&self, event: &impl Attributes) -> bool {
        let mut any = false;
        self.predicates.for_each_match(event, |()| any = true);
        any
    }

    fn new(configuration: Configuration) -> Self {
        let mut seen = HashSet::new();
        let mut predicates = PredicateIndex::default();
        for pattern in configuration.patterns.values() {
            for (predicate, _) in pattern.trigger.predicates() {
                if seen.insert(predicate.to_string()) {
                    predicates.insert(predicate.clone(), ());
                }
            }
        }
        Self { configuration, predicates }
    }
}

/// The configurations of all tenants that sent events.
#[derive(Default)]
pub(super) struct Configurations {
    tenants: Mutex<HashMap<TenantId, Arc<RwLock<Arc<Current>>>>>,
}

impl Configurations {
    /// A tenant's configuration, with every change that is in the record now. It stays as it is for who has it:
    /// what is decided on it may take its time, and is refused as stale if the configuration has moved.
    pub(super) async fn current(
        &self,
        record: &dyn Record,
        tenant: &TenantId,
    ) -> Result<Arc<Current>, Error> {
        let place = {
            let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
            match tenants.get(tenant) {
                Some(current) => Arc::clone(current),
                None => Arc::clone(tenants.entry(tenant.clone()).or_default()),
            }
        };
        let newest = record.config_position(tenant).await?;
        {
            let current = place.read().await;
            if current.configuration.position >= newest {
                return Ok(current.clone());
            }
        }
        // Those who come while this one reads wait for it, and then find nothing left to do.
        let mut current = place.write().await;
        if current.configuration.position < newest {
            *current = Arc::new(refreshed(&current, record, tenant, newest).await?);
        }
        Ok(current.clone())
    }
}

async fn refreshed(
    before: &Current,
    record: &dyn Record,
    tenant: &TenantId,
    newest: Position,
) -> Result<Current, Error> {
    let mut configuration = before.configuration.clone();
    while configuration.position < newest {
        let after = configuration.position;
        let rows = record.read_after(Select::Configuration(Some(tenant.clone())), after, PAGE).await?;
        if rows.is_empty() {
            return Err(Error::Damaged(format!("the configuration change at position {newest} is missing")));
        }
        for row in &rows {
            match change_of(row)? {
                Some(change) => drop(configuration.apply(row.position, change)),
                // Of a kind that this release does not match by.
                None => configuration.position = row.position,
            }
        }
    }
    Ok(Current::new(configuration))
}

/// The change that a row made to its tenant's configuration; `None` if it is of a kind that made none.
///
/// # Errors
/// [`Error::Damaged`] for a row that is not what its kind says.
pub fn change_of(row: &Recorded) -> Result<Option<Change>, Error> {
    let change = match row.stream.kind {
        StreamKind::Tenant => serde_json::from_slice(&row.payload).map(Change::Tenant),
        StreamKind::Pattern => serde_json::from_slice(&row.payload)
            .map(|event| Change::Pattern(PatternId(row.stream.id.clone()), event)),
        StreamKind::Augment => serde_json::from_slice(&row.payload)
            .map(|event| Change::Augment(AugmentId(row.stream.id.clone()), event)),
        _ => return Ok(None),
    };
    change.map(Some).map_err(|error| Error::Damaged(format!("position {}: {error}", row.position)))
}
