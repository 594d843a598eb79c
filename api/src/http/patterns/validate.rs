//! POST /tenants/{tid}/patterns/validate: what would be said of a pattern, without storing it.

use domain::dsl::{Code, Diagnostic, Place};
use domain::json::{Json, Object};
use domain::pattern::{Field, Invalid, check, place_of};

use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::templates::missing_partials;

/// POST /tenants/{tid}/patterns/validate
pub async fn validate(call: Call) -> Result<Answer, Problem> {
    let mut fields = call.fields().await?;
    let (when, then) = (fields.optional_text("when"), fields.optional_text("then"));
    fields.end()?;
    let templates = super::templates(&call).await?;
    let checked = check(when.as_deref(), then.as_deref(), &templates, &call.state.settings.languages);
    let mut warnings = Vec::new();
    if let (Some(parsed), Some(source)) = (&checked.when, &when) {
        warnings.extend(parsed.warnings.iter().map(|warning| shown(Field::When, source, warning)));
    }
    if let (Some(program), Some(source)) = (&checked.then, &then) {
        warnings.extend(program.warnings.iter().map(|warning| shown(Field::Then, source, warning)));
        for id in &program.templates {
            for (missing, by) in missing_partials(&call, id).await? {
                let message = format!(
                    "the template {by} names the partial {missing}, which is not there: such a send fails"
                );
                let warning = Diagnostic::new(Code::Template, place_of(id, source), message);
                warnings.push(shown(Field::Then, source, &warning));
            }
        }
    }
    let mut answer = Object::new();
    answer.set("valid", checked.invalid.is_empty());
    answer.set("errors", details(&checked.invalid));
    answer.set("warnings", warnings);
    if let Some(when) = &checked.when {
        answer.set("when", when.trigger.to_string());
    }
    if let Some(then) = &checked.then {
        answer.set("then", then.to_string());
    }
    Ok(Answer::ok(answer))
}

/// How many problems are told at most: who made more will not mend them from one list.
const TOLD: usize = 100;

/// What is wrong, as details of an error.
pub fn details(invalid: &[Invalid]) -> Vec<Json> {
    invalid
        .iter()
        .flat_map(|invalid| {
            invalid.diagnostics.iter().map(|diagnostic| shown(invalid.field, &invalid.source, diagnostic))
        })
        .take(TOLD)
        .collect()
}

fn shown(field: Field, source: &str, diagnostic: &Diagnostic) -> Json {
    let place = Place::of(source, diagnostic.span.start);
    let mut detail = Object::new();
    detail.set("field", field.name());
    detail.set("line", place.line as u64);
    detail.set("column", place.column as u64);
    detail.set("message", diagnostic.message.as_str());
    detail.set("hint", diagnostic.hint.as_deref().map_or(Json::Null, Json::from));
    detail.into()
}
