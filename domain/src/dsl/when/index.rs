//! Which predicates hold of an event, without asking each (when.md §5).
//!
//! A predicate that can only hold where some attribute equals some literal is filed under that test; an event then
//! costs one look at each attribute that is filed under, and the predicates found there. The rest are asked one by
//! one. The file only narrows down: the whole predicate always has the last word.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::{Operand, Predicate};
use crate::few::Few;
use crate::json::is_numeric_text;
use crate::value::{Attributes, Comparison, Value};

/// Predicates, each with what it belongs to. There is no removal: it is rebuilt from a list.
#[derive(Clone, Debug)]
pub struct PredicateIndex<T> {
    entries: Vec<Entry<T>>,
    /// Of each attribute: the entries filed under what it may equal.
    filed: Vec<(String, Tests)>,
    /// The places of the attributes there, if there are too many to look at each.
    places: FxHashMap<String, usize>,
    /// The entries that are filed nowhere.
    unfiled: Vec<usize>,
    /// The attributes that are read.
    attributes: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Entry<T> {
    predicate: Arc<Predicate>,
    /// Whether it holds wherever it is found under what it is filed under.
    exact: bool,
    belongs_to: T,
}

/// A test that a predicate needs: the attribute of this name equals this literal.
type Test<'a> = (&'a str, Key<'a>);

/// What equal values have in common (not only they: the nearest `f64` stands for every number, since an integer may
/// equal a decimal).
enum Key<'a> {
    Number(u64),
    Bool(bool),
    Text(&'a str),
}

#[derive(Clone, Debug, Default)]
struct Tests {
    /// A bit for the length of each of the texts; the highest for all that are longer.
    lengths: u64,
    numbers: FxHashMap<u64, Few<usize>>,
    bools: [Few<usize>; 2],
    texts: FxHashMap<Box<str>, Few<usize>>,
}

/// Up to so many attributes are compared one by one.
const FEW_ATTRIBUTES: usize = 8;

impl<T> PredicateIndex<T> {
    /// Adds a predicate and what it belongs to.
    pub fn insert(&mut self, predicate: impl Into<Arc<Predicate>>, belongs_to: T) {
        let predicate = predicate.into();
        let at = self.entries.len();
        match self.necessary(&predicate) {
            None => self.unfiled.push(at),
            Some(tests) => {
                for (name, key) in tests {
                    self.file(name, key, at);
                }
            }
        }
        predicate.each_attribute(&mut |name| {
            if !self.attributes.contains(name) {
                self.attributes.insert(name.to_owned());
            }
        });
        let exact = is_text_test(&predicate);
        self.entries.push(Entry { predicate, exact, belongs_to });
    }

    fn file(&mut self, name: &str, key: Key<'_>, at: usize) {
        let place = self.place(name).unwrap_or_else(|| {
            self.filed.push((name.to_owned(), Tests::default()));
            if self.filed.len() > FEW_ATTRIBUTES {
                let known = self.places.len();
                let names = self.filed.iter().map(|(name, _)| name.clone()).zip(0..).skip(known);
                self.places.extend(names);
            }
            self.filed.len() - 1
        });
        if let Some((_, tests)) = self.filed.get_mut(place) {
            tests.file(key, at);
        }
    }

    /// Where an attribute is among those that are filed under.
    fn place(&self, name: &str) -> Option<usize> {
        match self.places.is_empty() {
            true => self.filed.iter().position(|(filed, _)| filed == name),
            false => self.places.get(name).copied(),
        }
    }

    /// Calls `f` with what each predicate that holds of `event` belongs to, in the order of their insertion.
    pub fn for_each_match<'a>(&'a self, event: &impl Attributes, mut f: impl FnMut(&'a T)) {
        // Nearly always there is one list of candidates at most, which is used as it stands.
        let mut only = self.unfiled.as_slice();
        let mut several = Vec::new();
        for (place, (name, tests)) in self.filed.iter().enumerate() {
            let value = event.attribute_at(place, name);
            let found = value.as_ref().map_or(&[][..], |value| tests.under_value(value));
            if only.is_empty() {
                only = found;
            } else if !found.is_empty() {
                several.extend_from_slice(found);
            }
        }
        if !several.is_empty() {
            several.extend_from_slice(only);
            several.sort_unstable();
            // One that is filed under several tests may have been found by each.
            several.dedup();
            only = &several;
        }
        for at in only {
            let entry = &self.entries[*at];
            if entry.exact || entry.predicate.holds(event) {
                f(&entry.belongs_to);
            }
        }
    }

