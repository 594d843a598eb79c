//! GET /tenants/{tid}/audit: every change of a resource, newest first.

use domain::json::{Json, Limits, Object, parse};
use projections::AuditEntry;

use super::answer::Answer;
use super::call::Call;
use super::list;
use super::problem::Problem;

/// GET /tenants/{tid}/audit
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let page = list::page(&call, "audit")?;
    let entries = call.state.views.audit(&call.tenant, page.ask()).await?;
    let (entries, next) = page.cut(&call, entries, |entry| entry.position);
    let shown = entries.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    Ok(list::answer(shown, next))
}

fn shown(entry: &AuditEntry) -> Result<Json, Problem> {
    let mut shown = Object::new();
    shown.set("kind", entry.kind.name());
    shown.set("resource", entry.resource.as_str());
    shown.set("id", entry.id.as_str());
    shown.set("at", entry.at.to_string());
    if let Some(by) = &entry.by {
        shown.set("by", by.as_str());
    }
    for (name, text) in [("before", &entry.before), ("after", &entry.after)] {
        if let Some(text) = text {
            let json = parse(text.as_bytes(), Limits::STORED);
            shown.set(name, json.map_err(|error| Problem::internal(format!("audit: {error}")))?);
        }
    }
    Ok(shown.into())
}
