//! A record that seems to end at a position until it is let go: what comes after is there, and nobody is told of it.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ids::Position;
use eventlog::record::{Head, Layer, Record};
use tokio::sync::watch;

/// The record.
pub struct Held {
    record: Arc<dyn Record>,
    head: watch::Sender<Head>,
}

impl Held {
    /// One that seems to end there.
    pub fn at(record: Arc<dyn Record>, end: Position) -> Self {
        let stamp = record.head().borrow().stamp;
        Self { record, head: watch::channel(Head { position: end, stamp }).0 }
    }

    /// Tells of all that is there.
    pub fn let_go(&self) {
        self.head.send_replace(*self.record.head().borrow());
    }
}

#[async_trait]
impl Layer for Held {
    fn inner(&self) -> &dyn Record {
        &*self.record
    }

    fn head(&self) -> watch::Receiver<Head> {
        self.head.subscribe()
    }

    fn domain_head(&self) -> watch::Receiver<Head> {
        Layer::head(self)
    }
}