    /// The names that any of the predicates reads: first, in the places that [`Attributes::attribute_at`] is told,
    /// those that are looked at for every event, then the others.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        let filed = self.filed.iter().map(|(name, _)| name.as_str());
        let others = self.attributes.iter().map(String::as_str);
        filed.chain(others.filter(|name| self.place(name).is_none()))
    }

    /// How many predicates there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Tests of which at least one must hold for the predicate to hold, if there are any such. Of the choices that
    /// an `and` leaves, the one under which least is filed so far: it sets most predicates apart.
    fn necessary<'p>(&self, predicate: &'p Predicate) -> Option<Vec<Test<'p>>> {
        match predicate {
            Predicate::Compare(Comparison::Equal, Operand::Attribute(name), literal) => {
                let key = Key::of_literal(literal)?;
                Some(vec![(name, key)])
            }
            Predicate::And(parts) => parts
                .iter()
                .filter_map(|part| self.necessary(part))
                .min_by_key(|tests| tests.iter().map(|test| self.load(test)).sum::<usize>()),
            Predicate::Or(parts) => {
                let tests: Option<Vec<Vec<Test<'p>>>> =
                    parts.iter().map(|part| self.necessary(part)).collect();
                tests.map(|tests| tests.into_iter().flatten().collect())
            }
            _ => None,
        }
    }

    /// How many are filed under a test.
    fn load(&self, (name, key): &Test<'_>) -> usize {
        self.place(name)
            .and_then(|place| self.filed.get(place))
            .map_or(0, |(_, tests)| tests.under(key).len())
    }
}

/// Whether a predicate says no more than that an attribute equals a text that nothing but itself equals.
fn is_text_test(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Compare(Comparison::Equal, Operand::Attribute(_), literal) => {
            matches!(Key::of_literal(literal), Some(Key::Text(_)))
        }
        _ => false,
    }
}

impl<T> Default for PredicateIndex<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            filed: Vec::new(),
            places: FxHashMap::default(),
            unfiled: Vec::new(),
            attributes: BTreeSet::new(),
        }
    }
}

impl<T, P: Into<Arc<Predicate>>> FromIterator<(P, T)> for PredicateIndex<T> {
    fn from_iter<I: IntoIterator<Item = (P, T)>>(entries: I) -> Self {
        let mut index = Self::default();
        entries.into_iter().for_each(|(predicate, belongs_to)| index.insert(predicate, belongs_to));
        index
    }
}

impl<'a> Key<'a> {
    /// The key of a value that a literal may equal.
    fn of(value: &'a Value<'_>) -> Option<Self> {
        match value {
            Value::Number(number) => Self::number(number),
            Value::Bool(value) => Some(Self::Bool(*value)),
            Value::Text(text) => Self::text(text),
            Value::Null | Value::Compound(_) => None,
        }
    }

    fn of_literal(literal: &'a Operand) -> Option<Self> {
        match literal {
            Operand::Attribute(_) => None,
            Operand::Text(text) => Self::text(text),
            Operand::Number(number) => Self::number(number.as_str()),
            Operand::Bool(value) => Some(Self::Bool(*value)),
        }
    }

    fn text(text: &'a str) -> Option<Self> {
        match text {
            "true" => Some(Self::Bool(true)),
            "false" => Some(Self::Bool(false)),
            _ if is_numeric_text(text) => Self::number(text),
            _ => Some(Self::Text(text)),
        }
    }

    fn number(text: &str) -> Option<Self> {
        // Adding 0 makes one of the two zeros.
        text.parse::<f64>().ok().map(|number| Self::Number((number + 0.0).to_bits()))
    }
}

fn length(text: &str) -> u64 {
    1 << text.len().min(63)
}

impl Tests {
    fn file(&mut self, key: Key<'_>, at: usize) {
        let list = match key {
            Key::Number(bits) => self.numbers.entry(bits).or_default(),
            Key::Bool(value) => &mut self.bools[usize::from(value)],
            Key::Text(text) => {
                self.lengths |= length(text);
                self.texts.entry(text.into()).or_default()
            }
        };
        if list.last() != Some(&at) {
            list.push(at);
        }
    }

