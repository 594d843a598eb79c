//! A reaction's stream, read back and folded: what it has come to, and whether the interpreter still decides alike.

use std::collections::HashMap;
use std::sync::Arc;

use domain::ids::{Position, TenantId};
use domain::reaction::{
    Effect, Event, Input, InputKind, Match, Outcome, Pinned, State, StepId, Unreadable, step,
};
use eventlog::crypto::{Opened, Vault};
use eventlog::record::{self, Record, Recorded, Select, StreamId};
use futures_util::stream::{self, StreamExt};

use crate::sources::{self, Sources};

/// A reaction's stream, read and opened.
pub(crate) struct Trail {
    stream: StreamId,
    entries: Vec<Entry>,
}

struct Entry {
    position: Position,
    version: u64,
    event: Event,
}

/// What a reaction's stream comes to.
pub(crate) struct History {
    pub(crate) matched: Match,
    /// What it runs, if it has started.
    pub(crate) pinned: Option<Arc<Pinned>>,
    pub(crate) state: State,
    /// How many entries it has.
    pub(crate) version: u64,
    /// How many inputs it has taken.
    pub(crate) steps: u64,
    /// Where what is still outstanding was recorded.
    pub(crate) begun: HashMap<StepId, Position>,
    /// The events that met its expects.
    pub(crate) met: Vec<Position>,
    /// It was broken off from outside the interpreter.
    pub(crate) broken_off: Option<Outcome>,
    /// Where the interpreter now decides otherwise than it did; the record stands.
    pub(crate) differences: Vec<Difference>,
}

/// A step that comes out otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The position of the input.
    pub input: Position,
    /// What the record has.
    pub recorded: Vec<Effect>,
    /// What the interpreter decides now.
    pub decided: Vec<Effect>,
}

