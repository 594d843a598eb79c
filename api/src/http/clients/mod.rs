//! Clients: the programs that may use the API for a tenant. Admins make them; a secret is shown once.

use domain::client::{Client, Command, Error, Scope};
use domain::ids::{ClientId, TenantId};
use domain::json::{Json, Object};

use super::answer::Answer;
use super::call::Call;
use super::change;
use super::problem::Problem;
use crate::oauth::secret;

/// GET /tenants/{tid}/clients
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let clients = call.state.views.clients(&call.tenant).await?;
    let shown = clients.iter().map(|view| Json::from(shown(&view.id, None, &view.name, &view.scopes)));
    Ok(Answer::ok(shown.collect::<Vec<_>>()))
}

/// POST /tenants/{tid}/clients
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let name = fields.mandatory_name("name");
    let words = fields.optional_texts("scopes");
    let scopes = words.map_or_else(|| Ok(Scope::TENANT.to_vec()), |words| scopes(&words));
    if let Err(problem) = &scopes {
        fields.check("scopes", false, problem);
    }
    fields.end()?;
    let scopes = scopes.unwrap_or_default();
    let secret = secret::draw().map_err(|error| Problem::internal(error.to_string()))?;
    let secret_hash = call.state.secrets.turn().await?.hash(secret.clone()).await?;
    let id = ClientId(uuid::Uuid::new_v4().to_string());
    let tenants = vec![call.tenant.clone()];
    let command = Command::Create { name: name.clone(), secret_hash, scopes: scopes.clone(), tenants };
    change::execute_of::<Client>(&call, &TenantId::from(""), id.as_str(), command).await?;
    Ok(Answer::created(shown(&id, Some(&secret), &name, &scopes)))
}

/// DELETE /tenants/{tid}/clients/{id}
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let id = ClientId::from(call.param("id"));
    let clients = call.state.views.clients(&call.tenant).await?;
    if !clients.iter().any(|view| view.id == id) {
        return Err(Error::Missing.into());
    }
    change::execute_of::<Client>(&call, &TenantId::from(""), id.as_str(), Command::Delete).await?;
    call.state.grants.revoke(&id);
    Ok(Answer::no_content())
}

/// The scopes of these words, each once; or what is wrong with them.
fn scopes(words: &[String]) -> Result<Vec<Scope>, String> {
    let known = Scope::ALL.map(Scope::name).join(", ");
    if words.is_empty() {
        return Err(format!("has to name one of {known}"));
    }
    let mut scopes = Vec::new();
    for word in words {
        let scope = Scope::from_name(word).ok_or_else(|| format!("knows no {word:?}; known are {known}"))?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn shown(id: &ClientId, secret: Option<&str>, name: &str, scopes: &[Scope]) -> Object {
    let mut shown = Object::new();
    shown.set("id", id.as_str());
    shown.set("client_id", id.as_str());
    if let Some(secret) = secret {
        shown.set("client_secret", secret);
    }
    shown.set("name", name);
    shown.set("scopes", scopes.iter().map(|scope| Json::from(scope.name())).collect::<Vec<_>>());
    shown
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing => Self::missing("there is no such client"),
            Error::Exists => Self::conflict(error.to_string()),
            Error::Name => Self::bad_field("name", &error.to_string()),
        }
    }
}
