//! Listeners: a tenant's ears at third parties, and how they are at the moment.

use std::collections::BTreeMap;

use domain::ids::ListenerId;
use domain::json::{Json, Object};
use domain::listener::{Command, Definition, Error, Kind, Listener};
use notifier::listener::Status;
use projections::ListenerView;

use super::answer::{Answer, identified, named};
use super::call::Call;
use super::change;
use super::conditional::IfMatch;
use super::fields::Fields;
use super::problem::{Problem, detail};

/// GET /tenants/{tid}/listeners
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let listeners = call.state.views.listeners(&call.tenant).await?;
    Ok(Answer::ok(listeners.iter().map(|view| shown(&view.id, &view.definition)).collect::<Vec<_>>()))
}

/// GET /tenants/{tid}/listeners/{id}
pub async fn show(call: Call) -> Result<Answer, Problem> {
    answer(&call, call.param("id")).await
}

/// GET /tenants/{tid}/listeners/{id}/status
pub async fn status(call: Call) -> Result<Answer, Problem> {
    let view = view(&call, call.param("id")).await?;
    let status = match call.state.listeners.status(&call.tenant, &view.id) {
        _ if !view.definition.status => Status::stopped(),
        Some(status) => status,
        None => Status::starting(),
    };
    let mut shown = Object::new();
    shown.set("id", "status");
    shown.set("status", status.state.to_string());
    shown.set("message", status.message);
    Ok(Answer::ok(shown))
}

/// POST /tenants/{tid}/listeners
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let definition = definition(&mut fields);
    fields.end()?;
    let definition = definition.ok_or_else(|| Problem::bad("type, options and mapping have to be there"))?;
    let _turn = call.state.turn(&call.tenant).await?;
    let last = call.state.views.last_listener_number(&call.tenant).await?;
    let id = change::create::<Listener>(&call, last, Command::Create(definition)).await?;
    let view = change::seen(&call.state, call.state.views.listener(&call.tenant, &ListenerId(id)).await?)?;
    call.state.listeners.acted_upon(view.position).await;
    Ok(Answer::created(shown(&view.id, &view.definition)).version(view.version))
}

/// PUT /tenants/{tid}/listeners/{id}: changes what it names; options and mapping as a whole.
pub async fn update(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let mut fields = call.fields().await?;
    fields.repeats("id", call.param("id"));
    let name = fields.changed_name("name");
    let description = fields.text("description");
    let status = fields.boolean("status").map(|status| status.unwrap_or(false));
    let kind = kind(&mut fields);
    let (options, mapping) = (options(&mut fields), mapping(&mut fields));
    fields.end()?;
    let _turn = call.state.turn(&call.tenant).await?;
    let expected = if_match.expected(view(&call, call.param("id")).await?.version)?;
    let command = Command::Update { expected, name, description, status, kind, options, mapping };
    let position = change::execute::<Listener>(&call, call.param("id"), command).await?;
    call.state.listeners.acted_upon(position).await;
    answer(&call, call.param("id")).await
}

/// DELETE /tenants/{tid}/listeners/{id}: nothing is heard any more when this is answered.
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let _turn = call.state.turn(&call.tenant).await?;
    let expected = if_match.expected(view(&call, call.param("id")).await?.version)?;
    let position = change::execute::<Listener>(&call, call.param("id"), Command::Delete { expected }).await?;
    call.state.listeners.acted_upon(position).await;
    Ok(Answer::no_content())
}

/// A new one, as a body has it.
pub(crate) fn definition(fields: &mut Fields) -> Option<Definition> {
    let name = fields.mandatory_name("name");
    let description = fields.optional_text("description");
    let status = fields.boolean("status").flatten().unwrap_or(false);
    let kind = kind(fields);
    let (options, mapping) = (options(fields), mapping(fields));
    for (field, given) in
        [("type", kind.is_some()), ("options", options.is_some()), ("mapping", mapping.is_some())]
    {
        fields.check(field, given, "is missing");
    }
    Some(Definition { name, description, status, kind: kind?, options: options?, mapping: mapping? })
}

fn kind(fields: &mut Fields) -> Option<Kind> {
    let name = fields.changed_text("type")?;
    let kind = Kind::from_name(&name);
    let known = Kind::ALL.map(Kind::name).join(", ");
    fields.check("type", kind.is_some(), &format!("has to be one of {known}"));
    kind
}

fn options(fields: &mut Fields) -> Option<BTreeMap<String, String>> {
    fields.optional_map("options")
}

/// An object of paths.
fn mapping(fields: &mut Fields) -> Option<Object> {
    fields
        .typed("mapping", "an object of strings", |value| {
            let object = value.as_object()?;
            object.iter().all(|(_, path)| path.as_text().is_some()).then(|| object.clone())
        })
        .flatten()
}

async fn view(call: &Call, id: &str) -> Result<ListenerView, Problem> {
    let view = call.state.views.listener(&call.tenant, &ListenerId::from(id)).await?;
    view.ok_or_else(|| Error::Missing.into())
}

async fn answer(call: &Call, id: &str) -> Result<Answer, Problem> {
    let view = view(call, id).await?;
    Ok(Answer::ok(shown(&view.id, &view.definition)).version(view.version))
}

fn shown(id: &ListenerId, definition: &Definition) -> Json {
    identified(id.as_str(), &members(definition))
}

/// What is shown of a listener but its id.
pub(crate) fn members(definition: &Definition) -> Object {
    let mut shown = named(&definition.name, definition.description.as_deref());
    shown.set("type", definition.kind.name());
    shown.set("status", definition.status);
    let options = definition.options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    shown.set("options", Json::object(options));
    shown.set("mapping", definition.mapping.clone());
    shown
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::Missing => Self::missing("there is no such listener"),
            Error::Exists | Error::Changed(_) => Self::conflict(error.to_string()),
            Error::Name => Self::bad_field("name", &error.to_string()),
            Error::Invalid(problems) => {
                let details = problems.iter().map(|problem| detail(&problem.field, &problem.message));
                Self::bad(error.to_string()).details(details.collect())
            }
        }
    }
}
