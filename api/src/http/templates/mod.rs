//! Templates: Mustache texts that patterns' reactions name by id.

use std::collections::{BTreeMap, BTreeSet};

use domain::dsl::then;
use domain::ids::{PatternId, TemplateId};
use domain::json::{Json, Object};
use domain::mustache;
use domain::template::{Command, Definition, Error, Template};

use super::answer::{Answer, identified, named};
use super::call::Call;
use super::change;
use super::conditional::IfMatch;
use super::fields::Fields;
use super::problem::{Problem, detail};

/// GET /tenants/{tid}/templates
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let templates = call.state.views.templates(&call.tenant).await?;
    Ok(Answer::ok(templates.iter().map(|view| shown(&view.id, &view.definition)).collect::<Vec<_>>()))
}

/// GET /tenants/{tid}/templates/{id}
pub async fn show(call: Call) -> Result<Answer, Problem> {
    answer(&call, call.param("id")).await
}

/// POST /tenants/{tid}/templates
pub async fn create(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let Definition { name, description, template } = definition(&mut fields);
    fields.end()?;
    let _turn = call.state.turn(&call.tenant).await?;
    let command = Command::Create { name, description, template };
    let last = call.state.views.last_template_number(&call.tenant).await?;
    let id = change::create::<Template>(&call, last, command).await?;
    let view = change::seen(&call.state, call.state.views.template(&call.tenant, &TemplateId(id)).await?)?;
    Ok(Answer::created(shown(&view.id, &view.definition)).version(view.version))
}

/// PUT /tenants/{tid}/templates/{id}
pub async fn update(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let mut fields = call.fields().await?;
    fields.repeats("id", call.param("id"));
    let name = fields.changed_name("name");
    let description = fields.text("description");
    let template = fields.changed_text("template");
    fields.end()?;
    let _turn = call.state.turn(&call.tenant).await?;
    let expected = if_match.expected(view(&call, call.param("id")).await?.version)?;
    let command = Command::Update { expected, name, description, template };
    change::execute::<Template>(&call, call.param("id"), command).await?;
    answer(&call, call.param("id")).await
}

/// DELETE /tenants/{tid}/templates/{id}
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let _turn = call.state.turn(&call.tenant).await?;
    let expected = if_match.expected(view(&call, call.param("id")).await?.version)?;
    let used_by = used_by(&call, &TemplateId::from(call.param("id"))).await?;
    let command = Command::Delete { expected, used_by };
    change::execute::<Template>(&call, call.param("id"), command).await?;
    Ok(Answer::no_content())
}

async fn view(call: &Call, id: &str) -> Result<projections::TemplateView, Problem> {
    let view = call.state.views.template(&call.tenant, &TemplateId::from(id)).await?;
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
        template: fields.mandatory_text("template"),
    }
}

fn shown(id: &TemplateId, definition: &Definition) -> Json {
    identified(id.as_str(), &members(definition))
}

/// What is shown of a template but its id.
pub(crate) fn members(definition: &Definition) -> Object {
    let mut shown = named(&definition.name, definition.description.as_deref());
    shown.set("template", definition.template.as_str());
    shown
}

/// The enabled patterns whose `then` names a template, itself or through partials.
async fn used_by(call: &Call, id: &TemplateId) -> Result<Vec<PatternId>, Problem> {
    let naming = naming(id, &partials(call).await?);
    let patterns = call.state.views.patterns(&call.tenant).await?;
    let limits = &call.state.settings.languages;
    let uses = |definition: &domain::pattern::Definition| {
        let program = definition.then.as_deref().map(|text| then::parse(text, limits));
        definition.status && program.and_then(Result::ok).is_some_and(|p| !p.templates.is_disjoint(&naming))
    };
    Ok(patterns.into_iter().filter(|view| uses(&view.definition)).map(|view| view.id).collect())
}

/// The partials that are not there, of a template and of all that it names; each with the template that names it.
///
/// # Errors
/// The read models'.
pub async fn missing_partials(
    call: &Call,
    id: &TemplateId,
) -> Result<BTreeSet<(TemplateId, TemplateId)>, Problem> {
    let partials: BTreeMap<TemplateId, Vec<TemplateId>> = partials(call).await?;
    let (mut missing, mut seen, mut look) = (BTreeSet::new(), BTreeSet::new(), vec![id.clone()]);
    while let Some(id) = look.pop() {
        for named in partials.get(&id).into_iter().flatten() {
            if !partials.contains_key(named) {
                missing.insert((named.clone(), id.clone()));
            } else if seen.insert(named.clone()) {
                look.push(named.clone());
            }
        }
    }
    Ok(missing)
}

/// What each of the tenant's templates names as partials.
async fn partials(call: &Call) -> Result<BTreeMap<TemplateId, Vec<TemplateId>>, Problem> {
    let templates = call.state.views.templates(&call.tenant).await?.into_iter();
    let of = |view: projections::TemplateView| {
        // What is stored was checked when it came in.
        let names = mustache::Template::parse(&view.definition.template).map(|template| template.partials());
        (view.id, names.unwrap_or_default())
    };
    Ok(templates.map(of).collect())
}

/// A template and all that name it as a partial, themselves or through others.
fn naming(id: &TemplateId, partials: &BTreeMap<TemplateId, Vec<TemplateId>>) -> BTreeSet<TemplateId> {
    let mut naming = BTreeSet::from([id.clone()]);
    let mut look = vec![id.clone()];
    while let Some(named) = look.pop() {
        for (other, names) in partials {
            if names.contains(&named) && naming.insert(other.clone()) {
                look.push(other.clone());
            }
        }
    }
    naming
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::Missing => Self::missing("there is no such template"),
            Error::Exists | Error::Changed(_) => Self::conflict(error.to_string()),
            Error::Name => Self::bad_field("name", &error.to_string()),
            Error::Invalid(invalid) => {
                let mut detail = Object::new();
                detail.set("field", "template");
                detail.set("line", invalid.line as u64);
                detail.set("column", invalid.column as u64);
                detail.set("message", invalid.message.as_str());
                Self::bad(error.to_string()).details(vec![detail.into()])
            }
            Error::InUse(patterns) => {
                let details = patterns.iter().map(|id| detail(id.as_str(), "is enabled and names it"));
                Self::conflict(error.to_string()).details(details.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_named_through_partials_too_even_in_a_circle() {
        let ids = |names: &[&str]| names.iter().map(|name| TemplateId::from(*name)).collect::<Vec<_>>();
        let partials = BTreeMap::from([
            ("TM1".into(), ids(&["TM2"])),
            ("TM2".into(), ids(&["TM3"])),
            ("TM3".into(), ids(&["TM1"])),
            ("TM4".into(), ids(&["TM9"])),
        ]);
        assert_eq!(naming(&"TM3".into(), &partials), ids(&["TM1", "TM2", "TM3"]).into_iter().collect());
        assert_eq!(naming(&"TM4".into(), &partials), ids(&["TM4"]).into_iter().collect());
    }
}
