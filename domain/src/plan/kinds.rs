//! The four sorts: templates, augments, patterns, listeners.

use cqrs_es::Aggregate;

use super::names::Names;
use super::resource::{Around, Found, Resource};
use super::steps::Fields;
use crate::augment::{self, Augment};
use crate::dsl::then::template_names;
use crate::json::{Json, Object};
use crate::listener::{self, Listener};
use crate::mustache;
use crate::pattern::{self, Pattern};
use crate::template::{self, Template};

/// What is the same of all: how their aggregates keep a definition.
macro_rules! stored {
    ($definition:ty, $deleted:expr) => {
        type Definition = $definition;

        fn definition(&self) -> Option<&$definition> {
            self.definition.as_ref()
        }

        fn version(&self) -> u64 {
            self.version
        }

        fn name(definition: &$definition) -> &str {
            &definition.name
        }

        fn deleted() -> Self::Event {
            $deleted
        }
    };
}

/// The fields that all have.
fn named(name: &str, description: Option<&String>) -> Fields {
    let mut fields = vec![("name", name.to_owned())];
    fields.extend(description.map(|description| ("description", description.clone())));
    fields
}

impl Resource for Template {
    const WORD: &'static str = "template";
    const FOLDER: &'static str = "templates";
    const PREFIX: &'static str = "TM";
    stored!(template::Definition, template::Event::Deleted);

    fn described(definition: &template::Definition, names: &Names) -> template::Definition {
        template::Definition {
            template: names.template_with_handles(&definition.template),
            ..definition.clone()
        }
    }

    fn fields(described: &template::Definition) -> Fields {
        let mut fields = named(&described.name, described.description.as_ref());
        fields.push(("template", described.template.clone()));
        fields
    }

    fn made(
        &self,
        wanted: &template::Definition,
        around: &Around<'_>,
    ) -> Result<Vec<template::Event>, Vec<Found>> {
        let source = &wanted.template;
        // In the text as it was written: places in the stored one may be others.
        let partials = mustache::Template::partials_in(source).map_err(|error| {
            let at = Some((error.line, error.column));
            vec![Found { at, ..Found::new("template", error.message) }]
        })?;
        let unknown = partials.into_iter().filter(|place| {
            let name = &source[place.clone()];
            !around.after.knows(name) && !is_id(name)
        });
        let unknown: Vec<Found> = unknown.map(|place| unknown_partial(source, place)).collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let template = around.after.template_with_ids(source);
        let (name, description) = (wanted.name.clone(), wanted.description.clone());
        let command = match self.definition {
            None => template::Command::Create { name, description, template },
            Some(_) => template::Command::Update {
                expected: None,
                name: Some(name),
                description: Some(description),
                template: Some(template),
            },
        };
        self.decide(command).map_err(|error| {
            let field = if error == template::Error::Name { "name" } else { "template" };
            vec![Found::new(field, error.to_string())]
        })
    }
}

