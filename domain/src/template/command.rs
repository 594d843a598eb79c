//! What may be asked of a template, and what is refused.
//!
//! Which patterns use it is looked up before the command, as are its partials. Read next: [`Event`].

use serde::{Deserialize, Serialize};

use super::{Definition, Event};
use crate::aggregate::aggregate;
use crate::ids::PatternId;
use crate::pattern::Change;
use crate::{mustache, name};

/// The aggregate's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The definition in force, if it exists; after a delete it never exists again.
    pub definition: Option<Definition>,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make it.
    Create {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The Mustache text.
        template: String,
    },
    /// Change what is named.
    Update {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
        /// New name.
        name: Option<String>,
        /// New description.
        description: Change<String>,
        /// New text.
        template: Option<String>,
    },
    /// Delete it.
    Delete {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
        /// The enabled patterns that name it, themselves or through partials.
        used_by: Vec<PatternId>,
    },
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is in use, or was.
    #[error("the template is there already")]
    Exists,
    /// It is not there.
    #[error("no such template")]
    Missing,
    /// The client saw another version.
    #[error("the template has changed: it is at version {0}")]
    Changed(u64),
    /// The name is empty or too long.
    #[error("a name has 1 to {} characters", name::MAX)]
    Name,
    /// The text is not valid Mustache.
    #[error("the template is not valid: {0}")]
    Invalid(#[from] mustache::Error),
    /// Enabled patterns name it.
    #[error("the template is used by {}", list(.0))]
    InUse(Vec<PatternId>),
}

fn list(ids: &[PatternId]) -> String {
    ids.iter().map(PatternId::as_str).collect::<Vec<_>>().join(", ")
}

impl Template {
    /// Decides: the events that the command yields; none if there is nothing to do.
    ///
    /// # Errors
    /// The rule that said no.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        match command {
            Command::Create { .. } if self.version > 0 => Err(Error::Exists),
            Command::Create { name, description, template } => {
                Ok(vec![Event::Created(checked(Definition { name, description, template })?)])
            }
            Command::Update { expected, name, description, template } => {
                let old = self.seen(expected)?;
                let new = checked(Definition {
                    name: name.unwrap_or_else(|| old.name.clone()),
                    description: description.unwrap_or_else(|| old.description.clone()),
                    template: template.unwrap_or_else(|| old.template.clone()),
                })?;
                Ok(if new == *old { vec![] } else { vec![Event::Updated(new)] })
            }
            Command::Delete { expected, used_by } => {
                self.seen(expected)?;
                if used_by.is_empty() { Ok(vec![Event::Deleted]) } else { Err(Error::InUse(used_by)) }
            }
        }
    }

    fn evolve(&mut self, event: Event) {
        self.definition = match event {
            Event::Created(definition) | Event::Updated(definition) => Some(definition),
            Event::Deleted => None,
        };
    }
}

fn checked(definition: Definition) -> Result<Definition, Error> {
    if !name::is_valid(&definition.name) {
        return Err(Error::Name);
    }
    mustache::Template::parse(&definition.template)?;
    Ok(definition)
}

aggregate!(Template, "template", Definition);

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Template> {
        TestFramework::<Template>::with(()).given(events)
    }

    fn definition(template: &str) -> Definition {
        Definition { name: "Greeting".into(), description: Some("hello".into()), template: template.into() }
    }

    fn update(expected: Option<u64>, template: &str) -> Command {
        Command::Update { expected, name: None, description: None, template: Some(template.into()) }
    }

    #[test]
    fn a_template_that_is_not_mustache_is_refused_with_its_place() {
        let create = |name: &str, template: &str| Command::Create {
            name: name.into(),
            description: Some("hello".into()),
            template: template.into(),
        };
        let made = Event::Created(definition("Hi {{name}}"));
        given(vec![]).when(create("Greeting", "Hi {{name}}")).then_expect_events(vec![made.clone()]);
        given(vec![]).when(create("", "Hi")).then_expect_error(Error::Name);
        for command in [create("Greeting", "Hi\n {{#name}}"), update(None, "Hi\n {{#name}}")] {
            let state = Template { definition: Some(definition("Hi {{name}}")), version: 1 };
            let state = if matches!(command, Command::Create { .. }) { Template::default() } else { state };
            let Err(Error::Invalid(error)) = state.decide(command) else { panic!("accepted") };
            assert_eq!((error.line, error.column), (2, 2));
        }
    }

    #[test]
    fn an_update_changes_what_it_names_and_nothing_is_an_event_if_nothing_changes() {
        let made = Event::Created(definition("Hi"));
        let clear = Command::Update { expected: None, name: None, description: Some(None), template: None };
        given(vec![made.clone()])
            .when(update(Some(1), "Ho"))
            .then_expect_events(vec![Event::Updated(definition("Ho"))]);
        given(vec![made.clone()]).when(update(Some(1), "Hi")).then_expect_events(vec![]);
        given(vec![made.clone()]).when(update(Some(2), "Ho")).then_expect_error(Error::Changed(1));
        given(vec![made.clone()])
            .when(clear)
            .then_expect_events(vec![Event::Updated(Definition { description: None, ..definition("Hi") })]);
        given(vec![made, Event::Deleted]).when(update(None, "Ho")).then_expect_error(Error::Missing);
    }

    #[test]
    fn a_template_that_an_enabled_pattern_names_cannot_be_deleted() {
        let made = Event::Created(definition("Hi"));
        let delete = |expected, used_by: &[&str]| Command::Delete {
            expected,
            used_by: used_by.iter().map(|id| PatternId::from(*id)).collect(),
        };
        given(vec![made.clone()])
            .when(delete(None, &["PT1", "PT7"]))
            .then_expect_error(Error::InUse(vec!["PT1".into(), "PT7".into()]));
        given(vec![made.clone()]).when(delete(Some(9), &[])).then_expect_error(Error::Changed(1));
        given(vec![made.clone()]).when(delete(Some(1), &[])).then_expect_events(vec![Event::Deleted]);
        given(vec![made, Event::Deleted]).when(delete(None, &[])).then_expect_error(Error::Missing);
    }
}