    /// What is filed under the key of a value. Most texts have another length than those that are filed under.
    #[inline]
    fn under_value(&self, value: &Value<'_>) -> &[usize] {
        match value {
            Value::Text(text) if self.lengths & length(text) == 0 && self.has_texts_only() => &[],
            value => Key::of(value).map_or(&[], |key| self.under(&key)),
        }
    }

    fn has_texts_only(&self) -> bool {
        self.numbers.is_empty() && self.bools.iter().all(|bools| bools.is_empty())
    }

    fn under(&self, key: &Key<'_>) -> &[usize] {
        match key {
            Key::Number(bits) => self.numbers.get(bits).map_or(&[][..], |list| list),
            Key::Bool(value) => &self.bools[usize::from(*value)],
            Key::Text(text) => self.texts.get(*text).map_or(&[][..], |list| list),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::dsl::{Limits, when};
    use crate::json::{self, Object};

    /// An event that notes what it is asked for.
    struct Asked(Object, RefCell<Vec<String>>);

    impl Attributes for Asked {
        fn attribute(&self, name: &str) -> Option<Value<'_>> {
            self.1.borrow_mut().push(name.to_owned());
            self.0.attribute(name)
        }
    }

    fn predicate(text: &str) -> Predicate {
        let when = when::parse(&format!("(event {text})"), &Limits::default()).unwrap();
        when.trigger.predicates()[0].0.clone()
    }

    fn asked(index: &PredicateIndex<usize>, event: &str) -> (Vec<usize>, Vec<String>) {
        let event = json::parse(event.as_bytes(), json::Limits::EVENT).unwrap();
        let event = Asked(event.as_object().unwrap().clone(), RefCell::default());
        let mut found = Vec::new();
        index.for_each_match(&event, |at| found.push(*at));
        (found, event.1.into_inner())
    }

    #[test]
    fn predicates_that_an_event_does_not_concern_are_not_asked() {
        let index: PredicateIndex<usize> = (0..10_000)
            .map(|n| (predicate(&format!("(and (= type \"t\") (= id \"{n}\") (> size 3))")), n))
            .collect();
        let mut attributes: Vec<_> = index.attributes().collect();
        attributes.sort_unstable();
        assert_eq!(attributes, ["id", "size", "type"]);
        let (found, asked_for) = asked(&index, r#"{"type":"t","id":"none","size":5}"#);
        assert!(found.is_empty());
        assert!(asked_for.len() <= 5, "{asked_for:?}");
        let (found, asked_for) = asked(&index, r#"{"type":"t","id":77,"size":5}"#);
        assert_eq!(found, [77]);
        assert!(asked_for.len() <= 8, "{asked_for:?}");
    }

    #[test]
    fn equality_is_that_of_values() {
        let index: PredicateIndex<usize> = [
            "(= a 5)",
            "(= a \"5\")",
            "(= a 5.0)",
            "(= a true)",
            "(= a \"true\")",
            "(= a 9007199254740993)",
            "(= a 0)",
            "(or (= a 5) (= b 1) (= a 5))",
            "(not (= a 5))",
            "(or (= a 5) (exists b))",
        ]
        .iter()
        .enumerate()
        .map(|(n, text)| (predicate(text), n))
        .collect();
        for (event, expected) in [
            (r#"{"a":5}"#, &[0, 1, 2, 7, 9][..]),
            (r#"{"a":"005"}"#, &[0, 2, 7, 9]),
            (r#"{"a":"5"}"#, &[0, 1, 2, 7, 9]),
            (r#"{"a":5e0,"b":1}"#, &[0, 1, 2, 7, 9]),
            (r#"{"a":true}"#, &[3, 4, 8]),
            (r#"{"a":"true"}"#, &[3, 4, 8]),
            (r#"{"a":9007199254740992}"#, &[8]),
            (r#"{"a":9007199254740992.0}"#, &[5, 8]),
            (r#"{"a":-0.0}"#, &[6, 8]),
            (r#"{"a":null,"b":1}"#, &[7, 8, 9]),
            (r#"{"a":[5]}"#, &[8]),
            (r#"{}"#, &[8]),
        ] {
            assert_eq!(asked(&index, event).0, expected, "{event}");
        }
    }
}
