//! Augments: what completes a tenant's events before matching, or the contexts of its reactions (rest-api.md §5).
//!
//! Read next: [`mod@file`] (a CSV in, out, and gone).

pub mod file;

use std::collections::BTreeSet;

use domain::augment::{Augment, Command, Definition, Error, Kind, Options, Service};
use domain::dsl::diagnostic::nearest;
use domain::ids::AugmentId;
use domain::json::{Json, Object};
use notifier::augment::url_of;
use projections::AugmentView;

use super::answer::{Answer, identified, named};
use super::call::Call;
use super::change;
use super::conditional::IfMatch;
use super::fields::Fields;
use super::problem::Problem;

/// The most attributes that one `api` augment takes.
const ATTRIBUTES: usize = 1_000;

/// GET /tenants/{tid}/augments
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let augments = call.state.views.augments(&call.tenant).await?;
    Ok(Answer::ok(augments.iter().map(|view| shown(&view.id, &view.definition)).collect::<Vec<_>>()))
}

/// GET /tenants/{tid}/augments/{id}
pub async fn show(call: Call) -> Result<Answer, Problem> {
    let view = view(&call).await?;
    Ok(Answer::ok(shown(&view.id, &view.definition)).version(view.version))
}

/// POST /tenants/{tid}/augments
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let definition = definition(&mut fields);
    fields.end()?;
    let Definition { name, description, kind, service, older_service, options, file: _ } = definition;
    let command = Command::Create { name, description, kind, service, older_service, options };
    let _turn = call.state.turn(&call.tenant).await?;
    let last = call.state.views.last_augment_number(&call.tenant).await?;
    let id = change::create::<Augment>(&call, last, command).await?;
    let view = change::seen(&call.state, call.state.views.augment(&call.tenant, &AugmentId(id)).await?)?;
    Ok(Answer::created(shown(&view.id, &view.definition)).version(view.version))
}

/// PUT /tenants/{tid}/augments/{id}
pub async fn update(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let mut fields = call.fields().await?;
    fields.repeats("id", call.param("id"));
    let name = fields.changed_name("name");
    let description = fields.text("description");
    let kind = fields.changed_text("type");
    let kind = kind.map(|kind| kind_of(&mut fields, &kind));
    let (service, older_service) = service(&mut fields);
    let options = options(&mut fields, true);
    fields.end()?;
    let before = view(&call).await?;
    let expected = if_match.expected(before.version)?;
    let command = Command::Update { expected, name, description, kind, service, older_service, options };
    change::execute::<Augment>(&call, call.param("id"), command).await?;
    let after = view(&call).await?;
    file::let_go(&call, &before, Some(&after)).await;
    Ok(Answer::ok(shown(&after.id, &after.definition)).version(after.version))
}

/// DELETE /tenants/{tid}/augments/{id}
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let before = view(&call).await?;
    let expected = if_match.expected(before.version)?;
    change::execute::<Augment>(&call, call.param("id"), Command::Delete { expected }).await?;
    file::let_go(&call, &before, None).await;
    Ok(Answer::no_content())
}

async fn view(call: &Call) -> Result<AugmentView, Problem> {
    let view = call.state.views.augment(&call.tenant, &AugmentId::from(call.param("id"))).await?;
    view.ok_or_else(|| Error::Missing.into())
}

/// A new one, as a body has it; without a file.
pub(crate) fn definition(fields: &mut Fields) -> Definition {
    let name = fields.mandatory_name("name");
    let description = fields.optional_text("description");
    let kind = fields.mandatory_text("type");
    let kind = kind_of(fields, &kind);
    let (service, older_service) = service(fields);
    fields.check("service", service.is_some(), "is missing");
    let options = options(fields, false);
    let service = service.unwrap_or_default();
    Definition { name, description, kind, service, older_service, options, file: None }
}

fn kind_of(fields: &mut Fields, text: &str) -> Kind {
    let found = [Kind::File, Kind::Api].into_iter().find(|kind| kind.name() == text);
    fields.check("type", found.is_some(), "has to be \"file\" or \"api\"");
    found.unwrap_or_default()
}

/// The service, under either of its names, and whether the older one was used.
fn service(fields: &mut Fields) -> (Option<Service>, bool) {
    let mut read = |name: &'static str| {
        let text = fields.changed_text(name)?;
        let all = [Service::Engine, Service::Notification];
        let found = all.into_iter().find(|service| service.name() == text);
        fields.check(name, found.is_some(), "has to be \"engine\" or \"notification\"");
        Some(found.unwrap_or_default())
    };
    let (service, older) = (read("service"), read("augment-service"));
    let agree = service.is_none() || older.is_none() || service == older;
    fields.check("augment-service", agree, "has to be what service is");
    (service.or(older), older.is_some())
}

fn options(fields: &mut Fields, is_change: bool) -> Option<Options> {
    let given = fields.typed("options", "an object", |value| value.as_object().cloned())?;
    let Some(given) = given else {
        fields.check("options", !is_change, "must not be null");
        return None;
    };
    match read_options(given) {
        Ok(options) => Some(options),
        Err(message) => {
            fields.check("options", false, &message);
            None
        }
    }
}

fn read_options(mut given: Object) -> Result<Options, String> {
    let url = given.remove("url").ok_or("has no url")?;
    let url = url.as_text().ok_or_else(|| format!("url has to be a string; found {}", url.kind()))?;
    let attributes = given.remove("attributes").ok_or("has no attributes")?;
    let wrong = || format!("attributes has to be a list of 1 to {ATTRIBUTES} names, each once");
    let attributes = attributes.as_array().ok_or_else(wrong)?;
    let names: Option<Vec<String>> =
        attributes.iter().map(|name| name.as_text().map(str::to_owned)).collect();
    let names = names.filter(|names| {
        let distinct = names.iter().collect::<BTreeSet<_>>().len() == names.len();
        (1..=ATTRIBUTES).contains(&names.len()) && distinct && names.iter().all(|n| domain::name::is_valid(n))
    });
    if let Some((unknown, _)) = given.iter().next() {
        let shown: String = unknown.chars().take(64).collect();
        return Err(match nearest(unknown, ["url", "attributes"]) {
            Some(known) => format!("has an unknown member {shown:?}; did you mean {known:?}?"),
            None => format!("has an unknown member {shown:?}; known are url, attributes"),
        });
    }
    let options = Options { url: url.to_owned(), attributes: names.ok_or_else(wrong)? };
    url_of(&options).map_err(|error| format!("url: {error}"))?;
    Ok(options)
}

fn shown(id: &AugmentId, definition: &Definition) -> Json {
    identified(id.as_str(), &members(definition))
}

/// What is shown of an augment but its id.
pub(crate) fn members(definition: &Definition) -> Object {
    let mut shown = named(&definition.name, definition.description.as_deref());
    shown.set("type", definition.kind.name());
    shown.set("service", definition.service.name());
    if definition.older_service {
        shown.set("augment-service", definition.service.name());
    }
    if let Some(options) = &definition.options {
        let names = options.attributes.iter().map(|name| Json::from(name.as_str())).collect::<Vec<_>>();
        let members = [("url", Json::from(options.url.as_str())), ("attributes", names.into())];
        shown.set("options", Json::object(members));
    }
    shown
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::Missing => Self::missing("there is no such augment"),
            Error::NoFile => Self::missing(error.to_string()),
            Error::Exists | Error::Changed(_) | Error::NoFileAugment => Self::conflict(error.to_string()),
            Error::Name => Self::bad_field("name", &error.to_string()),
            Error::NoOptions | Error::OptionsOfFile => Self::bad_field("options", &error.to_string()),
        }
    }
}