/// Why a stream cannot be folded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no such stream.
    #[error("there is no such reaction")]
    Missing,
    /// The customer was erased, and with them what the reaction did.
    #[error("the customer was erased")]
    Erased,
    /// An entry is not what this program can read.
    #[error("the entry at {position}: {source}")]
    Unreadable {
        /// Where.
        position: Position,
        /// Why.
        source: Unreadable,
    },
    /// An entry does not open.
    #[error("the entry at {position}: {reason}")]
    Sealed {
        /// Where.
        position: Position,
        /// Why.
        reason: String,
    },
    /// The stream does not begin with a match.
    #[error("the stream does not begin with a match")]
    Headless,
    /// What it runs cannot be had.
    #[error(transparent)]
    Source(#[from] sources::Error),
    /// The record's.
    #[error(transparent)]
    Record(#[from] record::Error),
}

/// Entries are read so many at a time.
const PAGE: usize = 256;

/// So many trails are read at the same time.
const AT_ONCE: usize = 16;

impl Trail {
    /// Reads a reaction's stream.
    pub(crate) async fn read(record: &dyn Record, vault: &Vault, stream: StreamId) -> Result<Self, Error> {
        let (mut entries, mut after) = (Vec::new(), Position(0));
        loop {
            let rows = record.read_after(Select::Stream(stream.clone()), after, PAGE).await?;
            for row in &rows {
                let Recorded { position, version, .. } = *row;
                entries.push(Entry { position, version, event: open(vault, row).await? });
                after = position;
            }
            if rows.len() < PAGE {
                return Ok(Self { stream, entries });
            }
        }
    }
}

/// The trails of these streams, in this order; some are read at the same time. All are read before any is returned: a
/// read that nobody goes on with would keep its connection from others.
pub(crate) async fn trails(
    record: &dyn Record,
    vault: &Vault,
    streams: Vec<StreamId>,
) -> Vec<Result<Trail, Error>> {
    stream::iter(streams).map(|stream| Trail::read(record, vault, stream)).buffered(AT_ONCE).collect().await
}

impl History {
    /// What a trail comes to.
    pub(crate) async fn of(trail: Trail, sources: &mut Sources) -> Result<Self, Error> {
        let mut fold: Option<Fold> = None;
        for entry in trail.entries {
            match (&mut fold, entry.event) {
                (None, Event::Matched(matched)) => fold = Some(Fold::new(matched, entry.version)),
                (None, _) | (Some(_), Event::Matched(_)) => return Err(Error::Headless),
                (Some(fold), Event::Input(input)) => {
                    fold.history.version = entry.version;
                    fold.input(sources, &trail.stream.tenant, entry.position, input).await?;
                }
                (Some(fold), Event::Effect(effect)) => {
                    fold.history.version = entry.version;
                    fold.effect(entry.position, effect);
                }
            }
        }
        Ok(fold.ok_or(Error::Missing)?.end())
    }
}

async fn open(vault: &Vault, row: &Recorded) -> Result<Event, Error> {
    let clear = match vault.open(row).await {
        Ok(Opened::Clear(clear)) => clear,
        Ok(Opened::Erased) => return Err(Error::Erased),
        // One entry that does not open is this reaction's misfortune, not all others'.
        Err(record::Error::Damaged(reason)) => {
            return Err(Error::Sealed { position: row.position, reason });
        }
        Err(other) => return Err(other.into()),
    };
    Event::from_json(&row.event_type, row.event_version, &clear)
        .map_err(|source| Error::Unreadable { position: row.position, source })
}

struct Fold {
    history: History,
    /// The input whose effects come next, what was decided of it, and what is recorded so far.
    current: Option<Difference>,
}

impl Fold {
    fn new(matched: Match, version: u64) -> Self {
        let history = History {
            matched,
            pinned: None,
            state: State::default(),
            version,
            steps: 0,
            begun: HashMap::new(),
            met: Vec::new(),
            broken_off: None,
            differences: Vec::new(),
        };
        Self { history, current: None }
    }

    async fn input(
        &mut self,
        sources: &mut Sources,
        tenant: &TenantId,
        position: Position,
        input: Input,
    ) -> Result<(), Error> {
        self.compare();
        self.history.steps += 1;
        match &input.kind {
            InputKind::Started(started) => {
                let pinned = sources.pinned(tenant, started.program, &started.templates).await?;
                self.history.pinned = Some(pinned);
            }
            InputKind::ExpectMet { position, .. } => self.history.met.push(*position),
            _ => {}
        }
        let pinned = self.history.pinned.as_ref().ok_or(Error::Headless)?;
        let decided = step(pinned, &mut self.history.state, &input);
        self.current = Some(Difference { input: position, recorded: Vec::new(), decided });
        Ok(())
    }

    fn effect(&mut self, position: Position, effect: Effect) {
        if let Some(id) = step_of(&effect) {
            self.history.begun.insert(id, position);
        }
        match &mut self.current {
            Some(current) => current.recorded.push(effect),
            // The shell breaks a reaction off that could not even start: no input stands before that.
            None => {
                if let Effect::Finished(outcome) = effect {
                    self.history.broken_off = Some(outcome);
                }
            }
        }
    }

    fn compare(&mut self) {
        let Some(current) = self.current.take() else { return };
        match current.recorded.last() {
            _ if current.recorded == current.decided => {}
            // One that was broken off in mid-flight has its end after what was decided.
            Some(Effect::Finished(outcome)) if broken_off(&current) => {
                self.history.broken_off = Some(outcome.clone());
            }
            _ => self.history.differences.push(current),
        }
    }

    fn end(mut self) -> History {
        self.compare();
        let History { state, begun, .. } = &mut self.history;
        begun.retain(|id, _| state.is_open(*id));
        self.history
    }
}

fn broken_off(current: &Difference) -> bool {
    let decided = &current.decided;
    current.recorded.len() == decided.len() + 1 && current.recorded.starts_with(decided)
}

/// The number of what an effect begins, if it begins something.
pub(crate) fn step_of(effect: &Effect) -> Option<StepId> {
    match effect {
        Effect::Send(request) => Some(request.id),
        Effect::SetTimer(timer) => Some(timer.id),
        Effect::OpenExpect(expectation) => Some(expectation.id),
        Effect::AppendEvent(append) => Some(append.id),
        Effect::SetVariable(_) | Effect::Note(_) | Effect::Finished(_) => None,
    }
}
