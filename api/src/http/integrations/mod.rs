//! Integrations: a tenant's accounts with third parties, one for each type (rest-api.md §6).
//!
//! Read next: `setting` (fields and secrets), [`v1`] (the same in another dress).

pub(crate) mod setting;
pub mod v1;

use domain::integration::{Command, Error, Integration, Kind};
use domain::json::{Json, Object};
use projections::IntegrationView;

use self::setting::{Asked, show as show_fields};
use super::answer::Answer;
use super::call::Call;
use super::change;
use super::conditional::IfMatch;
use super::fields::Fields;
use super::problem::{Problem, detail};

/// GET /tenants/{tid}/integrations
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let views = call.state.views.integrations(&call.tenant).await?;
    let mut all = Vec::new();
    for view in &views {
        all.push(shown(&call, view).await?);
    }
    if !views.iter().any(|view| view.kind == Kind::Echo) {
        all.push(bare(Kind::Echo));
    }
    Ok(Answer::ok(all))
}

/// GET /tenants/{tid}/integrations/{type}
pub async fn show(call: Call) -> Result<Answer, Problem> {
    let kind = kind_of(&call)?;
    match call.state.views.integration(&call.tenant, kind).await? {
        Some(view) => answer(&call, &view).await,
        None if kind == Kind::Echo => Ok(Answer::ok(bare(kind))),
        None => Err(Error::Missing.into()),
    }
}

/// POST /tenants/{tid}/integrations/{type}
pub async fn set(call: Call) -> Result<Answer, Problem> {
    let kind = kind_of(&call)?;
    set_kind(call, kind).await
}

/// POST /tenants/{tid}/integrations: the body's `id` names the type.
pub async fn set_named(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let id = fields.mandatory_text("id");
    let Some(kind) = Kind::from_name(&id) else {
        fields.check("id", false, &format!("has to be one of {}", names()));
        return Err(fields.end().err().unwrap_or_else(|| Problem::bad_field("id", "is no type")));
    };
    set_fields(&call, kind, fields).await
}

/// POST /tenants/{tid}/{type}, and the others once it is known which.
pub async fn set_kind(call: Call, kind: Kind) -> Result<Answer, Problem> {
    let fields = call.fields().await?;
    set_fields(&call, kind, fields).await
}

async fn set_fields(call: &Call, kind: Kind, mut fields: Fields) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    repeats_kind(&mut fields, "id", kind);
    repeats_kind(&mut fields, "type", kind);
    let asked = Asked::read(&mut fields, kind);
    fields.end()?;
    let setting = asked.seal(call, kind, None, true).await?;
    let current = call.state.views.integration(&call.tenant, kind).await?.map_or(0, |view| view.version);
    let command = Command::Set { kind, expected: if_match.expected(current)?, setting };
    change::execute::<Integration>(call, kind.name(), command).await?;
    answer(call, &view(call, kind).await?).await
}

/// DELETE /tenants/{tid}/integrations/{type}
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let kind = kind_of(&call)?;
    delete_kind(&call, kind).await
}

async fn delete_kind(call: &Call, kind: Kind) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let current = call.state.views.integration(&call.tenant, kind).await?.map_or(0, |view| view.version);
    let command = Command::Delete { kind, expected: if_match.expected(current)? };
    change::execute::<Integration>(call, kind.name(), command).await?;
    Ok(Answer::no_content())
}

fn kind_of(call: &Call) -> Result<Kind, Problem> {
    let missing = || Problem::missing(format!("there is no such integration; there are {}", names()));
    Kind::from_name(call.param("type")).ok_or_else(missing)
}

pub(crate) fn names() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

/// A field that may only say of which type it is.
pub(crate) fn repeats_kind(fields: &mut Fields, name: &'static str, kind: Kind) {
    if let Some(said) = fields.optional_text(name) {
        let message = format!("cannot be changed: it is {:?}", kind.name());
        fields.check(name, Kind::from_name(&said) == Some(kind), &message);
    }
}

async fn view(call: &Call, kind: Kind) -> Result<IntegrationView, Problem> {
    change::seen(&call.state, call.state.views.integration(&call.tenant, kind).await?)
}

async fn answer(call: &Call, view: &IntegrationView) -> Result<Answer, Problem> {
    Ok(Answer::ok(shown(call, view).await?).version(view.version))
}

fn bare(kind: Kind) -> Json {
    Json::object([("id", kind.name())])
}

async fn shown(call: &Call, view: &IntegrationView) -> Result<Json, Problem> {
    let mut shown = Object::new();
    shown.set("id", view.kind.name());
    // As it has always been answered: for this one only.
    if view.kind == Kind::Salesforce {
        shown.set("type", view.kind.name());
    }
    show_fields(call, view.kind, &view.definition, &mut shown).await?;
    Ok(shown.into())
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let each = |names: &mut dyn Iterator<Item = &str>, message: &str| {
            names.map(|name| detail(name, message)).collect::<Vec<_>>()
        };
        match &error {
            Error::Missing => Self::missing(error.to_string()),
            Error::Changed(_) | Error::BuiltIn(_) => Self::conflict(error.to_string()),
            Error::Name => Self::bad_field("name", &error.to_string()),
            Error::Incomplete(names) => {
                Self::bad(error.to_string()).details(each(&mut names.iter().copied(), "is missing"))
            }
            Error::NothingKept(names) => {
                let details = each(&mut names.iter().map(String::as_str), "nothing is stored to keep");
                Self::bad(error.to_string()).details(details)
            }
        }
    }
}
