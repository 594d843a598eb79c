//! Chains: members in order, each starting after the one before it ended, with guards in the gaps and after the last.

use super::super::moment::Moment;
use super::super::plan::Anchor;
use super::completion::{Matters, New, Prefix, insert, merged};
use super::{NodeId, completed, expire};

/// A `seq`, or the members of a `count`.
#[derive(Debug)]
pub(super) struct Chain {
    /// A run of members …
    pub links: Vec<Link>,
    /// … that comes so many times.
    pub times: usize,
    pub trailing: Option<Deadline>,
    /// Whether the chain's starts have to be kept apart.
    pub exact: bool,
}

/// A member, and what must not happen before it.
#[derive(Debug)]
pub(super) struct Link {
    pub guards: Vec<NodeId>,
    pub member: NodeId,
    /// Whether the member's completions start where they end, so that none is under way.
    pub instant: bool,
}

/// What must not happen after the last member, and until when.
#[derive(Debug)]
pub(super) struct Deadline {
    pub guards: Vec<NodeId>,
    pub span: i64,
    pub from: Anchor,
}

impl Deadline {
    /// The time of the tick at which a chain completes if nothing happens.
    fn of(&self, prefix: &Prefix) -> i64 {
        let anchor = match self.from {
            Anchor::Start => prefix.start,
            Anchor::End => prefix.end,
        };
        anchor.time.saturating_add(self.span)
    }
}

/// How far a chain has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// At k: the chains of k + 1 members; the last are complete but for their deadline.
    pub prefixes: Vec<Vec<Prefix>>,
    /// At k: what the guards before link k saw, as far as a member under way may still care; starts and ends both
    /// ascending.
    pub seen: Vec<Vec<(Moment, Moment)>>,
}

impl Progress {
    pub fn is_empty(&self) -> bool {
        self.prefixes.iter().all(Vec::is_empty)
    }
}

impl Chain {
    pub fn len(&self) -> usize {
        self.links.len().saturating_mul(self.times)
    }

    fn link(&self, k: usize) -> Option<&Link> {
        (k < self.len()).then(|| self.links.get(k % self.links.len()))?
    }

    /// What completes at a point.
    pub fn step(
        &self,
        progress: &mut Progress,
        at: Moment,
        horizon: Option<i64>,
        new: &[Vec<New>],
    ) -> Vec<New> {
        progress.prefixes.iter_mut().for_each(|prefixes| expire(prefixes, at, horizon));
        let grown = self.grown(progress, new);
        self.guard(progress, at, new);
        let mut done = Vec::new();
        for (k, start, witness) in grown {
            let prefix = Prefix { start, end: at, witness };
            match &self.trailing {
                None if k + 1 == self.len() => {
                    done.push(New { start: prefix.start, witness: prefix.witness });
                }
                Some(deadline) if k + 1 == self.len() => {
                    let due = Moment::tick(deadline.of(&prefix));
                    if at <= due && horizon.is_none_or(|h| due.within(h, prefix.start)) {
                        self.keep(progress, k, prefix);
                    }
                }
                _ => self.keep(progress, k, prefix),
            }
        }
        if at.is_tick() {
            self.fall_due(progress, at, &mut done);
        }
        done
    }

    /// The prefixes that a member's completion makes longer by one: link, start, witness.
    fn grown(&self, progress: &Progress, new: &[Vec<New>]) -> Vec<(usize, Moment, Vec<u64>)> {
        let mut grown = Vec::new();
        let first = self.links.first().map_or(&[][..], |link| completed(new, link.member));
        grown.extend(first.iter().map(|c| (0, c.start, c.witness.clone())));
        for (k, prefixes) in progress.prefixes.iter().enumerate() {
            let Some(link) = self.link(k + 1) else { break };
            for c in completed(new, link.member) {
                let seen = progress.seen.get(k + 1).map_or(&[][..], Vec::as_slice);
                let fits = |p: &&Prefix| p.end < c.start && !violated(seen, p.end, c.start);
                let longer = |p: &Prefix| (k + 1, p.start, merged(&c.witness, &p.witness));
                grown.extend(prefixes.iter().filter(fits).map(longer));
            }
        }
        grown
    }

