//! Patterns: when these things happen to one customer, then do that.

pub mod contributing;
pub mod matches;
pub mod validate;

use std::collections::BTreeSet;

use domain::ids::{PatternId, TemplateId};
use domain::json::{Json, Object};
use domain::pattern::{Command, Definition, Error, Pattern};

use super::answer::{Answer, identified, named};
use super::call::Call;
use super::change;
use super::conditional::IfMatch;
use super::fields::Fields;
use super::problem::Problem;

/// GET /tenants/{tid}/patterns
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let patterns = call.state.views.patterns(&call.tenant).await?;
    Ok(Answer::ok(patterns.iter().map(|view| shown(&view.id, &view.definition)).collect::<Vec<_>>()))
}

/// GET /tenants/{tid}/patterns/{id}
pub async fn show(call: Call) -> Result<Answer, Problem> {
    answer(&call, call.param("id")).await
}

/// POST /tenants/{tid}/patterns
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let Definition { name, description, status, when, then, version: _ } = definition(&mut fields);
    fields.end()?;
    let _turn = call.state.turn(&call.tenant).await?;
    let templates = templates(&call).await?;
    let limits = call.state.settings.languages;
    let command = Command::Create { name, description, status, when, then, templates, limits };
    let last = call.state.views.last_pattern_number(&call.tenant).await?;
    let id = change::create::<Pattern>(&call, last, command).await?;
    let view = change::seen(&call.state, call.state.views.pattern(&call.tenant, &PatternId(id)).await?)?;
    Ok(Answer::created(shown(&view.id, &view.definition)).version(view.version))
}

/// PUT /tenants/{tid}/patterns/{id}
pub async fn update(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let mut fields = call.fields().await?;
    fields.repeats("id", call.param("id"));
    let name = fields.changed_name("name");
    let description = fields.text("description");
    let status = fields.boolean("status").map(|status| status.unwrap_or(false));
    let (when, then) = (fields.text("when"), fields.text("then"));
    fields.end()?;
    let _turn = call.state.turn(&call.tenant).await?;
    let expected = if_match.expected(view(&call, call.param("id")).await?.version)?;
    let templates = templates(&call).await?;
    let limits = call.state.settings.languages;
    let command = Command::Update { expected, name, description, status, when, then, templates, limits };
    change::execute::<Pattern>(&call, call.param("id"), command).await?;
    answer(&call, call.param("id")).await
}

/// DELETE /tenants/{tid}/patterns/{id}
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let _turn = call.state.turn(&call.tenant).await?;
    let expected = if_match.expected(view(&call, call.param("id")).await?.version)?;
    change::execute::<Pattern>(&call, call.param("id"), Command::Delete { expected }).await?;
    Ok(Answer::no_content())
}

async fn view(call: &Call, id: &str) -> Result<projections::PatternView, Problem> {
    let view = call.state.views.pattern(&call.tenant, &PatternId::from(id)).await?;
    view.ok_or_else(|| Error::Missing.into())
}

async fn answer(call: &Call, id: &str) -> Result<Answer, Problem> {
    let view = view(call, id).await?;
    Ok(Answer::ok(shown(&view.id, &view.definition)).version(view.version))
}

/// A new one, as a body has it.
pub(crate) fn definition(fields: &mut Fields) -> Definition {
    Definition {
        name: fields.mandatory_name("name"),
        description: fields.optional_text("description"),
        status: fields.boolean("status").flatten().unwrap_or(false),
        when: fields.optional_text("when"),
        then: fields.optional_text("then"),
        version: 0,
    }
}

/// The templates that the tenant has.
async fn templates(call: &Call) -> Result<BTreeSet<TemplateId>, Problem> {
    Ok(call.state.views.templates(&call.tenant).await?.into_iter().map(|view| view.id).collect())
}

fn shown(id: &PatternId, definition: &Definition) -> Json {
    identified(id.as_str(), &members(definition))
}

/// What is shown of a pattern but its id.
pub(crate) fn members(definition: &Definition) -> Object {
    let mut shown = named(&definition.name, definition.description.as_deref());
    shown.set("status", definition.status);
    if let Some(when) = &definition.when {
        shown.set("when", when.as_str());
    }
    if let Some(then) = &definition.then {
        shown.set("then", then.as_str());
    }
    shown
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::Missing => Self::missing("there is no such pattern"),
            Error::Exists | Error::Changed(_) => Self::conflict(error.to_string()),
            Error::Name => Self::bad_field("name", &error.to_string()),
            Error::Invalid(invalid) => {
                let first = invalid.first().and_then(|invalid| {
                    let problem = invalid.diagnostics.first()?;
                    Some(format!(": {}: {}", invalid.field.name(), problem.render(&invalid.source)))
                });
                let sentence = format!("{error}{}", first.unwrap_or_default());
                Self::bad(sentence).details(validate::details(invalid))
            }
        }
    }
}
