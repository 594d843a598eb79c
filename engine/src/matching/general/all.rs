//! `all`: one completion of each member, in any order, with nothing forbidden from the first to the last.

use super::super::moment::Moment;
use super::completion::{Matters, New, Prefix, Witness, insert, merged};
use super::{NodeId, completed, expire};

/// An `all`.
#[derive(Debug)]
pub(super) struct All {
    pub members: Vec<NodeId>,
    pub guards: Vec<NodeId>,
    /// Whether starts have to be kept apart.
    pub exact: bool,
}

/// What has completed of each member.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// By member.
    pub stored: Vec<Vec<Prefix>>,
    /// The latest start of anything that the guards saw: nothing that starts by then can complete.
    pub barred: Option<Moment>,
}

impl Progress {
    pub fn is_empty(&self) -> bool {
        // A bar alone rules out nothing to come, where no member is under way.
        self.stored.iter().all(Vec::is_empty)
    }
}

impl All {
    /// What completes at a point.
    pub fn step(
        &self,
        progress: &mut Progress,
        at: Moment,
        horizon: Option<i64>,
        new: &[Vec<New>],
    ) -> Vec<New> {
        progress.stored.iter_mut().for_each(|stored| expire(stored, at, horizon));
        let seen = self.guards.iter().flat_map(|g| completed(new, *g)).map(|c| c.start).max();
        progress.barred = progress.barred.max(seen);
        let barred = progress.barred;
        let free = |start: Moment| barred.is_none_or(|bar| start > bar);
        if seen.is_some() {
            progress.stored.iter_mut().for_each(|stored| stored.retain(|p| free(p.start)));
        }
        let fresh: Vec<Vec<&New>> = self
            .members
            .iter()
            .map(|m| completed(new, *m).iter().filter(|c| free(c.start)).collect())
            .collect();
        if fresh.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        progress.stored.resize(self.members.len(), Vec::new());
        let done = self.combined(&progress.stored, &fresh);
        let start = if self.exact { Matters::Exactly } else { Matters::Later };
        for (stored, fresh) in progress.stored.iter_mut().zip(fresh) {
            for c in fresh {
                let prefix = Prefix { start: c.start, end: at, witness: c.witness.clone() };
                insert(stored, prefix, start, Matters::Not);
            }
        }
        done
    }

    /// For each possible first event the best choice of members of which one starts there and one ends here.
    fn combined(&self, stored: &[Vec<Prefix>], fresh: &[Vec<&New>]) -> Vec<New> {
        if stored.iter().zip(fresh).any(|(old, new)| old.is_empty() && new.is_empty()) {
            return Vec::new();
        }
        let mut starts: Vec<Moment> = stored.iter().flatten().map(|p| p.start).collect();
        starts.extend(fresh.iter().flatten().map(|c| c.start));
        starts.sort_unstable();
        starts.dedup();
        starts.into_iter().rev().filter_map(|start| chosen(stored, fresh, start)).collect()
    }
}

/// Whether a choice has a member that starts at the start, and one that ends now: two bits.
const FIRST: usize = 1;
const LAST: usize = 2;

fn chosen(stored: &[Vec<Prefix>], fresh: &[Vec<&New>], start: Moment) -> Option<New> {
    let mut best: [Option<Witness>; 4] = [Some(Witness::new()), None, None, None];
    for (stored, fresh) in stored.iter().zip(fresh) {
        let mut options: [Option<&Witness>; 4] = [None; 4];
        let old = stored.iter().map(|p| (p.start, &p.witness, 0));
        let new = fresh.iter().map(|c| (c.start, &c.witness, LAST));
        for (from, witness, ends) in old.chain(new).filter(|(from, ..)| *from >= start) {
            let class = ends | if from == start { FIRST } else { 0 };
            options[class] = options[class].max(Some(witness));
        }
        let mut next: [Option<Witness>; 4] = [const { None }; 4];
        for (so_far, witness) in best.iter().enumerate().filter_map(|(c, w)| Some((c, w.as_ref()?))) {
            for (class, option) in options.iter().enumerate().filter_map(|(c, w)| Some((c, (*w)?))) {
                let union = Some(merged(witness, option));
                let slot = &mut next[so_far | class];
                if union > *slot {
                    *slot = union;
                }
            }
        }
        best = next;
    }
    let [.., both] = best;
    both.map(|witness| New { start, witness })
}
