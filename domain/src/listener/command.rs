//! What may be asked of a listener, and what is refused.
//!
//! Whether there is an integration to connect with is no condition: its status says so. Read next: [`Event`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Definition, Event, Kind, mapping};
use crate::aggregate::aggregate;
use crate::dsl::diagnostic::nearest;
use crate::json::Object;
use crate::name;
use crate::pattern::Change;

/// The aggregate's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The definition in force, if it exists; after a delete it never exists again.
    pub definition: Option<Definition>,
    /// How many events it has: its version for `If-Match`.
    pub version: u64,
}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make it.
    Create(Definition),
    /// Change what is named; options and mapping as a whole.
    Update {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
        /// New name.
        name: Option<String>,
        /// New description.
        description: Change<String>,
        /// New status.
        status: Option<bool>,
        /// New type.
        kind: Option<Kind>,
        /// New options.
        options: Option<BTreeMap<String, String>>,
        /// New mapping.
        mapping: Option<Object>,
    },
    /// Delete it.
    Delete {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
    },
}

/// Something wrong with an option or the mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `options.hash`, `mapping`, ….
    pub field: String,
    /// What.
    pub message: String,
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is in use, or was.
    #[error("the listener is there already")]
    Exists,
    /// It is not there.
    #[error("no such listener")]
    Missing,
    /// The client saw another version.
    #[error("the listener has changed: it is at version {0}")]
    Changed(u64),
    /// The name is empty or too long.
    #[error("a name has 1 to {} characters", name::MAX)]
    Name,
    /// Options or mapping are not such as its type takes.
    #[error("{}", sentence(.0))]
    Invalid(Vec<Problem>),
}

fn sentence(problems: &[Problem]) -> String {
    let each = problems.iter().map(|problem| format!("{} {}", problem.field, problem.message));
    each.collect::<Vec<_>>().join("; ")
}

impl Listener {
    /// Decides: the events that the command yields; none if there is nothing to do.
    ///
    /// # Errors
    /// The rule that said no.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        match command {
            Command::Create(_) if self.version > 0 => Err(Error::Exists),
            Command::Create(definition) => Ok(vec![Event::Created(checked(definition)?)]),
            Command::Update { expected, name, description, status, kind, options, mapping } => {
                let old = self.seen(expected)?;
                let new = checked(Definition {
                    name: name.unwrap_or_else(|| old.name.clone()),
                    description: description.unwrap_or_else(|| old.description.clone()),
                    status: status.unwrap_or(old.status),
                    kind: kind.unwrap_or(old.kind),
                    options: options.unwrap_or_else(|| old.options.clone()),
                    mapping: mapping.unwrap_or_else(|| old.mapping.clone()),
                })?;
                Ok(if new == *old { vec![] } else { vec![Event::Updated(new)] })
            }
            Command::Delete { expected } => self.seen(expected).map(|_| vec![Event::Deleted]),
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
    let mut problems = of_options(definition.kind, &definition.options);
    problems.extend(of_mapping(&definition.mapping));
    if problems.is_empty() { Ok(definition) } else { Err(Error::Invalid(problems)) }
}

fn of_options(kind: Kind, options: &BTreeMap<String, String>) -> Vec<Problem> {
    let choices = kind.choices();
    let problem = |name: &str, message: String| Problem { field: format!("options.{name}"), message };
    let mut problems = Vec::new();
    for choice in choices {
        match options.get(choice.name) {
            Some(value) if choice.takes(value) => {}
            Some(_) => problems.push(problem(choice.name, format!("has to be {}", choice.expected))),
            None if choice.needed => problems.push(problem(choice.name, "is missing".to_owned())),
            None => {}
        }
    }
    for name in options.keys().filter(|name| choices.iter().all(|choice| choice.name != *name)) {
        let known = choices.iter().map(|choice| choice.name);
        let hint = match nearest(name, known.clone()) {
            Some(known) => format!("did you mean {known:?}?"),
            None => format!("there are {}", known.collect::<Vec<_>>().join(", ")),
        };
        problems.push(problem(name, format!("is no option of a {} listener; {hint}", kind.name())));
    }
    problems
}