    /// Rules out what the guards see end here. A prefix whose next member starts later than now is lost at once; while
    /// members may be under way, what was seen is kept, to be held against their starts.
    fn guard(&self, progress: &mut Progress, at: Moment, new: &[Vec<New>]) {
        let latest =
            |guards: &[NodeId]| guards.iter().flat_map(|g| completed(new, *g)).map(|c| c.start).max();
        for (k, prefixes) in (1..).zip(progress.prefixes.iter_mut()) {
            let Some(link) = self.link(k) else { break };
            let Some(start) = latest(&link.guards) else { continue };
            if link.instant {
                prefixes.retain(|p| p.end >= start);
            } else if prefixes.iter().any(|p| p.end < start) {
                if progress.seen.len() <= k {
                    progress.seen.resize(k + 1, Vec::new());
                }
                if let Some(seen) = progress.seen.get_mut(k)
                    && seen.last().is_none_or(|last| last.0 < start)
                {
                    seen.push((start, at));
                }
            }
        }
        for (seen, k) in progress.seen.iter_mut().zip(0_usize..) {
            let waiting = k.checked_sub(1).and_then(|k| progress.prefixes.get(k));
            let first = waiting.and_then(|prefixes| prefixes.iter().map(|p| p.end).min());
            seen.retain(|(start, _)| first.is_some_and(|end| end < *start));
        }
        if let Some(deadline) = &self.trailing
            && let Some(start) = latest(&deadline.guards)
            && let Some(pending) = progress.prefixes.get_mut(self.len().saturating_sub(1))
        {
            pending.retain(|p| p.end >= start);
        }
    }

    fn keep(&self, progress: &mut Progress, k: usize, prefix: Prefix) {
        let anchor = |from| self.trailing.as_ref().is_some_and(|deadline| deadline.from == from);
        let start = if self.exact || anchor(Anchor::Start) { Matters::Exactly } else { Matters::Later };
        let end = match self.link(k + 1) {
            None if anchor(Anchor::End) => Matters::Exactly,
            None => Matters::Later,
            Some(next) => match (next.instant, next.guards.is_empty()) {
                (true, true) => Matters::Not,
                (true, false) => Matters::Later,
                (false, true) => Matters::Earlier,
                (false, false) => Matters::Exactly,
            },
        };
        if progress.prefixes.len() <= k {
            progress.prefixes.resize(k + 1, Vec::new());
        }
        if let Some(prefixes) = progress.prefixes.get_mut(k) {
            insert(prefixes, prefix, start, end);
        }
    }

    fn fall_due(&self, progress: &mut Progress, at: Moment, done: &mut Vec<New>) {
        if let Some(deadline) = &self.trailing
            && let Some(pending) = progress.prefixes.get_mut(self.len().saturating_sub(1))
        {
            let due = pending.extract_if(.., |prefix| deadline.of(prefix) <= at.time);
            done.extend(due.map(|prefix| New { start: prefix.start, witness: prefix.witness }));
        }
    }

    /// The earliest tick at which a chain that waits for it completes.
    pub fn deadline(&self, progress: &Progress) -> Option<i64> {
        let deadline = self.trailing.as_ref()?;
        let pending = progress.prefixes.get(self.len().saturating_sub(1))?;
        pending.iter().map(|prefix| deadline.of(prefix)).min()
    }
}

/// Whether something that was seen lies wholly between two points.
fn violated(seen: &[(Moment, Moment)], after: Moment, before: Moment) -> bool {
    let first = seen.partition_point(|(start, _)| *start <= after);
    seen.get(first).is_some_and(|(_, end)| *end < before)
}
