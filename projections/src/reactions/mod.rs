//! Matches and the reactions that they started: one row for both, since a match is the first entry of its reaction.
//!
//! Where a match is, which pattern's, and what has become of its reaction; what it decided and sent is read from
//! the record.

mod query;
mod view;

use std::collections::HashMap;

use domain::ids::{CustomerId, ReactionId};
use domain::reaction::{Effect, Event, InputKind, Match, Outcome};

pub use query::ReactionFilter;
pub(crate) use query::{COLUMNS, read};
pub use view::{ReactionState, ReactionView};

use crate::Error;
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

pub(crate) const MODEL: Model = Model {
    name: "reactions",
    id: "projection.reactions.v1",
    tables: &["reaction_v1"],
    schema: "CREATE TABLE IF NOT EXISTS reaction_v1$ (
        position INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, tenant TEXT NOT NULL, pattern TEXT NOT NULL,
        version INTEGER NOT NULL, customer BLOB NOT NULL, matched INTEGER NOT NULL, at INTEGER NOT NULL,
        start INTEGER, state TEXT NOT NULL, updated INTEGER NOT NULL,
        UNIQUE (tenant, position), UNIQUE (tenant, customer, position), UNIQUE (tenant, customer, start),
        UNIQUE (tenant, pattern, position), UNIQUE (tenant, state, position)) STRICT",
    batch: || Box::new(Reactions::default()),
};

/// The reactions that the batch touches; `None`: its match is not known (the customer was erased then).
#[derive(Default)]
struct Reactions {
    touched: HashMap<ReactionId, Option<Stored>>,
}

struct Stored {
    tenant: String,
    view: ReactionView,
    /// Whether its row is there already.
    stored: bool,
}

impl Batch for Reactions {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        let Body::Reaction(id, event) = &entry.body else { return Ok(()) };
        if let (Event::Matched(matched), Some(customer)) = (&**event, entry.customer) {
            self.touched.insert(*id, Some(begun(*id, matched, customer, entry)));
            return Ok(());
        }
        if !self.touched.contains_key(id) {
            self.touched.insert(*id, load(*id, target)?);
        }
        let Some(Some(Stored { view, .. })) = self.touched.get_mut(id) else { return Ok(()) };
        view.updated = entry.stamp;
        match &**event {
            Event::Input(input) if matches!(input.kind, InputKind::Started(_)) => {
                view.start = Some(entry.position);
            }
            Event::Effect(Effect::Finished(outcome)) => {
                view.state = match outcome {
                    Outcome::Done => ReactionState::Done,
                    Outcome::Failed { .. } => ReactionState::Failed,
                    Outcome::Cancelled { .. } => ReactionState::Cancelled,
                };
            }
            Event::Matched(_) | Event::Input(_) | Event::Effect(_) => {}
        }
        Ok(())
    }

    fn finish(&mut self, target: &Target<'_>) -> Result<(), Error> {
        let mut rows: Vec<_> = self.touched.values().flatten().collect();
        rows.sort_unstable_by_key(|row| row.view.position);
        rows.into_iter().try_for_each(|row| row.write(target))
    }
}

fn begun(id: ReactionId, matched: &Match, customer: CustomerId, entry: &Entry) -> Stored {
    Stored {
        tenant: entry.tenant.0.clone(),
        stored: false,
        view: ReactionView {
            id,
            pattern: matched.pattern.clone(),
            version: matched.version,
            customer,
            position: entry.position,
            matched: matched.at,
            at: entry.stamp,
            start: None,
            state: ReactionState::Running,
            updated: entry.stamp,
        },
    }
}

fn load(id: ReactionId, target: &Target<'_>) -> Result<Option<Stored>, Error> {
    let sql = format!("SELECT {COLUMNS}, tenant FROM reaction_v1$ WHERE id = ?1");
    target.find(&sql, [id.0], |row| Ok(Stored { view: read(row)?, tenant: row.get(10)?, stored: true }))
}

impl Stored {
    fn write(&self, target: &Target<'_>) -> Result<(), Error> {
        let view = &self.view;
        let start = view.start.map(|position| position.0);
        if self.stored {
            let sql = "UPDATE reaction_v1$ SET start = ?2, state = ?3, updated = ?4 WHERE position = ?1";
            let row = (view.position.0, start, view.state.name(), view.updated.0);
            return target.execute(sql, row).map(|_| ());
        }
        let row = (
            view.position.0,
            view.id.0,
            &self.tenant,
            view.pattern.as_str(),
            view.version,
            view.customer.0,
            view.matched.0,
            view.at.0,
            start,
            view.state.name(),
            view.updated.0,
        );
        let sql = "INSERT INTO reaction_v1$ VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        target.execute(sql, row).map(|_| ())
    }
}
