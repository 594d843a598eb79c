//! Planning for things that have numbers and names, whatever they are.

use std::collections::{HashMap, HashSet, VecDeque};

use super::handle::handles;
use super::names::Names;
use super::resource::{Around, Refusal, Resource};
use super::steps::{Change, Step, What, differing};

/// Those that are there, with handles.
pub(super) fn described<A: Resource>(stored: &[A], names: &Names) -> Vec<(String, A::Definition)> {
    let there: Vec<&A::Definition> = stored.iter().filter_map(A::definition).collect();
    let handles = handles(there.iter().map(|definition| A::name(definition)), A::WORD);
    handles.into_iter().zip(there.into_iter().map(|definition| A::described(definition, names))).collect()
}

/// For each that is wanted the one that is there: the first to the first of the same name, the second to the second.
pub fn pairs<A: Resource>(stored: &[A], wanted: &[(String, A::Definition)]) -> Vec<Option<usize>> {
    let mut free: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (at, state) in stored.iter().enumerate() {
        if let Some(definition) = state.definition() {
            free.entry(A::name(definition)).or_default().push_back(at);
        }
    }
    wanted.iter().map(|(_, definition)| free.get_mut(A::name(definition))?.pop_front()).collect()
}

/// Which of those that are there stays as which of those that are wanted.
pub(super) struct Matched<'a, A: Resource> {
    stored: &'a [A],
    wanted: &'a [(String, A::Definition)],
    pairs: Vec<Option<usize>>,
    /// The handles of those that are there.
    handles: Vec<String>,
}

/// Matches in whatever order.
pub(super) fn matched<'a, A: Resource>(
    stored: &'a [A],
    wanted: &'a [(String, A::Definition)],
) -> Matched<'a, A> {
    let mut handles = handles(stored.iter().filter_map(A::definition).map(A::name), A::WORD).into_iter();
    let handles = stored.iter().map(|state| match state.definition() {
        Some(_) => handles.next().unwrap_or_default(),
        None => String::new(),
    });
    Matched { stored, wanted, pairs: pairs(stored, wanted), handles: handles.collect() }
}

/// Matches so that what stays has the order that is wanted: what would stand behind something new, or out of turn, is
/// made anew.
pub(super) fn matched_in_order<'a, A: Resource>(
    stored: &'a [A],
    wanted: &'a [(String, A::Definition)],
) -> Matched<'a, A> {
    let mut matched = matched(stored, wanted);
    let mut last = None;
    let mut in_turn = true;
    for pair in &mut matched.pairs {
        in_turn &= pair.is_some() && *pair > last;
        last = *pair;
        if !in_turn {
            *pair = None;
        }
    }
    matched
}

type Both<A> = (Vec<Step<A>>, Vec<Step<A>>);

impl<A: Resource> Matched<'_, A> {
    /// The handles that are wanted, with the ids that they get.
    pub(super) fn ids(&self) -> impl Iterator<Item = (&str, String)> {
        let mut next = self.stored.len();
        self.wanted.iter().zip(&self.pairs).map(move |((handle, _), pair)| {
            let number = pair.unwrap_or_else(|| {
                next += 1;
                next - 1
            });
            (handle.as_str(), format!("{}{}", A::PREFIX, number + 1))
        })
    }

    /// What makes those that are wanted, and what deletes those that are not.
    pub(super) fn steps(
        &self,
        around: &Around<'_>,
        changes: &mut Vec<Change>,
        refusals: &mut Vec<Refusal>,
    ) -> Both<A> {
        let gone = self.gone(around, changes);
        let mut made = Vec::new();
        for (((handle, wanted), pair), (_, id)) in self.wanted.iter().zip(&self.pairs).zip(self.ids()) {
            let state = pair.map(|at| self.stored[at].clone()).unwrap_or_default();
            let events = match state.made(wanted, around) {
                Ok(events) => events,
                Err(found) => {
                    let place = format!("{}/{handle}", A::FOLDER);
                    refusals.extend(found.into_iter().map(|found| found.of(&place)));
                    continue;
                }
            };
            if events.is_empty() {
                continue;
            }
            changes.push(change(handle, &id, &state, wanted, around));
            made.push(Step { id, version: state.version(), events });
        }
        (made, gone)
    }

    /// The same where the order is of no matter: what goes, goes first.
    pub(super) fn all_steps(
        &self,
        around: &Around<'_>,
        changes: &mut Vec<Change>,
        refusals: &mut Vec<Refusal>,
    ) -> Vec<Step<A>> {
        let (made, mut all) = self.steps(around, changes, refusals);
        all.extend(made);
        all
    }

    fn gone(&self, around: &Around<'_>, changes: &mut Vec<Change>) -> Vec<Step<A>> {
        let mut gone = Vec::new();
        let staying: HashSet<usize> = self.pairs.iter().copied().flatten().collect();
        for (at, state) in self.stored.iter().enumerate() {
            let Some(definition) = state.definition().filter(|_| !staying.contains(&at)) else {
                continue;
            };
            let id = format!("{}{}", A::PREFIX, at + 1);
            let before = A::fields(&A::described(definition, around.before));
            changes.push(Change {
                what: What::Deleted,
                resource: A::WORD,
                handle: self.handles[at].clone(),
                id: id.clone(),
                fields: differing(&before, &Vec::new()),
            });
            gone.push(Step { id, version: state.version(), events: vec![A::deleted()] });
        }
        gone
    }
}

fn change<A: Resource>(
    handle: &str,
    id: &str,
    state: &A,
    wanted: &A::Definition,
    around: &Around<'_>,
) -> Change {
    let before = state.definition().map(|before| A::fields(&A::described(before, around.before)));
    Change {
        what: if before.is_some() { What::Updated } else { What::Created },
        resource: A::WORD,
        handle: handle.to_owned(),
        id: id.to_owned(),
        fields: differing(&before.unwrap_or_default(), &A::fields(wanted)),
    }
}
