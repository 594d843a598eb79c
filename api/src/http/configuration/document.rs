//! The document: from JSON, with all that is wrong with it, and back to JSON.
//!
//! `{"key-attribute": …, "templates": {<handle>: {…}}, "augments": {…}, "patterns": {…}, "listeners": {…},
//! "integrations": {<type>: {…}}}`: each as the API shows it, without ids, in the order in which it is made.

use std::collections::BTreeMap;

use domain::integration;
use domain::integration::Kind;
use domain::json::{Json, Object};
use domain::plan::{Document, Refusal};

use crate::http::fields::Fields;
use crate::http::integrations::setting::Asked;
use crate::http::integrations::{names, repeats_kind};
use crate::http::problem::Problem;
use crate::http::{augments, listeners, patterns, templates};

/// An integration as it is asked for, in clear.
pub(crate) struct Account {
    pub(super) name: Option<String>,
    pub(super) active: bool,
    pub(super) asked: Asked,
}

/// A document that is well-formed.
pub(crate) struct Draft(pub(crate) Document<Account>);

impl Draft {
    /// Whether there is an augment of that handle.
    pub(super) fn has_augment(&self, handle: &str) -> bool {
        self.0.augments.iter().any(|(known, _)| known == handle)
    }

    /// Whether any secret stands in it in clear.
    pub(super) fn gives_secrets(&self) -> bool {
        self.0.integrations.iter().any(|(_, account)| account.asked.gives_secrets())
    }
}

/// Reads a document.
///
/// # Errors
/// All that is wrong with its form.
pub(crate) fn read(json: Json) -> Result<Draft, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let whole = item("", json, &mut refusals, |fields| {
        let mut list = |name| fields.optional_object(name).unwrap_or_default();
        let lists =
            [list("templates"), list("augments"), list("patterns"), list("listeners"), list("integrations")];
        (fields.changed_name("key-attribute"), lists)
    });
    let Some((key, [of_templates, of_augments, of_patterns, of_listeners, integrations])) = whole else {
        return Err(refusals);
    };
    let document = Document {
        key,
        templates: each("templates", of_templates, &mut refusals, |fields| {
            Some(templates::definition(fields))
        }),
        augments: each("augments", of_augments, &mut refusals, |fields| Some(augments::definition(fields))),
        patterns: each("patterns", of_patterns, &mut refusals, |fields| Some(patterns::definition(fields))),
        listeners: each("listeners", of_listeners, &mut refusals, listeners::definition),
        integrations: accounts(integrations, &mut refusals),
    };
    if refusals.is_empty() { Ok(Draft(document)) } else { Err(refusals) }
}

/// Reads one thing; none if anything is wrong with it.
fn item<T>(
    place: &str,
    json: Json,
    refusals: &mut Vec<Refusal>,
    read: impl FnOnce(&mut Fields) -> T,
) -> Option<T> {
    let read = Fields::of(json).and_then(|mut fields| {
        let value = read(&mut fields);
        fields.end().map(|()| value)
    });
    read.map_err(|problem| refusals.extend(of_problem(place, &problem))).ok()
}

/// What a problem says, of a place.
fn of_problem(place: &str, problem: &Problem) -> Vec<Refusal> {
    let text = |json: &Json, name| json.get(name).and_then(Json::as_text).unwrap_or_default().to_owned();
    let refusal = |field, message| Refusal { place: place.to_owned(), field, at: None, message, hint: None };
    match problem.body.get("details").and_then(Json::as_array) {
        Some(details) => {
            details.iter().map(|detail| refusal(text(detail, "field"), text(detail, "message"))).collect()
        }
        None => vec![refusal(String::new(), text(&problem.body, "error"))],
    }
}

fn each<T>(
    folder: &str,
    all: Object,
    refusals: &mut Vec<Refusal>,
    read: impl Fn(&mut Fields) -> Option<T>,
) -> Vec<(String, T)> {
    let one = |(handle, json): (&str, &Json)| {
        let value = item(&format!("{folder}/{handle}"), json.clone(), refusals, &read)??;
        Some((handle.to_owned(), value))
    };
    all.iter().filter_map(one).collect()
}

fn accounts(all: Object, refusals: &mut Vec<Refusal>) -> Vec<(Kind, Account)> {
    let mut accounts: BTreeMap<Kind, Account> = BTreeMap::new();
    for (name, json) in all.iter() {
        let place = format!("integrations/{name}");
        let mut refuse = |message: String| {
            let place = place.clone();
            refusals.push(Refusal { place, field: String::new(), at: None, message, hint: None });
        };
        let Some(kind) = Kind::from_name(name) else {
            refuse(format!("there is no such integration; there are {}", names()));
            continue;
        };
        if accounts.contains_key(&kind) {
            refuse(format!("{} is there already", kind.name()));
            continue;
        }
        let account = item(&place, json.clone(), refusals, |fields| {
            repeats_kind(fields, "type", kind);
            let name = fields.changed_name("name");
            let active = fields.boolean("active").flatten().unwrap_or(true);
            Account { name, active, asked: Asked::read(fields, kind) }
        });
        accounts.extend(account.map(|account| (kind, account)));
    }
    accounts.into_iter().collect()
}

/// A described configuration as a document; secrets are masked.
pub(crate) fn shown(document: &Document<integration::Definition>) -> Object {
    fn list<T>(all: &[(String, T)], shown: impl Fn(&T) -> Object) -> Object {
        all.iter().map(|(handle, definition)| (handle.clone(), Json::from(shown(definition)))).collect()
    }
    let mut whole = Object::new();
    if let Some(key) = &document.key {
        whole.set("key-attribute", key.as_str());
    }
    whole.set("templates", list(&document.templates, templates::members));
    whole.set("augments", list(&document.augments, augments::members));
    whole.set("patterns", list(&document.patterns, patterns::members));
    whole.set("listeners", list(&document.listeners, listeners::members));
    let accounts = document.integrations.iter();
    let accounts =
        accounts.map(|(kind, account)| (kind.name().to_owned(), Json::from(shown_account(*kind, account))));
    whole.set("integrations", accounts.collect::<Object>());
    whole
}

fn shown_account(kind: Kind, definition: &integration::Definition) -> Object {
    let mut shown = Object::new();
    if let Some(name) = &definition.name {
        shown.set("name", name.as_str());
    }
    if !definition.active {
        shown.set("active", false);
    }
    for field in kind.fields() {
        if let Some(value) = definition.fields.get(field.name) {
            shown.set(field.name, value.as_str());
        } else if definition.secrets.contains_key(field.name) {
            shown.set(field.name, integration::MASK);
        }
    }
    if !definition.headers.is_empty() {
        let headers = definition.headers.keys().map(|name| (name.as_str(), integration::MASK));
        shown.set("headers", Json::object(headers));
    }
    if definition.on_ambiguous == integration::OnAmbiguous::Hold {
        shown.set("on-ambiguous", "hold");
    }
    shown
}
