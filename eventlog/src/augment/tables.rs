//! Tables at hand: loaded when they are first needed, once for all who wait, and let go when room is short.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::augment::File;
use domain::ids::TenantId;
use tokio::sync::OnceCell;

use super::table::{Builder, Table};
use crate::files::FileStore;
use crate::record::Error;

/// Which file.
type Key = (TenantId, String);

/// The tables of the files in use.
pub(super) struct Tables {
    store: FileStore,
    /// How many bytes they may take up together. A table in use stays until it is not.
    room: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    tables: HashMap<Key, Place>,
    /// Counts uses, to know which is the oldest.
    uses: u64,
}

#[derive(Default)]
struct Place {
    table: Arc<OnceCell<Arc<Table>>>,
    last_use: u64,
}

/// Why there is no table.
pub(super) enum Missing {
    /// The file is gone: another one is in force by now.
    Gone,
    /// What is stored is not what was uploaded.
    Damaged(String),
    /// The record's, and it may pass.
    Record(Error),
}

impl Tables {
    pub(super) fn new(store: FileStore, room: usize) -> Self {
        Self { store, room, held: Mutex::default() }
    }

    pub(super) async fn table(&self, tenant: &TenantId, file: &File) -> Result<Arc<Table>, Missing> {
        let key = (tenant.clone(), file.id.clone());
        let place = {
            let mut held = self.held();
            held.uses += 1;
            let now = held.uses;
            let place = held.tables.entry(key.clone()).or_default();
            place.last_use = now;
            place.table.clone()
        };
        if let Some(table) = place.get() {
            return Ok(table.clone());
        }
        let loaded = place.get_or_try_init(|| self.load(tenant, file)).await;
        match loaded {
            Ok(table) => {
                self.make_room(&key);
                Ok(table.clone())
            }
            Err(missing) => {
                self.held().tables.remove(&key);
                Err(missing)
            }
        }
    }

    async fn load(&self, tenant: &TenantId, file: &File) -> Result<Arc<Table>, Missing> {
        let size = |n: u64| usize::try_from(n).unwrap_or_default();
        let mut builder = Builder::new(size(file.bytes), size(file.rows));
        let mut read = 0;
        for number in 0.. {
            let piece = self.store.piece(tenant, &file.id, number).await.map_err(|error| match error {
                Error::Damaged(what) => Missing::Damaged(what),
                other => Missing::Record(other),
            })?;
            let Some(piece) = piece else { break };
            read += piece.len() as u64;
            builder = apart(move || builder.push(&piece).map(|()| builder)).await?;
        }
        if read != file.bytes {
            return Err(if read == 0 { Missing::Gone } else { Missing::Damaged("it is not whole".into()) });
        }
        Ok(Arc::new(apart(move || builder.end()).await?))
    }

    /// Lets tables go until the others fit, those first that were not used for longest.
    fn make_room(&self, newest: &Key) {
        let mut held = self.held();
        let weight = |place: &Place| place.table.get().map_or(0, |table| table.weight());
        let mut sum: usize = held.tables.values().map(weight).sum();
        while sum > self.room {
            let others =
                held.tables.iter().filter(|(key, place)| *key != newest && place.table.initialized());
            let Some(oldest) = others.min_by_key(|(_, place)| place.last_use).map(|(key, _)| key.clone())
            else {
                break;
            };
            sum -= held.tables.remove(&oldest).map_or(0, |place| weight(&place));
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs work that takes a while on a thread of its own.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, domain::augment::csv::Error> + Send + 'static,
) -> Result<T, Missing> {
    let ended = tokio::task::spawn_blocking(work).await;
    let ended = ended.map_err(|error| Missing::Record(Error::Unavailable(error.to_string())))?;
    ended.map_err(|error| Missing::Damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempRecord;

    async fn upload(temp: &TempRecord, tenant: &TenantId, text: &str) -> File {
        let mut writer = temp.file_store().create(tenant);
        writer.push(text.as_bytes()).await.unwrap();
        let (id, bytes) = writer.end().await.unwrap();
        File { id, bytes, rows: text.lines().count() as u64 - 1 }
    }

    #[tokio::test]
    async fn tables_are_loaded_once_and_the_oldest_makes_room() {
        let temp = TempRecord::new();
        let acme = temp.tenant("acme", "id").await;
        let text = format!("id,name\n1,{}\n", "x".repeat(900));
        let files = [&text; 3].map(|text| upload(&temp, &acme, text));
        let mut stored = Vec::new();
        for file in files {
            stored.push(file.await);
        }
        let tables = Tables::new(temp.file_store(), 2_500);
        let mut first = Vec::new();
        for file in &stored[..2] {
            first.push(tables.table(&acme, file).await.ok().unwrap());
        }
        let again = tables.table(&acme, &stored[0]).await.ok().unwrap();
        assert!(Arc::ptr_eq(&again, &first[0]), "loaded twice");
        tables.table(&acme, &stored[2]).await.ok().unwrap();
        let held = |file: &File| tables.held().tables.contains_key(&(acme.clone(), file.id.clone()));
        assert_eq!([held(&stored[0]), held(&stored[1]), held(&stored[2])], [true, false, true]);
    }

    #[tokio::test]
    async fn a_file_that_is_gone_or_torn_is_no_table() {
        use crate::files::{Files, PIECE};
        let temp = TempRecord::new();
        let acme = temp.tenant("acme", "id").await;
        let file = upload(&temp, &acme, &format!("id,name\n{}", "1,x\n".repeat(PIECE / 4))).await;
        let tables = Tables::new(temp.file_store(), 1 << 30);
        let other = File { bytes: file.bytes + 1, ..file.clone() };
        assert!(matches!(tables.table(&acme, &other).await, Err(Missing::Damaged(_))));
        assert!(tables.table(&acme, &file).await.is_ok());
        temp.record.drop_file(&acme, &file.id).await.unwrap();
        assert!(tables.table(&acme, &file).await.is_ok(), "what is at hand is used");
        let fresh = Tables::new(temp.file_store(), 1 << 30);
        assert!(matches!(fresh.table(&acme, &file).await, Err(Missing::Gone)));
    }
}
