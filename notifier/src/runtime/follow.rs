//! The rows of the record, in order: matches start reactions, customers' events meet expects, and time passes.
//!
//! A deadline has passed when a row stamped later is read: stamps never fall along the log, so no event that would
//! still count can come after that row. If nothing later is there when a deadline is due, a mark is appended.

use std::sync::Arc;
use std::time::Duration;

use domain::customer_event::CustomerEvent;
use domain::ids::{Position, ReactionId};
use domain::json::Object;
use domain::reaction::{Event, InputKind, Match};
use domain::time::Stamp;
use eventlog::crypto::Opened;
use eventlog::record::{
    self, Expect, Feed, Head, Item, NewEvent, Outcome, Recorded, Select, StreamId, StreamKind, Write,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::{error, warn};

use super::core::{AT_ONCE, Core, Who};
use super::slot::Letter;
use super::{Error, Tools};

/// Events are looked through again so many at a time.
const PAGE: usize = 1_000;

/// Rows that concern reactions, and up to where there are no others.
pub(super) type Batch = (Vec<Recorded>, Head);

/// What has been read and not been taken in yet, and up to where there is nothing else.
pub(super) struct Unread {
    rows: std::vec::IntoIter<Recorded>,
    end: Head,
}

/// An expect that an event has met, and that has not been told yet.
pub(super) struct Met {
    who: Who,
    pub(super) position: Position,
    stamp: Stamp,
    event: Arc<Object>,
}

/// The rows of the record as they come, read a batch ahead.
pub(super) struct Rows {
    batches: mpsc::Receiver<Result<Batch, record::Error>>,
    reader: JoinHandle<()>,
}

impl Rows {
    /// The rows after a position.
    pub(super) fn after(tools: &Tools, position: Position) -> Self {
        let (batches, rows) = mpsc::channel(1);
        let mut feed = Feed::new(tools.record.clone(), Select::Reacting, position);
        let limit = tools.options.batch;
        let reader = tokio::spawn(async move {
            loop {
                let rows = feed.advance(limit).await.map(|rows| (rows, feed.reached()));
                if let Err(record::Error::Unavailable(reason)) = &rows {
                    warn!(%reason, "the record cannot be read just now");
                    tokio::time::sleep(AWAY).await;
                } else if batches.send(rows).await.is_err() {
                    break;
                }
            }
        });
        Self { batches: rows, reader }
    }

    /// The next batch.
    pub(super) async fn next(&mut self) -> Option<Result<Batch, record::Error>> {
        self.batches.recv().await
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// While the record is away it is tried so often.
pub(super) const AWAY: Duration = Duration::from_secs(1);

impl Core {
    /// Takes rows of the record in; time passes with them, and with all that are not among them.
    pub(super) async fn rows(&mut self, (rows, end): Batch) -> Result<(), Error> {
        debug_assert!(self.unread.is_none(), "what was read before is taken in first");
        self.unread = Some(Unread { rows: rows.into_iter(), end });
        self.read_on().await
    }

    /// Takes in what has been read, up to an event that has met more expects than are told in one turn: what comes
    /// after it is taken in once all of them have been told.
    pub(super) async fn read_on(&mut self) -> Result<(), Error> {
        self.tell().await?;
        let Some(Unread { mut rows, end }) = self.unread.take() else { return Ok(()) };
        let mut matches = Vec::new();
        let mut passed = true;
        while self.met.is_empty() {
            let Some(row) = rows.next() else {
                self.seen = end;
                return self.begin(matches).await;
            };
            // What is left of it is told in the next turns: each expect is missed before another of its reaction is met.
            if passed {
                passed = self.pass(row.stamp).await?;
            }
            let here = Head { position: row.position, stamp: row.stamp };
            match row.stream.kind {
                StreamKind::Reaction if row.event_type == Match::TYPE => matches.push(row),
                StreamKind::Reaction if row.event_type == Event::REDRIVEN => self.redriven(&row).await?,
                StreamKind::Customer => self.offer(&row).await?,
                StreamKind::Template => self.sources.template_changed(&row.stream.tenant),
                _ => {}
            }
            self.seen = here;
        }
        self.unread = Some(Unread { rows, end });
        self.begin(matches).await
    }

    /// Time has passed up to this stamp: what had to come before has not. Whether that is all.
    pub(super) async fn pass(&mut self, stamp: Stamp) -> Result<bool, Error> {
        let due = std::iter::from_fn(|| self.deadlines.pop_due(Stamp(stamp.0 - 1)));
        let mut due: Vec<Who> = due.take(AT_ONCE).collect();
        let is_all = due.len() < AT_ONCE;
        due.retain(|who| self.expected_by(*who).is_some());
        self.awaken(due.iter().map(|(reaction, _)| *reaction)).await?;
        due.into_iter().for_each(|who| self.missed(who));
        Ok(is_all)
    }

    /// The deadline of an expect that is in the index has passed.
    fn missed(&mut self, (reaction, expect): Who) {
        let begun = self.open.get(&reaction).and_then(|slot| slot.begun.get(&expect).copied());
        if self.close_expect(reaction, expect) {
            self.post(reaction, Letter::input(InputKind::ExpectMissed { expect }, begun));
        }
    }

    /// Holds a customer's event against the open expects of its tenant.
    async fn offer(&mut self, row: &Recorded) -> Result<(), Error> {
        if !self.expects.any(&row.stream.tenant) {
            return Ok(());
        }
        let Some(event) = self.tools.customer_event(row).await? else { return Ok(()) };
        let event = event.effective();
        let candidates = self.expects.candidates(&row.stream.tenant, &event);
        let met = self.met_by(row, event, candidates);
        self.met.extend(met);
        self.tell().await
    }

    /// Those of the expects that the event in a row meets.
    fn met_by(&self, row: &Recorded, event: Object, open: impl IntoIterator<Item = Who>) -> Vec<Met> {
        let event = Arc::new(event);
        let (position, stamp) = (row.position, row.stamp);
        let met = open.into_iter().filter(|who| self.is_met_by(*who, row, &event));
        met.map(|who| Met { who, position, stamp, event: event.clone() }).collect()
    }

    /// Tells expects that they were met, so many at a time: those that are parked are read back for it, and what they
    /// decide is written before the next are.
    async fn tell(&mut self) -> Result<(), Error> {
        let mut met: Vec<Met> = self.met.drain(..self.met.len().min(AT_ONCE)).collect();
        met.retain(|met| self.expected_by(met.who).is_some());
        self.awaken(met.iter().map(|met| met.who.0)).await?;
        met.into_iter().for_each(|met| self.meet(met));
        Ok(())
    }

    /// An expect of a reaction in memory was met.
    fn meet(&mut self, Met { who: (reaction, expect), position, stamp, event }: Met) {
        // Of one reaction, what is missed before this comes before it.
        for missed in self.overdue(reaction, stamp) {
            self.missed((reaction, missed));
        }
        if self.close_expect(reaction, expect) {
            let kind = InputKind::ExpectMet { expect, position, event: Object::clone(&event) };
            self.post(reaction, Letter::input(kind, Some(position)));
        }
    }

    fn is_met_by(&self, who: Who, row: &Recorded, event: &Object) -> bool {
        let Some((begun, expectation)) = self.awaited(who) else { return false };
        begun < row.position
            && expectation.deadline.is_none_or(|deadline| row.stamp <= deadline)
            && expectation.condition.holds(event)
    }

    /// Looks events through again, from a position to where the reader is, for the expects of a reaction in memory that
    /// were put into the index behind it. They are told at once: of what was read later none of them can have been told.
    pub(super) async fn look_again(&mut self, reaction: ReactionId, from: Position) -> Result<(), Error> {
        let Some(tenant) = self.open.get(&reaction).map(|slot| slot.owner.tenant.clone()) else {
            return Ok(());
        };
        let mut after = from.max(self.began);
        while after < self.seen.position {
            let select = Select::CustomerEvents(tenant.clone());
            let rows = self.tools.record.read_after(select, after, PAGE).await?;
            let Some(last) = rows.last().map(|row| row.position) else { break };
            let end = self.seen.position;
            for row in rows.iter().filter(|row| row.position <= end) {
                self.offer_again(reaction, row).await?;
            }
            after = last;
        }
        Ok(())
    }

    /// Holds a customer's event against the expects of one reaction in memory.
    async fn offer_again(&mut self, reaction: ReactionId, row: &Recorded) -> Result<(), Error> {
        let open = self.open.get(&reaction).map(|slot| slot.expects.keys().copied());
        let open: Vec<Who> = open.into_iter().flatten().map(|expect| (reaction, expect)).collect();
        if open.is_empty() {
            return Ok(());
        }
        let Some(event) = self.tools.customer_event(row).await? else { return Ok(()) };
        let met = self.met_by(row, event.effective(), open);
        met.into_iter().for_each(|met| self.meet(met));
        Ok(())
    }

    /// Appends a mark, if a deadline is due and nothing later is in the record.
    pub(super) async fn mark_if_due(&mut self) -> Result<(), Error> {
        while let Some((deadline, who)) = self.deadlines.peek() {
            if deadline >= self.tools.record.now() {
                return Ok(());
            }
            let Some(owner) = self.expected_by(*who).cloned() else {
                self.deadlines.pop_due(deadline);
                continue;
            };
            if self.tools.record.head().borrow().stamp > deadline {
                return Ok(());
            }
            let partition = owner.partition;
            let write = Write {
                stream: StreamId::new(&owner.tenant, StreamKind::Mark, partition.0.to_string()),
                expect: Expect::Any,
                customer: None,
                partition: Some(partition),
                events: vec![mark()],
            };
            let item = Item {
                writes: vec![write],
                fence: self.fences.get(usize::from(partition.0)).cloned(),
                config: Some(self.tools.record.config_position(&owner.tenant).await?),
                ..Item::default()
            };
            match self.tools.append(vec![item]).await?.pop() {
                Some(Outcome::Fenced) => return Err(Error::Fenced(partition.0)),
                // The configuration has moved in between: once more.
                Some(Outcome::Stale(_)) => {}
                _ => return Ok(()),
            }
        }
        Ok(())
    }
}

fn mark() -> NewEvent {
    NewEvent {
        event_type: "mark",
        event_version: 1,
        payload: b"{}".to_vec(),
        event_id: None,
        configures: false,
    }
}

impl Tools {
    /// The customer event in a row; nothing if its customer was erased, or it cannot be read.
    pub(super) async fn customer_event(
        &self,
        row: &Recorded,
    ) -> Result<Option<CustomerEvent>, record::Error> {
        let clear = match self.vault.open(row).await {
            Ok(Opened::Clear(clear)) => clear,
            Ok(Opened::Erased) => return Ok(None),
            Err(record::Error::Damaged(reason)) => {
                error!(position = row.position.0, %reason, "a customer event cannot be read");
                return Ok(None);
            }
            Err(other) => return Err(other),
        };
        let event = serde_json::from_slice(&clear);
        Ok(event.inspect_err(|e| error!(position = row.position.0, error = %e, "not a customer event")).ok())
    }
}