fn of_mapping(mapping: &Object) -> Vec<Problem> {
    let mut problems = Vec::new();
    let whole = |message: &str| Problem { field: "mapping".to_owned(), message: message.to_owned() };
    if mapping.is_empty() {
        problems.push(whole("has to name an attribute at least: the one that tells customers apart"));
    }
    if mapping.len() > mapping::MOST {
        problems.push(whole("has too many attributes: at most 256"));
    }
    for (attribute, path) in mapping.iter() {
        let good = path.as_text().is_some_and(name::is_valid) && name::is_valid(attribute);
        if !good {
            let shown: String = attribute.chars().take(64).collect();
            problems.push(Problem {
                field: format!("mapping.{shown}"),
                message: "has to be a dotted path; both have 1 to 256 characters".to_owned(),
            });
        }
    }
    problems
}

aggregate!(Listener, "listener", Definition);

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Listener> {
        TestFramework::<Listener>::with(()).given(events)
    }

    fn definition(kind: Kind, options: &[(&str, &str)], mapping: &[(&str, &str)]) -> Definition {
        let text = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        Definition {
            name: "Demo".into(),
            description: None,
            status: true,
            kind,
            options: options.iter().map(text).collect(),
            mapping: mapping.iter().map(|(name, path)| (name.to_string(), (*path).into())).collect(),
        }
    }

    fn datasift(hash: &str) -> Definition {
        definition(Kind::Datasift, &[("hash", hash)], &[("id", "twitter.user.screen_name")])
    }

    fn update(options: &[(&str, &str)]) -> Command {
        Command::Update {
            expected: None,
            name: None,
            description: None,
            status: None,
            kind: None,
            options: Some(
                options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            ),
            mapping: None,
        }
    }

    #[test]
    fn options_are_those_of_the_type_and_each_fault_is_named() {
        let wrong = |kind, options: &[(&str, &str)], fields: &[&str]| {
            let made = definition(kind, options, &[("id", "id")]);
            let Err(Error::Invalid(problems)) = Listener::default().decide(Command::Create(made)) else {
                panic!("accepted: {options:?}")
            };
            let named: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(named, fields, "{options:?}");
        };
        wrong(Kind::Datasift, &[], &["options.hash"]);
        wrong(
            Kind::Datasift,
            &[("hash", "a/b"), ("transport", "udp")],
            &["options.hash", "options.transport"],
        );
        wrong(Kind::Datasift, &[("hash", "a"), ("hsah", "a")], &["options.hsah"]);
        wrong(Kind::Salesforce, &[("topic", "a*")], &["options.topic", "options.version"]);
        wrong(Kind::Salesforce, &[("topic", "a"), ("version", "v59")], &["options.version"]);
        wrong(Kind::Pusher, &[("channel", "presence-x")], &["options.channel"]);
        wrong(
            Kind::Pusher,
            &[("channel", "private-encrypted-x"), ("event", "")],
            &["options.channel", "options.event"],
        );
        let good =
            definition(Kind::Salesforce, &[("topic", "CxDemo_0720v2"), ("version", "26.0")], &[("id", "Id")]);
        given(vec![]).when(Command::Create(good.clone())).then_expect_events(vec![Event::Created(good)]);
    }

    #[test]
    fn a_mapping_names_paths_and_at_least_one() {
        for mapping in [&[][..], &[("id", "")], &[("", "id")]] {
            let made = definition(Kind::Datasift, &[("hash", "a")], mapping);
            assert!(
                matches!(Listener::default().decide(Command::Create(made)), Err(Error::Invalid(_))),
                "{mapping:?}"
            );
        }
    }

    #[test]
    fn an_update_changes_what_it_names_and_a_new_type_needs_its_own_options() {
        let made = Event::Created(datasift("a"));
        given(vec![made.clone()])
            .when(update(&[("hash", "b")]))
            .then_expect_events(vec![Event::Updated(datasift("b"))]);
        given(vec![made.clone()]).when(update(&[("hash", "a")])).then_expect_events(vec![]);
        let Command::Update { expected, name, description, status, options, mapping, .. } =
            update(&[("hash", "a")])
        else {
            unreachable!()
        };
        let kind = Some(Kind::Pusher);
        let to_pusher = Command::Update { expected, name, description, status, kind, options, mapping };
        let state = Listener { definition: Some(datasift("a")), version: 1 };
        assert!(matches!(state.decide(to_pusher), Err(Error::Invalid(_))));
        given(vec![made.clone()])
            .when(Command::Delete { expected: Some(2) })
            .then_expect_error(Error::Changed(1));
        given(vec![made.clone()])
            .when(Command::Delete { expected: None })
            .then_expect_events(vec![Event::Deleted]);
        given(vec![made, Event::Deleted]).when(update(&[])).then_expect_error(Error::Missing);
    }
}
