//! Where the record ends, as those see it who follow it: whoever follows the domain log alone is not woken for the rest.

use tokio::sync::watch;

use crate::record::{Head, Recorded};

/// The end of the record, for those who follow all of it and for those who follow the domain log.
pub(super) struct Heads<T> {
    pub(super) all: T,
    pub(super) domain: T,
}

impl Heads<watch::Sender<Head>> {
    pub(super) fn at(head: Head) -> (Self, Heads<watch::Receiver<Head>>) {
        let (all, domain) = (watch::channel(head), watch::channel(head));
        (Self { all: all.0, domain: domain.0 }, Heads { all: all.1, domain: domain.1 })
    }

    /// Those that move with these rows.
    pub(super) fn moving(&self, rows: &[Recorded]) -> [Option<&watch::Sender<Head>>; 2] {
        let has_domain = rows.iter().any(Recorded::is_domain);
        [(!rows.is_empty()).then_some(&self.all), has_domain.then_some(&self.domain)]
    }
}
