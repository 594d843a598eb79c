//! What listeners keep over a restart: which ones there are, as far as the record was read, and each one's place.
//!
//! Both can be thrown away. The first is read from the record again; without the second, a listener asks for all
//! that the third party still has since it was enabled, and the door takes nothing twice.

use std::collections::HashMap;
use std::sync::Arc;

use domain::ids::{ListenerId, Position, TenantId};
use domain::listener::Definition;
use domain::time::Stamp;
use eventlog::checkpoint::{Places, Row};
use eventlog::record::Error;
use serde::{Deserialize, Serialize};

use super::board::Key;

/// The names of the checkpoints: where the record was read to, and the places.
const KNOWN: &str = "listeners";
const PLACES: &str = "listeners/places";

/// A listener as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Known {
    pub(super) definition: Definition,
    /// When what it listens to was last changed, or it was enabled.
    pub(super) since: Stamp,
}

/// Where a listener is in what it listens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Place {
    /// In what: a place in something else is none.
    pub(super) within: String,
    /// From when on it wants events, by the third party's clock.
    pub(super) since: Stamp,
    /// The last one that it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<i64>,
}

/// The checkpoints, and the changes that are not in them yet.
pub(super) struct Kept {
    checkpoints: Arc<dyn Places>,
    pub(super) known: HashMap<Key, Known>,
    pub(super) position: Position,
    changes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Kept {
    pub(super) async fn load(checkpoints: Arc<dyn Places>) -> Result<Self, Error> {
        let (position, rows) = match checkpoints.load(KNOWN).await {
            Ok(loaded) => loaded.unwrap_or_default(),
            Err(Error::Damaged(reason)) => {
                tracing::warn!(%reason, "the listeners are read from the record again");
                Default::default()
            }
            Err(error) => return Err(error),
        };
        let read = |(key, value): &Row| Some((key_of(key)?, serde_json::from_slice(value).ok()?));
        // A row that this release cannot read: from the beginning.
        let (position, known) = match rows.iter().map(read).collect() {
            Some(known) => (position, known),
            None => (Position(0), HashMap::new()),
        };
        Ok(Self { checkpoints, known, position, changes: Vec::new() })
    }

    pub(super) fn set(&mut self, key: &Key, known: Option<Known>) {
        let value = known.as_ref().and_then(|known| serde_json::to_vec(known).ok());
        self.changes.push((bytes_of(key), value));
        match known {
            Some(known) => drop(self.known.insert(key.clone(), known)),
            None => drop(self.known.remove(key)),
        }
    }

    pub(super) fn is_changed(&self) -> bool {
        !self.changes.is_empty()
    }

    pub(super) async fn keep(&mut self, position: Position) -> Result<(), Error> {
        self.position = position;
        self.checkpoints.commit(KNOWN, position, std::mem::take(&mut self.changes)).await
    }
}

/// A listener's place; none if it has none in `within`.
pub(super) async fn place(checkpoints: &dyn Places, key: &Key, within: &str) -> Result<Option<Place>, Error> {
    let rows = match checkpoints.load(PLACES).await {
        Err(Error::Damaged(reason)) => {
            tracing::warn!(%reason, "the listeners' places are lost: they ask for all that there is");
            checkpoints.forget(PLACES).await?;
            None
        }
        loaded => loaded?,
    };
    let wanted = bytes_of(key);
    let row = rows.and_then(|(_, rows)| rows.into_iter().find(|(key, _)| *key == wanted));
    let place: Option<Place> = row.and_then(|(_, value)| serde_json::from_slice(&value).ok());
    Ok(place.filter(|place| place.within == within))
}

/// Writes a listener's place down; `None`: it has none any more.
pub(super) async fn keep_place(
    checkpoints: &dyn Places,
    key: &Key,
    place: Option<&Place>,
) -> Result<(), Error> {
    let value = place.and_then(|place| serde_json::to_vec(place).ok());
    checkpoints.commit(PLACES, Position(0), vec![(bytes_of(key), value)]).await
}

/// A tenant's id has no NUL in it.
fn bytes_of(key: &Key) -> Vec<u8> {
    format!("{}\0{}", key.tenant, key.id).into_bytes()
}

fn key_of(bytes: &[u8]) -> Option<Key> {
    let (tenant, id) = std::str::from_utf8(bytes).ok()?.split_once('\0')?;
    Some(Key { tenant: TenantId::from(tenant), id: ListenerId::from(id) })
}
