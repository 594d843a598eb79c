//! Replay: the stored rows through the same matching again, held against the matches that were recorded.
//!
//! Nothing is written. Customers who were erased are left out on both sides, and counted.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use domain::ids::{Position, ReactionId, TenantId};
use domain::reaction::Match;
use domain::time::Stamp;
use eventlog::crypto::{Opened, Vault};
use eventlog::record::{Error, Record, Recorded, Select, StreamId, StreamKind};

use crate::runtime::matcher::{Completed, Matcher};
use crate::runtime::rows::{self, Step};

/// How many rows are read at a time.
const ROWS: usize = 1_000;

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The tenant's customer events.
    pub events: u64,
    /// Events and matches that were left out because their customer was erased.
    pub erased: u64,
    /// The matches that came out.
    pub matches: u64,
    /// Where record and replay differ.
    pub differences: Vec<Difference>,
}

/// A difference between record and replay.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// The replay has a match that the record does not have.
    Missing(ReactionId, Match),
    /// The record has a match that the replay does not have.
    Surplus(ReactionId, Match),
    /// Both have it, with other contents.
    Different {
        /// Which.
        id: ReactionId,
        /// What was recorded.
        recorded: Match,
        /// What came out.
        replayed: Match,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(id, found) => write!(f, "- {id} is not recorded: {}", told(found)),
            Self::Surplus(id, found) => write!(f, "+ {id} does not come out: {}", told(found)),
            Self::Different { id, recorded, replayed } => {
                write!(f, "! {id} was recorded as {}, comes out as {}", told(recorded), told(replayed))
            }
        }
    }
}

fn told(found: &Match) -> String {
    let events: Vec<_> = found.witness.iter().map(Position::to_string).collect();
    format!("{} v{} at {} of {}", found.pattern, found.version, found.at, events.join(","))
}

/// Replays a tenant's matching up to the record's end as it is now, and compares the matches that completed at or
/// after `from`.
///
/// # Errors
/// The record's.
pub async fn replay(
    record: &Arc<dyn Record>,
    vault: &Vault,
    tenant: &TenantId,
    from: Option<Stamp>,
) -> Result<Report, Error> {
    let end = record.head().borrow().position;
    let mut comparison = Comparison { from, report: Report::default(), open: HashMap::new() };
    let mut matcher = Matcher::new();
    let mut after = Position(0);
    while after < end {
        let mut rows = record.read_after(Select::All, after, ROWS).await?;
        rows.retain(|row| row.position <= end);
        let Some(last) = rows.last().map(|row| row.position) else { break };
        after = last;
        comparison.recorded(vault, tenant, &rows).await?;
        let mut completed = Vec::new();
        for step in rows::steps(vault, &rows, |theirs| theirs == tenant).await? {
            match &step {
                Step::Event(.., None) => comparison.report.erased += 1,
                Step::Event(.., Some(_)) => comparison.report.events += 1,
                _ => {}
            }
            matcher.step(step, &mut completed).map_err(rows::lost)?;
        }
        completed.iter().for_each(|completed| comparison.replayed(completed));
    }
    comparison.finish(record, vault, tenant).await
}

/// One side of a match.
enum Side {
    Recorded(Match),
    Replayed(Match),
}

struct Comparison {
    from: Option<Stamp>,
    report: Report,
    /// Those of which the other side has not come yet.
    open: HashMap<ReactionId, Side>,
}

impl Comparison {
    fn wanted(&self, found: &Match) -> bool {
        self.from.is_none_or(|from| found.at >= from)
    }

    async fn recorded(&mut self, vault: &Vault, tenant: &TenantId, rows: &[Recorded]) -> Result<(), Error> {
        for row in rows.iter().filter(|row| row.stream.tenant == *tenant && is_match(row)) {
            match open(vault, row).await? {
                Some((id, found)) => self.side(id, Side::Recorded(found)),
                None => self.report.erased += 1,
            }
        }
        Ok(())
    }

    fn replayed(&mut self, completed: &Completed) {
        self.side(completed.id(), Side::Replayed(completed.found.clone()));
    }

    fn side(&mut self, id: ReactionId, side: Side) {
        let (Side::Recorded(found) | Side::Replayed(found)) = &side;
        if !self.wanted(found) {
            return;
        }
        self.report.matches += u64::from(matches!(side, Side::Replayed(_)));
        match (self.open.remove(&id), side) {
            (Some(Side::Recorded(recorded)), Side::Replayed(replayed))
            | (Some(Side::Replayed(replayed)), Side::Recorded(recorded)) => {
                if recorded != replayed {
                    self.report.differences.push(Difference::Different { id, recorded, replayed });
                }
            }
            (_, side) => {
                self.open.insert(id, side);
            }
        }
    }

    /// A running engine may have been a little behind the record's end: what is missing is looked for once more.
    async fn finish(
        mut self,
        record: &Arc<dyn Record>,
        vault: &Vault,
        tenant: &TenantId,
    ) -> Result<Report, Error> {
        let mut open: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_unstable_by_key(|(id, _)| *id);
        for (id, side) in open {
            match side {
                Side::Recorded(found) => self.report.differences.push(Difference::Surplus(id, found)),
                Side::Replayed(found) => {
                    let stream = StreamId::new(tenant, StreamKind::Reaction, id.to_string());
                    let rows = record.read_after(Select::Stream(stream), Position(0), 1).await?;
                    self.open.insert(id, Side::Replayed(found.clone()));
                    self.recorded(vault, tenant, &rows).await?;
                    if self.open.remove(&id).is_some() {
                        self.report.differences.push(Difference::Missing(id, found));
                    }
                }
            }
        }
        Ok(self.report)
    }
}

fn is_match(row: &Recorded) -> bool {
    row.stream.kind == StreamKind::Reaction && row.event_type == Match::TYPE
}

async fn open(vault: &Vault, row: &Recorded) -> Result<Option<(ReactionId, Match)>, Error> {
    match vault.open(row).await? {
        Opened::Erased => Ok(None),
        Opened::Clear(clear) => {
            let id = row.stream.id.parse().map_err(|e| rows::damaged(row, e))?;
            let found = serde_json::from_slice(&clear).map_err(|e| rows::damaged(row, e))?;
            Ok(Some((id, found)))
        }
    }
}
