//! The newest rows, out of memory: the writer has had them in its hands, so nobody needs to read them from the file.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ids::Position;

use super::SqliteRecord;
use crate::record::{Error, Layer, Record, Recorded, Select};

/// A record in a SQLite file, whose newest rows are read from memory.
pub struct Newest(Arc<SqliteRecord>);

impl Newest {
    /// Of a record that is written to here.
    pub fn of(record: Arc<SqliteRecord>) -> Arc<Self> {
        Arc::new(Self(record))
    }
}

#[async_trait]
impl Layer for Newest {
    fn inner(&self) -> &dyn Record {
        &*self.0
    }

    async fn read_after(
        &self,
        select: Select,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        let end = self.0.heads.all.borrow().position;
        self.0.newest.read_after((&*self.0, end), select, after, limit).await
    }
}
