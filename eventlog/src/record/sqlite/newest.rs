//! The newest rows, out of memory: the writer has had them in its hands, so nobody needs to read them from the file.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use domain::ids::Position;

use super::SqliteRecord;
use crate::record::window::Window;
use crate::record::{Error, Layer, Record, Recorded, Select};

/// The rows that were committed last.
pub(super) type Rows = Mutex<Window>;

/// None yet, of a record that ends there.
pub(super) fn none_after(end: Position) -> Arc<Rows> {
    Arc::new(Rows::new(Window::after(end)))
}

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
        let here = {
            let newest = self.0.newest.lock().unwrap_or_else(PoisonError::into_inner);
            newest.read(&select, after, self.0.head.borrow().position, limit)
        };
        match here {
            Some(rows) => Ok(rows),
            None => self.0.read_after(select, after, limit).await,
        }
    }
}
