//! Who is to have which share: pure, so every server comes to the same from the same roster.

use std::collections::BTreeMap;

use eventlog::record::postgres::{Presence, Present};

/// Who has a share to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duty<'p> {
    /// Who is to be at work on it.
    pub(super) at_work: &'p str,
    /// Who is to be ready to take it over, if there is another.
    pub(super) stands_by: Option<&'p str>,
}

/// The duty for each share. Nobody has more than a fair part, and nothing goes to another that may stay where it is.
pub(super) fn plan(presence: &Presence, shares: u8) -> Vec<Duty<'_>> {
    let Some(most) = usize::from(shares).checked_div(presence.len()) else { return Vec::new() };
    let most = most + usize::from(most * presence.len() < usize::from(shares));
    let mut at_work = Loads::of(presence);
    let kept: Vec<Option<&str>> = (0..shares)
        .map(|share| {
            let mut holders = presence.iter().filter(|(_, present)| present.holds.contains(&share));
            let holder = holders.next().map(|(server, _)| server.as_str())?;
            (at_work.count(holder) < most).then(|| at_work.add(holder))
        })
        .collect();
    let workers: Vec<&str> = (0..shares)
        .zip(kept)
        .filter_map(|(share, kept)| kept.or_else(|| at_work.take(share, most, "")))
        .collect();
    let mut standing_by = Loads::of(presence);
    (0..shares)
        .zip(workers)
        .map(|(share, at_work)| Duty { at_work, stands_by: standing_by.take(share, most, at_work) })
        .collect()
}

/// How many shares each server has so far.
struct Loads<'p> {
    presence: &'p Presence,
    loads: BTreeMap<&'p str, usize>,
}

impl<'p> Loads<'p> {
    fn of(presence: &'p Presence) -> Self {
        Self { presence, loads: BTreeMap::new() }
    }

    fn count(&self, server: &str) -> usize {
        self.loads.get(server).copied().unwrap_or_default()
    }

    fn add(&mut self, server: &'p str) -> &'p str {
        *self.loads.entry(server).or_default() += 1;
        server
    }

    /// Gives a share to one that has not its fair part yet, but not to `not`: best to one that knows the share already,
    /// then to one that has least.
    fn take(&mut self, share: u8, most: usize, not: &str) -> Option<&'p str> {
        let others = self.presence.iter().filter(|(server, _)| *server != not);
        let rank = |(server, present): &(&'p String, &'p Present)| {
            let load = self.count(server);
            let knows = present.holds.contains(&share) || present.warm.contains(&share);
            (load >= most, !knows, load)
        };
        let (server, _) = others.min_by_key(rank)?;
        Some(self.add(server))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SHARES: u8 = 8;

    fn set(shares: &[u8]) -> BTreeSet<u8> {
        shares.iter().copied().collect()
    }

    fn present(holds: &[u8], warm: &[u8]) -> Present {
        Present { holds: set(holds), warm: set(warm) }
    }

    fn at_work(presence: &Presence) -> BTreeMap<String, Vec<u8>> {
        let mut all: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for (share, duty) in (0..).zip(plan(presence, SHARES)) {
            all.entry(duty.at_work.to_owned()).or_default().push(share);
        }
        all
    }

    #[test]
    fn one_that_comes_gets_its_part_and_one_that_goes_leaves_it_to_who_stood_by() {
        let alone = Presence::from([("a".into(), present(&[], &[]))]);
        assert_eq!(at_work(&alone), [("a".into(), (0..8).collect())].into());
        assert!(plan(&alone, SHARES).iter().all(|duty| duty.stands_by.is_none()));

        let all: Vec<u8> = (0..8).collect();
        let joined = Presence::from([("a".into(), present(&all, &[])), ("b".into(), present(&[], &[]))]);
        let (low, high) = (vec![0, 1, 2, 3], vec![4, 5, 6, 7]);
        assert_eq!(at_work(&joined), [("a".into(), low.clone()), ("b".into(), high.clone())].into());
        for duty in plan(&joined, SHARES) {
            assert_eq!(duty.stands_by, Some(if duty.at_work == "a" { "b" } else { "a" }));
        }

        let three = Presence::from([
            ("a".into(), present(&low, &high)),
            ("b".into(), present(&high, &low)),
            ("c".into(), present(&[], &[])),
        ]);
        let parts = at_work(&three);
        assert_eq!((&parts["a"], &parts["b"], &parts["c"]), (&vec![0, 1, 2], &vec![4, 5, 6], &vec![3, 7]));

        // b has gone, and c was ready for one of its shares: that stays with c.
        let after = Presence::from([
            ("a".into(), present(&[0, 1, 2], &[4, 5])),
            ("c".into(), present(&[3, 7], &[6])),
        ]);
        assert_eq!(at_work(&after), [("a".into(), vec![0, 1, 2, 4]), ("c".into(), vec![3, 5, 6, 7])].into());
    }

    fn presence() -> impl Strategy<Value = Presence> {
        // Of each share: who has it, if anybody, and who is ready for it.
        let shares =
            prop::collection::vec((prop::option::of(0..5usize), prop::collection::vec(any::<bool>(), 5)), 8);
        (1..6usize, shares).prop_map(|(servers, shares)| {
            let mut presence: Presence =
                (0..servers).map(|n| (format!("s{n}"), Present::default())).collect();
            for (share, (holder, warm)) in (0..).zip(shares) {
                for (n, present) in presence.values_mut().enumerate() {
                    if holder == Some(n) {
                        present.holds.insert(share);
                    } else if warm[n] {
                        present.warm.insert(share);
                    }
                }
            }
            presence
        })
    }

    proptest! {
        #[test]
        fn parts_are_fair_nobody_is_its_own_second_and_a_plan_that_is_carried_out_stays(mut presence in presence()) {
            let duties = plan(&presence, SHARES);
            prop_assert_eq!(duties.len(), usize::from(SHARES));
            let most = usize::from(SHARES).div_ceil(presence.len());
            for server in presence.keys() {
                prop_assert!(duties.iter().filter(|duty| duty.at_work == server).count() <= most);
            }
            for duty in &duties {
                prop_assert_eq!(duty.stands_by.is_some(), presence.len() > 1);
                prop_assert_ne!(duty.stands_by, Some(duty.at_work));
            }
            // Who had no more than a fair part keeps it.
            for (server, present) in presence.iter().filter(|(_, present)| present.holds.len() <= most) {
                for share in &present.holds {
                    prop_assert_eq!(duties[usize::from(*share)].at_work, server);
                }
            }
            let planned: Vec<String> = duties.iter().map(|duty| duty.at_work.to_owned()).collect();
            for (server, present) in &mut presence {
                let theirs = |share: &u8| planned[usize::from(*share)] == *server;
                present.holds = (0..SHARES).filter(theirs).collect();
            }
            let again: Vec<String> = plan(&presence, SHARES).iter().map(|duty| duty.at_work.to_owned()).collect();
            prop_assert_eq!(again, planned);
        }
    }
}