/// Whether a name is a template's id: one that is not there stays as it was stored.
fn is_id(name: &str) -> bool {
    let digits = name.strip_prefix("TM").unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn unknown_partial(source: &str, place: std::ops::Range<usize>) -> Found {
    let at = crate::dsl::Place::of(source, place.start);
    let shown: String = source[place].chars().take(64).collect();
    let message = format!("the partial {shown:?} is no template of these");
    Found { at: Some((at.line, at.column)), ..Found::new("template", message) }
}

impl Resource for Augment {
    const WORD: &'static str = "augment";
    const FOLDER: &'static str = "augments";
    const PREFIX: &'static str = "AU";
    stored!(augment::Definition, augment::Event::Deleted);

    fn described(definition: &augment::Definition, _: &Names) -> augment::Definition {
        definition.clone()
    }

    fn fields(described: &augment::Definition) -> Fields {
        let mut fields = named(&described.name, described.description.as_ref());
        fields.push(("type", described.kind.name().to_owned()));
        fields.push(("service", described.service.name().to_owned()));
        if described.older_service {
            fields.push(("augment-service", described.service.name().to_owned()));
        }
        if let Some(options) = &described.options {
            fields.push(("url", options.url.clone()));
            fields.push(("attributes", options.attributes.join(", ")));
        }
        if let Some(file) = &described.file {
            fields.push(("file", format!("{} rows, {} bytes, {}", file.rows, file.bytes, file.id)));
        }
        fields
    }

    fn made(&self, wanted: &augment::Definition, _: &Around<'_>) -> Result<Vec<augment::Event>, Vec<Found>> {
        let file = wanted.file.clone();
        let command = match self.definition {
            None => {
                let augment::Definition { name, description, kind, service, older_service, options, .. } =
                    wanted.clone();
                augment::Command::Create { name, description, kind, service, older_service, options }
            }
            Some(_) => augment::Command::Replace(wanted.clone()),
        };
        let refused = |error: augment::Error| {
            let field = match error {
                augment::Error::Name => "name",
                augment::Error::NoOptions | augment::Error::OptionsOfFile => "options",
                _ => "file",
            };
            vec![Found::new(field, error.to_string())]
        };
        let mut events = self.decide(command).map_err(refused)?;
        let mut state = self.clone();
        events.iter().cloned().for_each(|event| state.apply(event));
        let before = state.definition.as_ref().and_then(|definition| definition.file.clone());
        if before != file {
            let command = match file {
                Some(file) => augment::Command::SetFile { expected: None, file },
                None => augment::Command::DeleteFile { expected: None },
            };
            events.extend(state.decide(command).map_err(refused)?);
        }
        Ok(events)
    }
}

impl Resource for Pattern {
    const WORD: &'static str = "pattern";
    const FOLDER: &'static str = "patterns";
    const PREFIX: &'static str = "PT";
    stored!(pattern::Definition, pattern::Event::Deleted);

    fn described(definition: &pattern::Definition, names: &Names) -> pattern::Definition {
        let then = definition.then.as_deref().map(|then| names.then_with_handles(then));
        pattern::Definition { then, version: 0, ..definition.clone() }
    }

    fn fields(described: &pattern::Definition) -> Fields {
        let mut fields = named(&described.name, described.description.as_ref());
        fields.push(("status", described.status.to_string()));
        fields.extend(described.when.as_ref().map(|when| ("when", when.clone())));
        fields.extend(described.then.as_ref().map(|then| ("then", then.clone())));
        fields
    }

    fn made(
        &self,
        wanted: &pattern::Definition,
        around: &Around<'_>,
    ) -> Result<Vec<pattern::Event>, Vec<Found>> {
        let pattern::Definition { name, description, status, when, .. } = wanted.clone();
        let written = wanted.then.as_deref().unwrap_or_default();
        let strange = |place: std::ops::Range<usize>| !around.after.knows(&written[place]);
        if status && template_names(written).into_iter().any(strange) {
            // An id, perhaps: here it would be another template's tomorrow.
            let found = wrong(wanted, around);
            if !found.is_empty() {
                return Err(found);
            }
        }
        let then = wanted.then.as_deref().map(|then| around.after.then_with_ids(then));
        let (templates, limits) = (around.after.ids(), *around.limits);
        let command = match self.definition {
            None => pattern::Command::Create { name, description, status, when, then, templates, limits },
            Some(_) => pattern::Command::Update {
                expected: None,
                name: Some(name),
                description: Some(description),
                status: Some(status),
                when: Some(when),
                then: Some(then),
                templates,
                limits,
            },
        };
        self.decide(command).map_err(|error| match error {
            pattern::Error::Invalid(invalid) => match wrong(wanted, around) {
                // Right as it was written: wrong by the length of ids alone.
                found if found.is_empty() => in_texts(&invalid),
                found => found,
            },
            error => vec![Found::new("name", error.to_string())],
        })
    }
}

/// What is wrong with a pattern's texts, as they were written.
fn wrong(wanted: &pattern::Definition, around: &Around<'_>) -> Vec<Found> {
    let handles = around.after.handles();
    let (when, then) = (wanted.when.as_deref(), wanted.then.as_deref());
    in_texts(&pattern::check(when, then, &handles, around.limits).invalid)
}

fn in_texts(invalid: &[pattern::Invalid]) -> Vec<Found> {
    let of = |invalid: &pattern::Invalid| {
        let field = invalid.field.name();
        let found = invalid.diagnostics.iter();
        found.map(|diagnostic| Found::diagnostic(field, &invalid.source, diagnostic)).collect::<Vec<_>>()
    };
    invalid.iter().flat_map(of).collect()
}

impl Resource for Listener {
    const WORD: &'static str = "listener";
    const FOLDER: &'static str = "listeners";
    const PREFIX: &'static str = "LI";
    stored!(listener::Definition, listener::Event::Deleted);

    fn described(definition: &listener::Definition, _: &Names) -> listener::Definition {
        definition.clone()
    }

    fn fields(described: &listener::Definition) -> Fields {
        let mut fields = named(&described.name, described.description.as_ref());
        fields.push(("type", described.kind.name().to_owned()));
        fields.push(("status", described.status.to_string()));
        let options =
            described.options.iter().map(|(name, value)| (name.clone(), Json::from(value.as_str())));
        fields.push(("options", options.collect::<Object>().to_string()));
        fields.push(("mapping", described.mapping.to_string()));
        fields
    }

    fn made(
        &self,
        wanted: &listener::Definition,
        _: &Around<'_>,
    ) -> Result<Vec<listener::Event>, Vec<Found>> {
        let command = match self.definition {
            None => listener::Command::Create(wanted.clone()),
            Some(_) => {
                let listener::Definition { name, description, status, kind, options, mapping } =
                    wanted.clone();
                listener::Command::Update {
                    expected: None,
                    name: Some(name),
                    description: Some(description),
                    status: Some(status),
                    kind: Some(kind),
                    options: Some(options),
                    mapping: Some(mapping),
                }
            }
        };
        self.decide(command).map_err(|error| match error {
            listener::Error::Invalid(problems) => {
                problems.iter().map(|problem| Found::new(&problem.field, problem.message.as_str())).collect()
            }
            error => vec![Found::new("name", error.to_string())],
        })
    }
}
