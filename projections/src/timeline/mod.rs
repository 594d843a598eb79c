//! A customer's timeline but for its events, which are read from the record and merged in by position.
//!
//! It has no tables of its own: matches and reactions are rows of one read model, sends of another.

use std::cmp::Reverse;

use domain::ids::{CustomerId, Position, TenantId};
use rusqlite::{Connection, Row};

use crate::{Error, Page, ReactionView, SendView, Views, reactions, sends};

/// An entry of a customer's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimelineEntry {
    /// A match; at [`ReactionView::position`].
    Match(ReactionView),
    /// A reaction that started; at [`ReactionView::start`].
    Reaction(ReactionView),
    /// A send, as it is now; where its first attempt began.
    Send(SendView),
}

impl TimelineEntry {
    /// Where it stands; no two entries stand in one place.
    pub fn position(&self) -> Position {
        match self {
            Self::Match(view) => view.position,
            // A reaction is an entry because it has started.
            Self::Reaction(view) => view.start.unwrap_or(view.position),
            Self::Send(view) => view.position,
        }
    }
}

impl Views {
    /// The matches, reactions and sends of a customer, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn timeline(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        page: Page,
    ) -> Result<Vec<TimelineEntry>, Error> {
        let tenant = tenant.clone();
        self.ask(move |connection| {
            let of = Of { connection, tenant: &tenant, customer, page };
            let mut entries = of.entries("reaction_v1", reactions::COLUMNS, "position", |row| {
                reactions::read(row).map(TimelineEntry::Match)
            })?;
            entries.extend(of.entries("reaction_v1", reactions::COLUMNS, "start", |row| {
                reactions::read(row).map(TimelineEntry::Reaction)
            })?);
            entries.extend(of.entries("send_v3", sends::COLUMNS, "position", |row| {
                sends::read(row).map(TimelineEntry::Send)
            })?);
            entries.sort_unstable_by_key(|entry| Reverse(entry.position()));
            entries.truncate(page.limit);
            Ok(entries)
        })
        .await
    }
}

struct Of<'a> {
    connection: &'a Connection,
    tenant: &'a TenantId,
    customer: CustomerId,
    page: Page,
}

impl Of<'_> {
    fn entries(
        &self,
        table: &str,
        columns: &str,
        place: &str,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<TimelineEntry>,
    ) -> Result<Vec<TimelineEntry>, Error> {
        let (before, limit) = self.page.bounds();
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {columns} FROM {table} WHERE tenant = ?1 AND customer = ?2 AND {place} < ?3
             ORDER BY {place} DESC LIMIT ?4"
        ))?;
        let parameters = (self.tenant.as_str(), self.customer.0, before, limit);
        Ok(statement.query_map(parameters, read)?.collect::<Result<_, _>>()?)
    }
}
