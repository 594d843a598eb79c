//! What a tenant's customer events are matched against, as the fold of its configuration changes.
//!
//! The door asks it for the key attribute and the patterns in force; the engine learns from it when matching
//! starts afresh. Both fold the same rows in order of position, so they cannot disagree.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dsl::{Diagnostic, Limits, when};
use crate::ids::{AugmentId, PatternId, Position};
use crate::{augment, pattern, tenant};

/// A change of a tenant's configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Of the tenant itself: its key attribute.
    Tenant(tenant::Event),
    /// Of a pattern.
    Pattern(PatternId, pattern::Event),
    /// Of an augment.
    Augment(AugmentId, augment::Event),
}

/// A pattern that is matched against.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivePattern {
    /// Which start of its matching this is.
    pub version: u32,
    /// Its `when`.
    pub trigger: Arc<when::Trigger>,
    /// Where matching started afresh: only events after this position count.
    pub since: Position,
    /// The pattern event whose definition has the `then` in force.
    pub program: Position,
}

/// An augment that is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActiveAugment {
    /// Its id.
    pub id: AugmentId,
    /// The augment event that has its definition: another definition is another position.
    pub position: Position,
    /// The definition in force.
    pub definition: augment::Definition,
}

/// A tenant's configuration up to a position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configuration {
    /// The position of the last change taken in: the tenant's configuration position.
    pub position: Position,
    /// The attribute that tells customers apart.
    pub key_attribute: Option<String>,
    /// The enabled patterns.
    pub patterns: BTreeMap<PatternId, ActivePattern>,
    /// The augments, in order of creation.
    pub augments: Arc<Vec<ActiveAugment>>,
}

/// What a change means for matching.
#[derive(Clone, Debug, PartialEq)]
pub enum Consequence {
    /// Nothing.
    None,
    /// The pattern is matched afresh from this position on.
    Afresh(PatternId),
    /// The pattern's matches run another program from this position on.
    Program(PatternId),
    /// The pattern is matched no more.
    Retired(PatternId),
    /// The pattern is enabled, but its `when` cannot be read by this release: it is not matched.
    Unreadable(PatternId, Vec<Diagnostic>),
}

impl Configuration {
    /// Takes in the change at `position`; one that was taken in already changes nothing.
    pub fn apply(&mut self, position: Position, change: Change) -> Consequence {
        if position <= self.position {
            return Consequence::None;
        }
        self.position = position;
        match change {
            Change::Tenant(tenant::Event::KeyAttributeSet { key }) => {
                self.key_attribute = Some(key);
                Consequence::None
            }
            Change::Tenant(tenant::Event::Created { .. }) => Consequence::None,
            Change::Pattern(id, pattern::Event::Deleted) => self.retire(id),
            Change::Pattern(
                id,
                pattern::Event::Created(definition) | pattern::Event::Updated(definition),
            ) => self.define(position, id, &definition),
            Change::Augment(id, event) => self.augment(position, id, event),
        }
    }

    /// Augments act at the door: what they did to an event comes with it, so that matching does not change.
    fn augment(&mut self, position: Position, id: AugmentId, event: augment::Event) -> Consequence {
        let augments = Arc::make_mut(&mut self.augments);
        match (event.into_definition(), augments.iter_mut().find(|augment| augment.id == id)) {
            (None, _) => augments.retain(|augment| augment.id != id),
            (Some(definition), None) => augments.push(ActiveAugment { id, position, definition }),
            (Some(definition), Some(augment)) => {
                *augment = ActiveAugment { id, position, definition };
            }
        }
        Consequence::None
    }

    fn retire(&mut self, id: PatternId) -> Consequence {
        match self.patterns.remove(&id) {
            Some(_) => Consequence::Retired(id),
            None => Consequence::None,
        }
    }

    fn define(&mut self, position: Position, id: PatternId, definition: &pattern::Definition) -> Consequence {
        if !definition.status {
            return self.retire(id);
        }
        if let Some(active) = self.patterns.get_mut(&id)
            && active.version == definition.version
        {
            active.program = position;
            return Consequence::Program(id);
        }
        match when::parse(definition.when.as_deref().unwrap_or_default(), &Limits::STORED) {
            Ok(when) => {
                let active = ActivePattern {
                    version: definition.version,
                    trigger: Arc::new(when.trigger),
                    since: position,
                    program: position,
                };
                self.patterns.insert(id.clone(), active);
                Consequence::Afresh(id)
            }
            Err(diagnostics) => {
                self.patterns.remove(&id);
                Consequence::Unreadable(id, diagnostics)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::{Definition, Event};

    fn pattern(version: u32, status: bool, then: &str) -> Change {
        let definition = Definition {
            name: "calls".into(),
            status,
            when: Some("(event (= type \"call\"))".into()),
            then: Some(then.into()),
            version,
            ..Definition::default()
        };
        Change::Pattern("PT1".into(), Event::Updated(definition))
    }

    #[test]
    fn matching_starts_afresh_only_when_the_version_rises() {
        let mut configuration = Configuration::default();
        let id = PatternId::from("PT1");
        assert_eq!(configuration.apply(Position(3), pattern(1, true, "a")), Consequence::Afresh(id.clone()));
        assert_eq!(configuration.apply(Position(5), pattern(1, true, "b")), Consequence::Program(id.clone()));
        let active = &configuration.patterns[&id];
        assert_eq!((active.since, active.program), (Position(3), Position(5)));
        assert_eq!(configuration.apply(Position(5), pattern(2, true, "b")), Consequence::None);
        assert_eq!(
            configuration.apply(Position(6), pattern(1, false, "b")),
            Consequence::Retired(id.clone())
        );
        assert_eq!(configuration.apply(Position(8), pattern(2, true, "b")), Consequence::Afresh(id.clone()));
        assert_eq!(
            configuration.apply(Position(9), Change::Pattern(id.clone(), Event::Deleted)),
            Consequence::Retired(id)
        );
        assert_eq!(configuration.position, Position(9));
    }

    #[test]
    fn augments_stand_in_order_of_creation_whatever_changes_of_them() {
        let mut configuration = Configuration::default();
        let made = |name: &str| augment::Definition { name: name.into(), ..augment::Definition::default() };
        let events = [
            ("AU2", augment::Event::Created(made("b"))),
            ("AU10", augment::Event::Created(made("c"))),
            ("AU2", augment::Event::FileSet(made("d"))),
            ("AU11", augment::Event::Created(made("e"))),
            ("AU10", augment::Event::Deleted),
        ];
        for (n, (id, event)) in (1..).zip(events) {
            configuration.apply(Position(n), Change::Augment(id.into(), event));
        }
        let shown: Vec<_> = configuration
            .augments
            .iter()
            .map(|augment| (augment.id.as_str(), augment.position.0, augment.definition.name.as_str()))
            .collect();
        assert_eq!(shown, [("AU2", 3, "d"), ("AU11", 4, "e")]);
    }
}
