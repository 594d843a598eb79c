//! The key attribute: by which a tenant's events are told apart into customers.

use domain::json::Json;
use domain::tenant::{Command, Error, Tenant};

use super::answer::Answer;
use super::call::Call;
use super::change;
use super::conditional::IfMatch;
use super::problem::Problem;

/// GET /tenants/{tid}/key-attribute
pub async fn show(call: Call) -> Result<Answer, Problem> {
    answer(&call).await
}

/// POST /tenants/{tid}/key-attribute
pub async fn set(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let mut fields = call.fields().await?;
    let key = fields.mandatory_name("key");
    fields.end()?;
    let expected = if_match.expected(view(&call).await?.version)?;
    change::execute::<Tenant>(&call, call.tenant.as_str(), Command::SetKeyAttribute { expected, key })
        .await?;
    answer(&call).await
}

async fn view(call: &Call) -> Result<projections::TenantView, Problem> {
    call.state.views.tenant(&call.tenant).await?.ok_or_else(|| Error::Missing.into())
}

async fn answer(call: &Call) -> Result<Answer, Problem> {
    let view = view(call).await?;
    let key = view.key_attribute.ok_or_else(|| Problem::missing("no key attribute is set"))?;
    Ok(Answer::ok(Json::object([("key", key)])).version(view.version))
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Missing => Self::missing("there is no such tenant"),
            Error::Exists | Error::Changed(_) => Self::conflict(error.to_string()),
            Error::Name => Self::bad_field("name", &error.to_string()),
            Error::Key => Self::bad_field("key", &error.to_string()),
        }
    }
}
