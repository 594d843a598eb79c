//! Sends: a row for each command's notification, updated as it is tried again: retries share one idempotency key.
//!
//! Polls are not sends. What was sent and answered is read from the record, at the positions kept here.

mod query;
mod view;

use std::collections::HashMap;

use domain::ids::{Position, ReactionId};
use domain::reaction::{Answer, Effect, Event, Input, InputKind, Note, Remark, Request, StepId};
use rusqlite::params;

pub use query::SendFilter;
pub(crate) use query::{COLUMNS, read};
pub use view::{SendId, SendState, SendView};

use crate::Error;
use crate::entry::{Body, Entry};
use crate::model::{Batch, Model, Target};

pub(crate) const MODEL: Model = Model {
    name: "sends",
    id: "projection.sends.v3",
    tables: &["send_v3"],
    schema: "CREATE TABLE IF NOT EXISTS send_v3$ (
        position INTEGER PRIMARY KEY, tenant TEXT NOT NULL, customer BLOB NOT NULL, reaction BLOB NOT NULL,
        key TEXT NOT NULL, step INTEGER, endpoint TEXT NOT NULL, verb TEXT NOT NULL, state TEXT NOT NULL,
        attempts INTEGER NOT NULL, twice INTEGER NOT NULL, begun INTEGER NOT NULL, ended INTEGER,
        at INTEGER NOT NULL, updated INTEGER NOT NULL, redriven INTEGER NOT NULL,
        receipts TEXT NOT NULL,
        UNIQUE (reaction, key), UNIQUE (reaction, step), UNIQUE (tenant, position),
        UNIQUE (tenant, customer, position), UNIQUE (tenant, state, position)) STRICT",
    batch: || Box::new(Sends::default()),
};

/// The sends that the batch touches, by where they began.
#[derive(Default)]
struct Sends {
    touched: HashMap<Position, Stored>,
    by_key: HashMap<(ReactionId, String), Position>,
    by_step: HashMap<(ReactionId, StepId), Position>,
}

struct Stored {
    tenant: String,
    view: SendView,
    /// The step of its last attempt; none if it never began.
    step: Option<StepId>,
    /// Whether its row is there already.
    stored: bool,
}

impl Batch for Sends {
    fn take(&mut self, entry: &Entry, target: &Target<'_>) -> Result<(), Error> {
        let Body::Reaction(id, event) = &entry.body else { return Ok(()) };
        match &**event {
            Event::Effect(Effect::Send(request)) if !request.poll => self.begun(*id, request, entry, target),
            Event::Effect(Effect::Note(Note { remark, .. })) => self.noted(*id, remark, entry, target),
            Event::Input(Input { kind: InputKind::Answered { send, answer }, .. }) => {
                self.change(*id, *send, target, |view| {
                    view.state = match answer {
                        Answer::Succeeded(_) => SendState::Succeeded,
                        Answer::Failed(failure) if failure.held => SendState::Held,
                        Answer::Failed(_) => SendState::Failed,
                    };
                    view.ended = Some(entry.position);
                    view.updated = entry.stamp;
                })
            }
            Event::Input(Input { kind: InputKind::SendResumed { send }, .. }) => {
                self.change(*id, *send, target, |view| {
                    view.attempts += 1;
                    view.possibly_sent_twice = true;
                    view.updated = entry.stamp;
                })
            }
            Event::Input(Input { kind: InputKind::SendDiscarded { send, .. }, .. }) => {
                self.change(*id, *send, target, |view| {
                    view.state = SendState::Failed;
                    view.updated = entry.stamp;
                })
            }
            Event::Input(Input { kind: InputKind::SendRedriven { key, .. }, .. }) => {
                let position = self.with_key(*id, key, target)?;
                if let Some(row) = position.and_then(|position| self.touched.get_mut(&position)) {
                    row.view.redriven = true;
                    row.view.updated = entry.stamp;
                }
                Ok(())
            }
            Event::Input(Input { kind: InputKind::ReceiptCame(receipt), .. }) => {
                let position = self.with_key(*id, &receipt.key, target)?;
                if let Some(row) = position.and_then(|position| self.touched.get_mut(&position)) {
                    row.view.receipts.push(entry.position);
                    row.view.updated = entry.stamp;
                }
                Ok(())
            }
            Event::Matched(_) | Event::Input(_) | Event::Effect(_) => Ok(()),
        }
    }

    fn finish(&mut self, target: &Target<'_>) -> Result<(), Error> {
        let mut rows: Vec<_> = self.touched.values().collect();
        rows.sort_unstable_by_key(|row| row.view.position);
        rows.into_iter().try_for_each(|row| row.write(target))
    }
}

impl Sends {
    fn noted(
        &mut self,
        reaction: ReactionId,
        remark: &Remark,
        entry: &Entry,
        target: &Target<'_>,
    ) -> Result<(), Error> {
        match remark {
            Remark::PossiblySentTwice { send } => {
                self.change(reaction, *send, target, |view| view.possibly_sent_twice = true)
            }
            Remark::HeldNoMore { send } => self.change(reaction, *send, target, |view| {
                view.state = SendState::Failed;
                view.updated = entry.stamp;
            }),
            Remark::NotSent { endpoint, verb, key, .. } => {
                self.not_sent(reaction, [endpoint, verb, key], entry, target)
            }
            _ => Ok(()),
        }
    }

