//! Tenants: the businesses that this system serves. An admin makes them; each sees itself.

use domain::ids::TenantId;
use domain::json::{Json, Object};
use domain::tenant::{Command, Tenant};

use super::answer::Answer;
use super::call::Call;
use super::change;
use super::problem::Problem;

/// GET /tenants/{tid}
pub async fn show(call: Call) -> Result<Answer, Problem> {
    let view = change::seen(&call.state, call.state.views.tenant(&call.tenant).await?)?;
    Ok(Answer::ok(Json::object([("id", view.id.as_str()), ("name", view.name.as_str())])))
}

/// GET /tenants
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let tenants = call.state.views.tenants().await?;
    // An admin that is bound to tenants sees no others.
    let seen = |id: &TenantId| match &call.grant {
        Some(grant) => grant.is_admin_of_all() || grant.bound_to(id.as_str()).is_some(),
        None => false,
    };
    let tenants = tenants.iter().filter(|view| seen(&view.id));
    let shown = tenants.map(|view| Json::from(shown(&view.id, &view.uuid, &view.name)));
    Ok(Answer::ok(shown.collect::<Vec<_>>()))
}

/// POST /tenants
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let id = fields.mandatory_text("id");
    let name = fields.mandatory_name("name");
    let parsed = TenantId::parse(&id);
    fields.check(
        "id",
        parsed.is_some(),
        "has to have 1 to 64 of A-Z, a-z, 0-9, _ and -, and to begin with a letter or digit",
    );
    fields.end()?;
    let id = parsed.ok_or_else(|| Problem::bad_field("id", "is not a tenant's id"))?;
    let uuid = uuid::Uuid::new_v4().to_string();
    let command = Command::Create { name: name.clone(), uuid: uuid.clone() };
    change::execute_of::<Tenant>(&call, &id, id.as_str(), command).await?;
    Ok(Answer::created(shown(&id, &uuid, &name)))
}

fn shown(id: &TenantId, uuid: &str, name: &str) -> Object {
    let mut shown = Object::new();
    shown.set("id", id.as_str());
    shown.set("uuid", uuid);
    shown.set("name", name);
    shown
}
