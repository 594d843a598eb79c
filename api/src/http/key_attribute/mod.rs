//! The key attribute: by which a tenant's events are told apart into customers.

use domain::json::Json;
use domain::tenant::{Command, Error, Tenant};

use super::answer::Answer;
use super::call::Call;
use super::change;
use super::problem::Problem;

/// GET /tenants/{tid}/key-attribute
pub async fn show(call: Call) -> Result<Answer, Problem> {
    let view = change::seen(call.state.views.tenant(&call.tenant).await?)?;
    let key = view.key_attribute.ok_or_else(|| Problem::missing("no key attribute is set"))?;
    Ok(Answer::ok(Json::object([("key", key)])))
}

/// POST /tenants/{tid}/key-attribute
pub async fn set(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let key = fields.mandatory_name("key");
    fields.end()?;
    let command = Command::SetKeyAttribute { key: key.clone() };
    change::execute::<Tenant>(&call, call.tenant.as_str(), command).await?;
    Ok(Answer::ok(Json::object([("key", key)])))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing => Self::missing("there is no such tenant"),
            Error::Exists => Self::conflict(error.to_string()),
            Error::Name => Self::bad_field("name", &error.to_string()),
            Error::Key => Self::bad_field("key", &error.to_string()),
        }
    }
}