    /// One that failed before it began.
    fn not_sent(
        &mut self,
        reaction: ReactionId,
        [endpoint, verb, key]: [&String; 3],
        entry: &Entry,
        target: &Target<'_>,
    ) -> Result<(), Error> {
        let Some(customer) = entry.customer else { return Ok(()) };
        let position = self.with_key(reaction, key, target)?.unwrap_or(entry.position);
        let row = self.touched.entry(position).or_insert_with(|| Stored {
            tenant: entry.tenant.0.clone(),
            step: None,
            stored: false,
            view: SendView::new(entry, reaction, customer, key, endpoint, verb),
        });
        row.step = None;
        row.view.state = SendState::Failed;
        row.view.attempts += 1;
        row.view.begun = entry.position;
        row.view.ended = Some(entry.position);
        row.view.updated = entry.stamp;
        self.by_key.insert((reaction, key.clone()), position);
        Ok(())
    }

    /// An attempt begins: the first one, or one more of a send that is known.
    fn begun(
        &mut self,
        reaction: ReactionId,
        request: &Request,
        entry: &Entry,
        target: &Target<'_>,
    ) -> Result<(), Error> {
        // Without a customer there is nobody to seal for: no reaction's entry is so.
        let Some(customer) = entry.customer else { return Ok(()) };
        let known = self.with_key(reaction, &request.key, target)?;
        let position = known.unwrap_or(entry.position);
        let row = self.touched.entry(position).or_insert_with(|| Stored {
            tenant: entry.tenant.0.clone(),
            step: Some(request.id),
            stored: false,
            view: SendView::new(entry, reaction, customer, &request.key, &request.endpoint, &request.verb),
        });
        row.step = Some(request.id);
        row.view.state = SendState::Begun;
        row.view.attempts += 1;
        row.view.possibly_sent_twice |= request.possibly_sent_twice;
        row.view.begun = entry.position;
        row.view.updated = entry.stamp;
        self.by_key.insert((reaction, request.key.clone()), position);
        self.by_step.insert((reaction, request.id), position);
        Ok(())
    }

    fn change(
        &mut self,
        reaction: ReactionId,
        step: StepId,
        target: &Target<'_>,
        change: impl FnOnce(&mut SendView),
    ) -> Result<(), Error> {
        let position = self.with_step(reaction, step, target)?;
        // Not there: an answer to an attempt that another one has followed, or to a poll.
        let row = position.and_then(|position| self.touched.get_mut(&position));
        if let Some(row) = row.filter(|row| row.step == Some(step)) {
            change(&mut row.view);
        }
        Ok(())
    }

    fn with_key(
        &mut self,
        reaction: ReactionId,
        key: &str,
        target: &Target<'_>,
    ) -> Result<Option<Position>, Error> {
        if let Some(position) = self.by_key.get(&(reaction, key.to_owned())) {
            return Ok(Some(*position));
        }
        let sql = format!("SELECT {COLUMNS}, tenant, step FROM send_v3$ WHERE reaction = ?1 AND key = ?2");
        let found = target.find(&sql, (reaction.0, key), stored)?;
        Ok(found.map(|row| self.hold(row)))
    }

    fn with_step(
        &mut self,
        reaction: ReactionId,
        step: StepId,
        target: &Target<'_>,
    ) -> Result<Option<Position>, Error> {
        if let Some(position) = self.by_step.get(&(reaction, step)) {
            return Ok(Some(*position));
        }
        let sql = format!("SELECT {COLUMNS}, tenant, step FROM send_v3$ WHERE reaction = ?1 AND step = ?2");
        let found = target.find(&sql, (reaction.0, step.0), stored)?;
        Ok(found.map(|row| self.hold(row)))
    }

    /// Takes a stored row into the batch, unless it is there: then the batch knows better.
    fn hold(&mut self, row: Stored) -> Position {
        let position = row.view.position;
        self.by_key.insert((row.view.reaction, row.view.key.clone()), position);
        if let Some(step) = row.step {
            self.by_step.insert((row.view.reaction, step), position);
        }
        self.touched.entry(position).or_insert(row);
        position
    }
}

fn stored(row: &rusqlite::Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        view: read(row)?,
        tenant: row.get(15)?,
        step: row.get::<_, Option<u32>>(16)?.map(StepId),
        stored: true,
    })
}

impl Stored {
    fn write(&self, target: &Target<'_>) -> Result<(), Error> {
        let view = &self.view;
        let ended = view.ended.map(|position| position.0);
        let step = self.step.map(|step| step.0);
        let receipts = query::in_text(&view.receipts);
        let (state, attempts, twice) = (view.state.name(), view.attempts, view.possibly_sent_twice);
        if self.stored {
            let (at, begun, updated) = (view.position.0, view.begun.0, view.updated.0);
            let row = (at, step, state, attempts, twice, begun, ended, updated, view.redriven, receipts);
            let sql = "UPDATE send_v3$ SET step = ?2, state = ?3, attempts = ?4, twice = ?5, begun = ?6,
                ended = ?7, updated = ?8, redriven = ?9, receipts = ?10 WHERE position = ?1";
            return target.execute(sql, row).map(|_| ());
        }
        let row = params![
            view.position.0,
            &self.tenant,
            view.customer.0,
            view.reaction.0,
            &view.key,
            step,
            &view.endpoint,
            &view.verb,
            state,
            attempts,
            twice,
            view.begun.0,
            ended,
            view.at.0,
            view.updated.0,
            view.redriven,
            receipts,
        ];
        let sql = "INSERT INTO send_v3$ VALUES \
            (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
        target.execute(sql, row).map(|_| ())
    }
}
