//! Which open `expect` an event may meet: an index by equality (then.md §2).
//!
//! It narrows down and promises no more than that: whether the predicate holds is asked of the predicate. An
//! `expect` whose predicate has an equality on some `$attr` waits in the bucket of that attribute and value; the
//! others are looked at for every event of their tenant, and only so many of them may be open.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use domain::ids::TenantId;
use domain::json::{Json, Object};
use domain::reaction::equality_key;
use domain::value::Attributes;

/// Open expects by tenant.
pub(crate) struct Expects<T> {
    tenants: HashMap<TenantId, Tenant<T>>,
    most_unindexed: usize,
}

struct Tenant<T> {
    /// attribute → key of the value → who waits.
    indexed: HashMap<String, HashMap<String, BTreeSet<T>>>,
    unindexed: BTreeSet<T>,
}

/// So many un-indexed expects of one tenant may be open, and are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} expects without an equality on an attribute are open in this tenant, which is the most")]
pub(crate) struct TooMany(usize);

impl<T: Clone + Ord + Eq + Hash> Expects<T> {
    /// An index that takes at most so many un-indexed expects of each tenant.
    pub(crate) fn new(most_unindexed: usize) -> Self {
        Self { tenants: HashMap::new(), most_unindexed }
    }

    /// Whether any is open in that tenant.
    pub(crate) fn any(&self, tenant: &TenantId) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// Adds one; `equality` is an attribute and the value that it must equal, where the predicate has one.
    ///
    /// # Errors
    /// There are too many without.
    pub(crate) fn add(
        &mut self,
        tenant: &TenantId,
        equality: Option<(&str, &Json)>,
        who: T,
    ) -> Result<(), TooMany> {
        let most = self.most_unindexed;
        let open = self
            .tenants
            .entry(tenant.clone())
            .or_insert_with(|| Tenant { indexed: HashMap::new(), unindexed: BTreeSet::new() });
        match equality {
            Some((attribute, value)) => {
                // What must equal null is met by nothing: it waits for its deadline, in no bucket.
                if let Some(key) = equality_key(&value.into()) {
                    let values = open.indexed.entry(attribute.to_owned()).or_default();
                    values.entry(key).or_default().insert(who);
                }
            }
            None if open.unindexed.len() >= most => return Err(TooMany(most)),
            None => drop(open.unindexed.insert(who)),
        }
        self.forget_if_empty(tenant);
        Ok(())
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, tenant: &TenantId, equality: Option<(&str, &Json)>, who: &T) {
        let Some(open) = self.tenants.get_mut(tenant) else { return };
        match equality {
            Some((attribute, value)) => {
                if let (Some(key), Some(values)) =
                    (equality_key(&value.into()), open.indexed.get_mut(attribute))
                {
                    if let Some(waiting) = values.get_mut(&key) {
                        waiting.remove(who);
                        if waiting.is_empty() {
                            values.remove(&key);
                        }
                    }
                    if values.is_empty() {
                        open.indexed.remove(attribute);
                    }
                }
            }
            None => drop(open.unindexed.remove(who)),
        }
        self.forget_if_empty(tenant);
    }

    /// Those that the event may meet, in a fixed order.
    pub(crate) fn candidates(&self, tenant: &TenantId, event: &Object) -> BTreeSet<T> {
        let Some(open) = self.tenants.get(tenant) else { return BTreeSet::new() };
        let mut found = open.unindexed.clone();
        for (attribute, values) in &open.indexed {
            let key = event.attribute(attribute).and_then(|value| equality_key(&value));
            if let Some(waiting) = key.and_then(|key| values.get(&key)) {
                found.extend(waiting.iter().cloned());
            }
        }
        found
    }

    fn forget_if_empty(&mut self, tenant: &TenantId) {
        if self.tenants.get(tenant).is_some_and(|t| t.indexed.is_empty() && t.unindexed.is_empty()) {
            self.tenants.remove(tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::json::{Limits, parse};

    fn json(text: &str) -> Json {
        parse(text.as_bytes(), Limits::BODY).unwrap()
    }

    #[test]
    fn an_event_finds_those_that_it_may_meet_and_no_others() {
        let (tenant, other) = (TenantId::from("T"), TenantId::from("U"));
        let mut expects = Expects::new(1);
        expects.add(&tenant, Some(("id", &json("\"7\""))), 1).unwrap();
        expects.add(&tenant, Some(("id", &json("8"))), 2).unwrap();
        expects.add(&tenant, Some(("id", &Json::Null)), 3).unwrap();
        expects.add(&tenant, None, 4).unwrap();
        assert_eq!(expects.add(&tenant, None, 5), Err(TooMany(1)));
        let event = json(r#"{"id":7,"type":"b"}"#).as_object().cloned().unwrap();
        assert_eq!(expects.candidates(&tenant, &event), BTreeSet::from([1, 4]));
        assert!(!expects.any(&other) && expects.candidates(&other, &event).is_empty());
        expects.remove(&tenant, Some(("id", &json("\"7\""))), &1);
        expects.remove(&tenant, Some(("id", &json("8"))), &2);
        expects.remove(&tenant, None, &4);
        assert!(!expects.any(&tenant));
    }
}
