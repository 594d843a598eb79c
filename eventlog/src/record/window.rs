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
            Select::Domain => Some(rows.filter(|row| row.is_domain()).take(limit).cloned().collect()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Metadata, Share, StreamId};
    use domain::ids::{Partition, TenantId};
    use domain::time::Stamp;

    fn row(position: u64, payload: usize) -> Recorded {
        Recorded {
            position: Position(position),
            stamp: Stamp(0),
            stream: StreamId::new(&TenantId::from("T"), StreamKind::Customer, "C"),
            version: position,
            customer: None,
            partition: Some(Partition(1)),
            previous: Some(Position(0)),
            config: None,
            event_type: "customer-event".into(),
            event_version: 1,
            payload: vec![0; payload],
            event_id: None,
            configures: false,
            metadata: Metadata::default(),
        }
    }

    fn read(window: &Window, after: u64, end: u64, limit: usize) -> Option<Vec<u64>> {
        let rows = window.read(&Select::All, Position(after), Position(end), limit)?;
        Some(rows.into_iter().map(|row| row.position.0).collect())
    }

    #[test]
    fn a_window_answers_for_what_it_has_whole_and_for_nothing_else() {
        let mut window = Window::after(Position(4));
        assert_eq!((window.end(), read(&window, 4, 4, 9)), (Position(4), Some(vec![])));
        window.take_all((5..=8).map(|n| row(n, 1)).collect());
        assert_eq!(read(&window, 4, 8, 9), Some(vec![5, 6, 7, 8]));
        assert_eq!(read(&window, 6, 7, 9), Some(vec![7, 8]), "rows may reach further");
        assert_eq!(read(&window, 5, 8, 2), Some(vec![6, 7]));
        assert_eq!(read(&window, 8, 8, 9), Some(vec![]));
        assert_eq!(read(&window, 3, 8, 9), None, "before it");
        assert_eq!(read(&window, 6, 9, 9), None, "after it");
    }

    #[test]
    fn a_row_that_came_before_is_not_taken_again_and_one_after_a_gap_begins_the_window_anew() {
        let mut window = Window::after(Position(0));
        assert_eq!(
            [1, 2, 2, 1].map(|n| window.take(row(n, 1))),
            [Taken::Next, Taken::Next, Taken::Again, Taken::Again]
        );
        assert_eq!(read(&window, 0, 2, 9), Some(vec![1, 2]));
        assert_eq!((window.take(row(4, 1)), window.take(row(5, 1))), (Taken::AfterGap, Taken::Next));
        assert_eq!((read(&window, 2, 5, 9), read(&window, 3, 5, 9)), (None, Some(vec![4, 5])));
    }

    #[test]
    fn the_oldest_rows_give_way_and_are_not_answered_for_any_more() {
        let mut window = Window::after(Position(0));
        let (payload, many) = (BYTES / 8, 20);
        for n in 1..=many {
            window.take(row(n, payload));
            assert!(window.rows.len() * payload <= BYTES);
            let first = window.rows.front().unwrap().position.0;
            assert_eq!(read(&window, first - 1, n, 9), Some((first..=n).collect()));
            assert!(first == 1 || read(&window, first - 2, n, 9).is_none());
        }
        assert_eq!(window.rows.len(), 7);
        // One that is larger than all room there is stays, alone.
        window.take(row(many + 1, 2 * BYTES));
        assert_eq!(read(&window, many, many + 1, 9), Some(vec![many + 1]));
    }

    #[test]
    fn a_selection_takes_what_it_selects() {
        let mut window = Window::after(Position(0));
        let kinds = [StreamKind::Customer, StreamKind::Pattern, StreamKind::Reaction, StreamKind::Template];
        for (n, kind) in (1..).zip(kinds) {
            let mut row = row(n, 1);
            if kind != StreamKind::Customer {
                (row.previous, row.partition) = (None, None);
            }
            row.configures = kind == StreamKind::Pattern;
            row.stream.kind = kind;
            window.take(row);
        }
        let of = |select: &Select| {
            let rows = window.read(select, Position(0), Position(4), 9)?;
            Some(rows.into_iter().map(|row| row.position.0).collect::<Vec<_>>())
        };
        let half = |n| Share::each_of(2).nth(n).unwrap();
        let theirs = |share: Share| if share.has(Partition(1)) { vec![1, 2] } else { vec![2] };
        assert_eq!(of(&Select::Domain), Some(vec![2, 3, 4]));
        assert_eq!(of(&Select::Reacting), Some(vec![1, 4]), "this one's event begins no reaction");
        for n in 0..2 {
            assert_eq!(of(&Select::Matching(half(n))), Some(theirs(half(n))));
        }
        assert_eq!(of(&Select::Tenant(TenantId::from("T"))), None, "that is the record's to answer");
    }
}
