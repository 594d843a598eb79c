//! Work that is shared: each server has some of the partitions, and stands by for some that another has.
//!
//! Every server calls the roster each second and comes to the same plan (`plan`). What it is to have and another still has it
//! gets ready for; that one hands it over once it is ready. Nobody orders anybody about: whatever servers think of each
//! other, a share is worked on under its term and its fences alone.

mod plan;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use domain::ids::Position;
use engine::runtime::Engine;
use eventlog::record::postgres::{Presence, Roster, Term};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::plan::plan;
use crate::app::Error;
use crate::lease::{Lease, take_turns};

/// Into how many shares the partitions are divided where servers share them: no more of them can be at work.
pub(crate) const SHARES: u8 = 8;

/// How often the roster is called.
const CALL: Duration = Duration::from_secs(1);

/// Who is no further behind than so many rows can take over at once.
const NEARLY: u64 = 10_000;

/// What this server does for a share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Doing {
    Nothing,
    StandsBy,
    Works,
}

/// Up to where the engines of this server have come.
#[derive(Clone)]
pub struct Reached(Vec<(watch::Receiver<Position>, Arc<AtomicU8>)>);

impl Reached {
    /// Of the engine that has all partitions.
    pub(crate) fn of_one(engine: &Engine) -> Self {
        Self(vec![(engine.progress(), Arc::new(AtomicU8::new(Doing::Works as u8)))])
    }

    /// Of engines of which it is yet to be seen what this server has them do.
    pub(crate) fn of_shares(engines: &[Engine]) -> Self {
        Self(engines.iter().map(|engine| (engine.progress(), Arc::default())).collect())
    }

    /// Up to where every match has been committed of what this server matches; none if it matches nothing.
    pub fn at_work(&self) -> Option<Position> {
        self.least(Doing::Works)
    }

    /// The same, of what it stands by for too.
    pub fn at_all(&self) -> Option<Position> {
        self.least(Doing::StandsBy)
    }

    fn least(&self, at_least: Doing) -> Option<Position> {
        let those = self.0.iter().filter(|(_, doing)| doing.load(Ordering::Relaxed) >= at_least as u8);
        those.map(|(progress, _)| *progress.borrow()).min()
    }
}

/// Matches what this server is to have of the shares, until `stop`.
pub(crate) async fn match_shares(
    mut roster: Roster,
    engines: Vec<Engine>,
    terms: Vec<Arc<Term>>,
    reached: Reached,
    stop: CancellationToken,
) -> Result<(), Error> {
    let parts = engines.into_iter().zip(terms).zip(reached.0);
    let parts = parts.map(|((engine, term), (_, doing))| Part { engine, term, turns: None, doing }).collect();
    let own = roster.own().to_owned();
    let mut work = Work { own, parts, tasks: JoinSet::new(), stop: stop.clone() };
    while !stop.is_cancelled() {
        match roster.call(&work.ready()).await {
            Ok(presence) => work.heed(&presence),
            Err(error) => tracing::warn!(%error, "the roster cannot be called just now"),
        }
        tokio::select! {
            () = tokio::time::sleep(CALL) => {}
            () = stop.cancelled() => {}
            Some(ended) = work.tasks.join_next() => work.ended(ended)?,
        }
    }
    while let Some(ended) = work.tasks.join_next().await {
        work.ended(ended)?;
    }
    if let Err(error) = roster.leave().await {
        tracing::warn!(%error, "this server is not off the roster: the others see that it is silent");
    }
    Ok(())
}

/// A share as this server has it.
struct Part {
    engine: Engine,
    term: Arc<Term>,
    /// While it takes turns: what ends them, and how far whoever is at work says that it has come.
    turns: Option<(CancellationToken, watch::Receiver<Position>)>,
    doing: Arc<AtomicU8>,
}

struct Work {
    own: String,
    parts: Vec<Part>,
    tasks: JoinSet<(usize, Result<(), Error>)>,
    stop: CancellationToken,
}

impl Work {
    /// The shares that could be taken over at once.
    fn ready(&self) -> BTreeSet<u8> {
        (0..).zip(&self.parts).filter(|(_, part)| part.is_ready()).map(|(share, _)| share).collect()
    }

    /// Does what is this server's to do.
    fn heed(&mut self, presence: &Presence) {
        let mine = presence.get(&self.own).cloned().unwrap_or_default();
        for (number, duty) in plan(presence, SHARES).into_iter().enumerate() {
            let Ok(share) = u8::try_from(number) else { return };
            let holds = mine.holds.contains(&share);
            let wanted = holds || duty.at_work == self.own || duty.stands_by == Some(self.own.as_str());
            let Some(part) = self.parts.get_mut(number) else { return };
            part.is_seen(if holds {
                Doing::Works
            } else if wanted {
                Doing::StandsBy
            } else {
                Doing::Nothing
            });
            match &part.turns {
                None if wanted => {
                    let turns = part.begin(&self.stop);
                    self.tasks.spawn(async move { (number, turns.await) });
                }
                Some((end, _)) if !wanted => end.cancel(),
                Some((end, _)) if holds && duty.at_work != self.own => {
                    let heir = presence.get(duty.at_work);
                    if heir.is_some_and(|heir| heir.warm.contains(&share)) {
                        tracing::info!(
                            share,
                            heir = duty.at_work,
                            "a share of matching goes to another server"
                        );
                        part.term.leave_to(duty.at_work);
                        end.cancel();
                    }
                }
                _ => {}
            }
        }
    }

    fn ended(&mut self, ended: Result<(usize, Result<(), Error>), JoinError>) -> Result<(), Error> {
        let (number, ended) = ended.map_err(|error| Error::Ended(format!("matching broke: {error}")))?;
        if let Some(part) = self.parts.get_mut(number) {
            part.turns = None;
            part.engine.forget();
        }
        ended
    }
}

impl Part {
    fn is_ready(&self) -> bool {
        let Some((_, limit)) = &self.turns else { return false };
        let (limit, reached) = (limit.borrow().0, self.engine.progress().borrow().0);
        self.doing.load(Ordering::Relaxed) == Doing::StandsBy as u8 && limit > 0 && reached + NEARLY >= limit
    }

    fn is_seen(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
    }

    fn begin(&mut self, stop: &CancellationToken) -> impl Future<Output = Result<(), Error>> + use<> {
        let end = stop.child_token();
        self.turns = Some((end.clone(), self.term.progress()));
        take_turns(Lease::Shared(self.term.clone()), self.engine.clone(), end)
    }
}
