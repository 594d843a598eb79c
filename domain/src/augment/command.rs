//! What may be asked of an augment, and what is refused.
//!
//! That a URL is one is checked where the request is read, and that a file is a good one before its command. Read
//! next: [`Event`].

use serde::{Deserialize, Serialize};

use super::{Definition, Event, File, Kind, Options, Service};
use crate::aggregate::aggregate;
use crate::name;
use crate::pattern::Change;

/// The aggregate's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augment {
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
        /// Where the attributes come from.
        kind: Kind,
        /// Before what it is applied.
        service: Service,
        /// Whether the service was given under its older name too.
        older_service: bool,
        /// What is asked, of an `api` augment.
        options: Option<Options>,
    },
    /// Change what is named.
    Update {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
        /// New name.
        name: Option<String>,
        /// New description.
        description: Change<String>,
        /// New type: what belonged to the other one goes with it.
        kind: Option<Kind>,
        /// New service.
        service: Option<Service>,
        /// Whether the service is given under its older name.
        older_service: bool,
        /// New options, whole.
        options: Option<Options>,
    },
    /// Make it this, whole: what is not named is gone. Its file is put in force apart.
    Replace(Definition),
    /// Put a file in force, in the place of the one that is.
    SetFile {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
        /// The file: good, and stored.
        file: File,
    },
    /// Delete its file.
    DeleteFile {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
    },
    /// Delete it.
    Delete {
        /// The version that the client saw, if it said one.
        expected: Option<u64>,
    },
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The id is in use, or was.
    #[error("the augment is there already")]
    Exists,
    /// It is not there.
    #[error("no such augment")]
    Missing,
    /// The client saw another version.
    #[error("the augment has changed: it is at version {0}")]
    Changed(u64),
    /// The name is empty or too long.
    #[error("a name has 1 to {} characters", name::MAX)]
    Name,
    /// An `api` augment has to know what to ask.
    #[error("an augment of type api has options: an object with url and attributes")]
    NoOptions,
    /// A `file` augment asks nothing.
    #[error("an augment of type file has no options")]
    OptionsOfFile,
    /// An `api` augment has no file.
    #[error("an augment of type api has no file")]
    NoFileAugment,
    /// There is no file.
    #[error("the augment has no file")]
    NoFile,
}

impl Augment {
    /// Decides: the events that the command yields; none if there is nothing to do.
    ///
    /// # Errors
    /// The rule that said no.
    pub fn decide(&self, command: Command) -> Result<Vec<Event>, Error> {
        match command {
            Command::Create { .. } if self.version > 0 => Err(Error::Exists),
            Command::Create { name, description, kind, service, older_service, options } => {
                let new = Definition { name, description, kind, service, older_service, options, file: None };
                Ok(vec![Event::Created(checked(new)?)])
            }
            Command::Update { expected, name, description, kind, service, older_service, options } => {
                let old = self.seen(expected)?;
                let kind = kind.unwrap_or(old.kind);
                // What belonged to the type before goes with it.
                let kept = kind == old.kind;
                let new = checked(Definition {
                    name: name.unwrap_or_else(|| old.name.clone()),
                    description: description.unwrap_or_else(|| old.description.clone()),
                    kind,
                    service: service.unwrap_or(old.service),
                    older_service: older_service || old.older_service,
                    options: options.or_else(|| old.options.clone().filter(|_| kept)),
                    file: old.file.clone().filter(|_| kept),
                })?;
                Ok(if new == *old { vec![] } else { vec![Event::Updated(new)] })
            }
            Command::Replace(new) => {
                let old = self.seen(None)?;
                let file = old.file.clone().filter(|_| new.kind == old.kind);
                let new = checked(Definition { file, ..new })?;
                Ok(if new == *old { vec![] } else { vec![Event::Updated(new)] })
            }
            Command::SetFile { expected, file } => {
                let new = Definition { file: Some(file), ..self.of_file(expected)?.clone() };
                Ok(vec![Event::FileSet(new)])
            }
            Command::DeleteFile { expected } => {
                let old = self.of_file(expected)?;
                old.file.as_ref().ok_or(Error::NoFile)?;
                Ok(vec![Event::FileDeleted(Definition { file: None, ..old.clone() })])
            }
            Command::Delete { expected } => self.seen(expected).map(|_| vec![Event::Deleted]),
        }
    }

    /// The same of one that may have a file.
    fn of_file(&self, expected: Option<u64>) -> Result<&Definition, Error> {
        let definition = self.seen(expected)?;
        match definition.kind {
            Kind::File => Ok(definition),
            Kind::Api => Err(Error::NoFileAugment),
        }
    }

    fn evolve(&mut self, event: Event) {
        self.definition = event.into_definition();
    }
}

