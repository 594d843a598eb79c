//! Planning for what a tenant has one of: its key attribute, and an integration of each type.

use super::resource::{Found, Refusal};
use super::steps::{Change, Differing, Fields, Step, What, differing};
use super::{Document, Plan, Stored};
use crate::integration::{Command, Definition, Error, Integration, Kind, MASK, OnAmbiguous, Sealed, Setting};
use crate::tenant;

/// The key attribute.
pub(super) fn key<I>(stored: &Stored, wanted: &Document<I>, plan: &mut Plan, refusals: &mut Vec<Refusal>) {
    let Some(key) = &wanted.key else { return };
    let command = tenant::Command::SetKeyAttribute { expected: None, key: key.clone() };
    match stored.tenant.decide(command) {
        Err(error) => refusals.push(Found::new("key-attribute", error.to_string()).of("")),
        Ok(events) if events.is_empty() => {}
        Ok(events) => {
            plan.changes.push(Change {
                what: if stored.tenant.key.is_some() { What::Updated } else { What::Created },
                resource: "key-attribute",
                handle: String::new(),
                id: String::new(),
                fields: vec![("key", stored.tenant.key.clone(), Some(key.clone()))],
            });
            // The tenant's id is the stream's, which is not known here.
            plan.tenant.push(Step { id: String::new(), version: stored.tenant.version, events });
        }
    }
}

/// The integrations.
pub(super) fn plan(
    stored: &Stored,
    wanted: &[(Kind, Setting)],
    plan: &mut Plan,
    refusals: &mut Vec<Refusal>,
) {
    for kind in Kind::ALL {
        let none = Integration::default();
        let integration =
            stored.integrations.iter().find(|(known, _)| *known == kind).map_or(&none, |(_, found)| found);
        let setting = wanted.iter().find(|(known, _)| *known == kind).map(|(_, setting)| setting);
        let command = match setting {
            Some(setting) => Command::Set { kind, expected: None, setting: setting.clone() },
            None if integration.definition.is_none() || kind == Kind::Echo => continue,
            None => Command::Delete { kind, expected: None },
        };
        let events = match integration.decide(command) {
            Ok(events) => events,
            Err(error) => {
                let place = format!("integrations/{}", kind.name());
                refusals.extend(found(&error).into_iter().map(|found| found.of(&place)));
                continue;
            }
        };
        if events.is_empty() {
            continue;
        }
        let mut after = integration.clone();
        events.iter().cloned().for_each(|event| cqrs_es::Aggregate::apply(&mut after, event));
        plan.changes.push(change(kind, integration, &after));
        plan.integrations.push(Step { id: kind.name().to_owned(), version: integration.version, events });
    }
}

fn found(error: &Error) -> Vec<Found> {
    let each = |names: Vec<&str>, message: &str| {
        names.into_iter().map(|name| Found::new(name, message)).collect::<Vec<_>>()
    };
    match error {
        Error::Incomplete(missing) => each(missing.clone(), "is missing"),
        Error::NothingKept(names) => {
            each(names.iter().map(String::as_str).collect(), "is not given, and none is stored")
        }
        error => vec![Found::new("", error.to_string())],
    }
}

fn change(kind: Kind, before: &Integration, after: &Integration) -> Change {
    let what = match (&before.definition, &after.definition) {
        (None, _) => What::Created,
        (_, Some(_)) => What::Updated,
        (_, None) => What::Deleted,
    };
    let (old, new) = (before.definition.as_ref(), after.definition.as_ref());
    let mut differ = differing(&fields(kind, old), &fields(kind, new));
    let none = Definition::default();
    differ.extend(secrets(kind, old.unwrap_or(&none), new.unwrap_or(&none)));
    Change {
        what,
        resource: "integration",
        handle: kind.name().to_owned(),
        id: String::new(),
        fields: differ,
    }
}

/// The fields that are no secrets.
fn fields(kind: Kind, definition: Option<&Definition>) -> Fields {
    let Some(definition) = definition else { return Vec::new() };
    let mut fields = vec![("active", definition.active.to_string())];
    fields.extend(definition.name.as_ref().map(|name| ("name", name.clone())));
    let known = kind.fields().iter();
    fields.extend(known.filter_map(|field| Some((field.name, definition.fields.get(field.name)?.clone()))));
    if definition.on_ambiguous == OnAmbiguous::Hold {
        fields.push(("on-ambiguous", "hold".to_owned()));
    }
    fields
}

/// What of its secrets differs: that, and no more.
fn secrets(kind: Kind, before: &Definition, after: &Definition) -> Differing {
    let masked = |sealed: Option<&Sealed>| sealed.map(|_| MASK.to_owned());
    let differ = kind.fields().iter().filter_map(|field| {
        let (old, new) = (before.secrets.get(field.name), after.secrets.get(field.name));
        (old != new).then(|| (field.name, masked(old), masked(new)))
    });
    let mut differ: Differing = differ.collect();
    if before.headers != after.headers {
        let names = |of: &Definition| {
            let names = of.headers.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            (!names.is_empty()).then_some(names)
        };
        differ.push(("headers", names(before), names(after)));
    }
    differ
}
