//! What happens to one thing: its events, and what a person sees of them.

use cqrs_es::Aggregate;

/// Events of one aggregate.
pub struct Step<A: Aggregate> {
    /// Its id.
    pub id: String,
    /// The version at which it has to be.
    pub version: u64,
    /// What happens.
    pub events: Vec<A::Event>,
}

impl<A: Aggregate> std::fmt::Debug for Step<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, version, events } = self;
        write!(f, "{id}@{version}: {} events", events.len())
    }
}

/// What happens to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is made.
    Created,
    /// It is changed.
    Updated,
    /// It is deleted.
    Deleted,
}

impl What {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

/// A change as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What.
    pub what: What,
    /// Of what: `pattern`, ….
    pub resource: &'static str,
    /// Its handle; of what is deleted, that by which it was described.
    pub handle: String,
    /// Its id; empty if there is but one.
    pub id: String,
    /// The fields that differ: name, before, after.
    pub fields: Differing,
}

/// Fields that differ: name, before, after.
pub type Differing = Vec<(&'static str, Option<String>, Option<String>)>;

/// A thing's fields as texts.
pub type Fields = Vec<(&'static str, String)>;

/// The fields that differ.
pub(super) fn differing(before: &Fields, after: &Fields) -> Differing {
    let value = |fields: &Fields, name: &str| {
        fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let mut names: Vec<&'static str> = before.iter().map(|(name, _)| *name).collect();
    names.extend(after.iter().map(|(name, _)| *name).filter(|name| value(before, name).is_none()));
    let all = names.into_iter().map(|name| (name, value(before, name), value(after, name)));
    all.filter(|(_, before, after)| before != after).collect()
}
