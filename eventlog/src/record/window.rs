//! The record's newest rows in memory, without a gap.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::ids::Position;

use super::row::BEGINNING;
use super::{Error, Record, Recorded, Select, StreamKind};

/// How much is kept, by the rows' payloads and what surrounds them: whoever follows the record is some milliseconds behind.
const BYTES: usize = 16 * 1024 * 1024;

/// What surrounds a payload, about.
const AROUND: usize = 320;

/// The last rows.
pub(crate) struct Window {
    rows: VecDeque<Recorded>,
    /// What the rows come after.
    after: Position,
    used: usize,
}

/// The window as whoever fills it and its readers share it.
pub(crate) struct Shared(Mutex<Window>);

impl Shared {
    /// An empty one that begins after a position.
    pub(crate) fn after(after: Position) -> Self {
        Self(Mutex::new(Window::after(after)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Window> {
        // Whole at every moment, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows after a position of a record that is known to end there: from here if all of them are, or from the record.
    pub(crate) async fn read_after(
        &self,
        (record, end): (&dyn Record, Position),
        select: Select,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Recorded>, Error> {
        let here = self.lock().read(&select, after, end, limit);
        match here {
            Some(rows) => Ok(rows),
            None => record.read_after(select, after, limit).await,
        }
    }
}

/// What a row was to the window.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Next,
    Again,
    AfterGap,
}

impl Window {
    /// An empty one that begins after a position.
    pub(crate) fn after(after: Position) -> Self {
        Self { rows: VecDeque::new(), after, used: 0 }
    }

    /// Up to where rows are here.
    pub(crate) fn end(&self) -> Position {
        self.rows.back().map_or(self.after, |row| row.position)
    }

    /// The newest row.
    pub(crate) fn last(&self) -> Option<&Recorded> {
        self.rows.back()
    }

    /// Takes a row in; one that does not follow on those that are here makes the window begin with it.
    pub(crate) fn take(&mut self, row: Recorded) -> Taken {
        let end = self.end();
        if row.position <= end {
            return Taken::Again;
        }
        let follows = row.position.0 == end.0 + 1 || crate::broken!("no-gap-check");
        if !follows {
            *self = Self::after(Position(row.position.0 - 1));
        }
        self.used += row.payload.len() + AROUND;
        self.rows.push_back(row);
        while self.used > BYTES && self.rows.len() > 1 {
            if let Some(dropped) = self.rows.pop_front() {
                self.used = self.used.saturating_sub(dropped.payload.len() + AROUND);
                self.after = dropped.position;
            }
        }
        if follows { Taken::Next } else { Taken::AfterGap }
    }

    /// Takes rows in, one after the other.
    pub(crate) fn take_all(&mut self, rows: Vec<Recorded>) {
        for row in rows {
            self.take(row);
        }
    }

    /// Rows after a position up to `end`, at most `limit`, if all of them are here; they may reach further.
    pub(crate) fn read(
        &self,
        select: &Select,
        after: Position,
        end: Position,
        limit: usize,
    ) -> Option<Vec<Recorded>> {
        if after < self.after || end > self.end() {
            return None;
        }
        // Without a gap between them: the place of a row is known from its position.
        let rows = self.rows.iter().skip(usize::try_from(after.0 - self.after.0).unwrap_or(usize::MAX));
        match select {
            Select::All => Some(rows.take(limit).cloned().collect()),
            Select::Domain => Some(rows.filter(|row| row.previous.is_none()).take(limit).cloned().collect()),
            Select::Matching(share) => {
                let theirs = |row: &&Recorded| match (row.previous, row.partition) {
                    (Some(_), Some(partition)) => share.has(partition),
                    _ => row.configures,
                };
                Some(rows.filter(theirs).take(limit).cloned().collect())
            }
            Select::Reacting => {
                Some(rows.filter(|row| concerns_reactions(row)).take(limit).cloned().collect())
            }
            _ => None,
        }
    }
}

/// As the homes' `Select::Reacting` have it.
fn concerns_reactions(row: &Recorded) -> bool {
    match row.stream.kind {
        StreamKind::Customer | StreamKind::Template => true,
        StreamKind::Reaction => BEGINNING.contains(&row.event_type.as_str()),
        _ => false,
    }
}