fn checked(definition: Definition) -> Result<Definition, Error> {
    if !name::is_valid(&definition.name) {
        return Err(Error::Name);
    }
    match (definition.kind, &definition.options) {
        (Kind::Api, None) => Err(Error::NoOptions),
        (Kind::File, Some(_)) => Err(Error::OptionsOfFile),
        _ => Ok(definition),
    }
}

aggregate!(Augment, "augment", Definition);

#[cfg(test)]
mod tests {
    use cqrs_es::test::TestFramework;

    use super::*;

    fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Augment> {
        TestFramework::<Augment>::with(()).given(events)
    }

    fn file() -> Definition {
        Definition { name: "Customers".into(), ..Definition::default() }
    }

    fn api() -> Definition {
        let options = Options { url: "example.com".into(), attributes: vec!["segment".into()] };
        Definition { kind: Kind::Api, options: Some(options), ..file() }
    }

    fn csv(id: &str) -> File {
        File { id: id.into(), bytes: 9, rows: 1 }
    }

    fn with_file(id: &str) -> Definition {
        Definition { file: Some(csv(id)), ..file() }
    }

    fn update(kind: Option<Kind>, options: Option<Options>) -> Command {
        Command::Update {
            expected: None,
            name: None,
            description: None,
            kind,
            service: None,
            older_service: false,
            options,
        }
    }

    fn create(definition: Definition) -> Command {
        let Definition { name, description, kind, service, older_service, options, .. } = definition;
        Command::Create { name, description, kind, service, older_service, options }
    }

    #[test]
    fn only_an_api_augment_has_options_and_it_always_does() {
        given(vec![]).when(create(file())).then_expect_events(vec![Event::Created(file())]);
        given(vec![]).when(create(api())).then_expect_events(vec![Event::Created(api())]);
        let without = Definition { options: None, ..api() };
        given(vec![]).when(create(without)).then_expect_error(Error::NoOptions);
        let with = Definition { options: api().options, ..file() };
        given(vec![]).when(create(with)).then_expect_error(Error::OptionsOfFile);
        given(vec![]).when(create(Definition::default())).then_expect_error(Error::Name);
        given(vec![Event::Created(file())]).when(create(file())).then_expect_error(Error::Exists);
    }

    #[test]
    fn another_type_lets_go_of_what_belonged_to_the_one_before() {
        let set = || vec![Event::Created(file()), Event::FileSet(with_file("a"))];
        let to_api = update(Some(Kind::Api), api().options);
        given(set()).when(to_api).then_expect_events(vec![Event::Updated(api())]);
        given(set()).when(update(Some(Kind::Api), None)).then_expect_error(Error::NoOptions);
        let to_file = update(Some(Kind::File), None);
        given(vec![Event::Created(api())]).when(to_file).then_expect_events(vec![Event::Updated(file())]);
        given(set()).when(update(Some(Kind::File), None)).then_expect_events(vec![]);
    }

    #[test]
    fn what_is_made_whole_keeps_nothing_that_is_not_named_but_its_file() {
        let without = Definition { options: None, ..api() };
        given(vec![Event::Created(api())])
            .when(Command::Replace(without))
            .then_expect_error(Error::NoOptions);
        let older = Definition { older_service: true, description: Some("d".into()), ..file() };
        let replaced = || Command::Replace(file());
        given(vec![Event::Created(older)]).when(replaced()).then_expect_events(vec![Event::Updated(file())]);
        let set = || vec![Event::Created(file()), Event::FileSet(with_file("a"))];
        given(set()).when(replaced()).then_expect_events(vec![]);
        given(set()).when(Command::Replace(api())).then_expect_events(vec![Event::Updated(api())]);
    }

    #[test]
    fn a_file_is_replaced_and_deleted_and_an_api_augment_has_none() {
        let set = |id: &str, expected| Command::SetFile { expected, file: csv(id) };
        let made = || vec![Event::Created(file())];
        given(made()).when(set("a", Some(1))).then_expect_events(vec![Event::FileSet(with_file("a"))]);
        given(made()).when(set("a", Some(2))).then_expect_error(Error::Changed(1));
        let both = vec![Event::Created(file()), Event::FileSet(with_file("a"))];
        given(both.clone()).when(set("b", None)).then_expect_events(vec![Event::FileSet(with_file("b"))]);
        let delete = || Command::DeleteFile { expected: None };
        given(both).when(delete()).then_expect_events(vec![Event::FileDeleted(file())]);
        given(made()).when(delete()).then_expect_error(Error::NoFile);
        given(vec![Event::Created(api())]).when(delete()).then_expect_error(Error::NoFileAugment);
        given(vec![Event::Created(api())]).when(set("a", None)).then_expect_error(Error::NoFileAugment);
        let gone = vec![Event::Created(file()), Event::Deleted];
        given(gone.clone()).when(set("a", None)).then_expect_error(Error::Missing);
        given(gone).when(Command::Delete { expected: None }).then_expect_error(Error::Missing);
    }
}
