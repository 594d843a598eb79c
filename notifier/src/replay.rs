//! Proof that the interpreter decides as it did: stored reactions, folded again. Sends nothing, writes nothing.

use std::sync::Arc;

use domain::dsl::Limits;
use domain::ids::{Position, ReactionId, TenantId};
use domain::reaction::Match;
use eventlog::crypto::Vault;
use eventlog::record::{self, Record, Recorded, Select, StreamKind};

pub use crate::history::Difference;
use crate::history::{Error, History, trails};
use crate::sources::{self, Sources};

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Reactions folded.
    pub reactions: u64,
    /// Steps compared: inputs with their effects.
    pub steps: u64,
    /// Matches whose reaction has not started, so that there is nothing to compare.
    pub not_started: u64,
    /// Reactions of customers who were erased: left out.
    pub erased: u64,
    /// Steps that come out otherwise.
    pub differences: Vec<(ReactionId, Difference)>,
    /// Reactions that cannot be folded, and why.
    pub unreadable: Vec<(ReactionId, String)>,
}

impl Report {
    /// Whether all came out as recorded.
    pub fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.unreadable.is_empty()
    }
}

/// So many rows are read at a time.
const PAGE: usize = 256;

/// Folds the reactions of a tenant whose matches stand after `from`, and compares what comes out with the record.
///
/// # Errors
/// The record's.
pub async fn replay(
    record: Arc<dyn Record>,
    vault: &Vault,
    tenant: &TenantId,
    from: Position,
    limits: Limits,
) -> Result<Report, record::Error> {
    let mut sources = Sources::new(record.clone(), limits);
    let mut report = Report::default();
    let mut after = from;
    loop {
        let rows = record.read_after(Select::Tenant(tenant.clone()), after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(report) };
        after = last.position;
        let is_match =
            |row: &Recorded| row.stream.kind == StreamKind::Reaction && row.event_type == Match::TYPE;
        let reaction = |row: Recorded| Some((row.stream.id.parse::<ReactionId>().ok()?, row.stream));
        let (ids, streams): (Vec<_>, Vec<_>) = rows.into_iter().filter(is_match).filter_map(reaction).unzip();
        for (id, trail) in ids.into_iter().zip(trails(&*record, vault, streams).await) {
            let history = match trail {
                Ok(trail) => History::of(trail, &mut sources).await,
                Err(error) => Err(error),
            };
            report.add(id, history)?;
        }
    }
}

impl Report {
    fn add(&mut self, id: ReactionId, history: Result<History, Error>) -> Result<(), record::Error> {
        match history {
            Ok(history) if history.version == 1 => self.not_started += 1,
            Ok(history) => {
                self.reactions += 1;
                self.steps += history.steps;
                self.differences.extend(history.differences.into_iter().map(|found| (id, found)));
            }
            Err(Error::Erased) => self.erased += 1,
            Err(Error::Record(error) | Error::Source(sources::Error::Record(error))) => return Err(error),
            Err(error) => self.unreadable.push((id, error.to_string())),
        }
        Ok(())
    }
}
