//! Integrations under /v1: the same ones, each with a UUID that its tenant and type give it.

use domain::integration::{Command, Integration, Kind};
use domain::json::{Json, Limits, Object};
use projections::IntegrationView;
use uuid::Uuid;

use super::setting::{Asked, show as show_fields, unchanged};
use super::{delete_kind, names, view};
use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::change;
use crate::http::conditional::IfMatch;
use crate::http::fields::Fields;
use crate::http::problem::Problem;

/// GET /v1/tenants/{tid}/integrations
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let tenant = tenant_uuid(&call).await?;
    let mut all = Vec::new();
    for view in call.state.views.integrations(&call.tenant).await? {
        all.push(shown(&call, tenant, &view).await?);
    }
    Ok(Answer::ok(Json::object([("result", all)])))
}

/// GET /v1/tenants/{tid}/integrations/{id}
pub async fn show(call: Call) -> Result<Answer, Problem> {
    let (tenant, view) = named(&call).await?;
    let shown = Json::object([("result", shown(&call, tenant, &view).await?)]);
    Ok(Answer::ok(shown).version(view.version))
}

/// POST /v1/tenants/{tid}/integrations
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let mut fields = body(&call).await?;
    let said = fields.mandatory_text("type");
    let name = fields.changed_name("name");
    let active = active(&mut fields);
    let properties = fields.optional_object("properties");
    fields.check("active", active.is_some(), "is missing");
    fields.check("properties", properties.is_some(), "is missing");
    let kind = Kind::from_name(&said);
    fields.check("type", kind.is_some(), &format!("has to be one of {}", names()));
    fields.end()?;
    let (Some(kind), Some(active), Some(properties)) = (kind, active, properties) else {
        return Err(Problem::bad("type, active and properties have to be there"));
    };
    if call.state.views.integration(&call.tenant, kind).await?.is_some() {
        return Err(Problem::conflict(format!("the integration {} is set up already; PUT it", kind.name())));
    }
    let setting = asked(properties, kind)?.seal(&call, kind, name, active).await?;
    let command = Command::Set { kind, expected: None, setting };
    change::execute::<Integration>(&call, kind.name(), command).await?;
    let (tenant, view) = (tenant_uuid(&call).await?, view(&call, kind).await?);
    let shown = Json::object([("result", shown(&call, tenant, &view).await?)]);
    Ok(Answer::created(shown).version(view.version))
}

/// PUT /v1/tenants/{tid}/integrations/{id}: changes what it names; properties as a whole.
pub async fn update(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let (_, before) = named(&call).await?;
    let kind = before.kind;
    let mut fields = body(&call).await?;
    fields.repeats("id", call.param("id"));
    super::repeats_kind(&mut fields, "type", kind);
    let name = fields.changed_name("name");
    let active = active(&mut fields);
    let properties = fields.optional_object("properties");
    fields.end()?;
    let active = active.unwrap_or(before.definition.active);
    let mut setting = match properties {
        Some(properties) => asked(properties, kind)?.seal(&call, kind, None, active).await?,
        None => unchanged(&before.definition),
    };
    (setting.name, setting.active) = (name, active);
    // What is not named is kept as it was read, so it must not have changed since.
    let expected = if_match.expected(before.version)?.or(Some(before.version));
    change::execute::<Integration>(&call, kind.name(), Command::Set { kind, expected, setting }).await?;
    show(call).await
}

/// DELETE /v1/tenants/{tid}/integrations/{id}
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let (_, view) = named(&call).await?;
    delete_kind(&call, view.kind).await
}

/// The body, out of the wrapping that some clients put around it.
async fn body(call: &Call) -> Result<Fields, Problem> {
    let body = call.json(Limits::BODY).await?;
    match body.as_object() {
        Some(object) if object.len() == 1 => {
            Fields::of(object.get("attribute").cloned().unwrap_or_else(|| body.clone()))
        }
        _ => Fields::of(body),
    }
}

/// `active`, which may be written as a text.
fn active(fields: &mut Fields) -> Option<bool> {
    fields
        .typed("active", "true or false", |value| match value.as_text() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => value.as_bool(),
        })
        .flatten()
}

fn asked(properties: Object, kind: Kind) -> Result<Asked, Problem> {
    let mut fields = Fields::of(properties.into())?;
    let asked = Asked::read(&mut fields, kind);
    fields.end()?;
    Ok(asked)
}

async fn tenant_uuid(call: &Call) -> Result<Uuid, Problem> {
    let view = change::seen(&call.state, call.state.views.tenant(&call.tenant).await?)?;
    view.uuid.parse().map_err(|_| Problem::internal("a tenant's uuid is none"))
}

fn id_of(tenant: Uuid, kind: Kind) -> Uuid {
    Uuid::new_v5(&tenant, kind.name().as_bytes())
}

/// The integration that the path names, and its tenant's UUID.
async fn named(call: &Call) -> Result<(Uuid, IntegrationView), Problem> {
    let tenant = tenant_uuid(call).await?;
    let missing = || Problem::missing("there is no such integration");
    let id: Uuid = call.param("id").parse().map_err(|_| missing())?;
    let kind = Kind::ALL.into_iter().find(|kind| id_of(tenant, *kind) == id).ok_or_else(missing)?;
    let view = call.state.views.integration(&call.tenant, kind).await?.ok_or_else(missing)?;
    Ok((tenant, view))
}

async fn shown(call: &Call, tenant: Uuid, view: &IntegrationView) -> Result<Json, Problem> {
    let mut properties = Object::new();
    show_fields(call, view.kind, &view.definition, &mut properties).await?;
    let client = |id: &Option<String>| {
        let id = id.as_deref()?;
        Some(id.parse().unwrap_or_else(|_| Uuid::new_v5(&tenant, id.as_bytes())))
    };
    let mut shown = Object::new();
    shown.set("id", id_of(tenant, view.kind).to_string());
    shown.set("tenantId", tenant.to_string());
    shown.set("type", view.kind.name());
    shown.set("name", view.definition.name.as_deref().unwrap_or(view.kind.name()));
    shown.set("active", view.definition.active);
    shown.set("properties", properties);
    for (at_name, at, by_name, by) in [
        ("created", view.created, "createdBy", client(&view.created_by)),
        ("updated", view.updated, "updatedBy", client(&view.updated_by)),
    ] {
        shown.set(at_name, at.to_string());
        if let Some(by) = by {
            shown.set(by_name, by.to_string());
        }
    }
    Ok(shown.into())
}
