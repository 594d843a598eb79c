//! GET /tenants/{tid}/patterns/{id}/matches: when a pattern matched, newest first.

use projections::{ReactionFilter, TimelineEntry};

use crate::http::answer::Answer;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::reactions;

/// GET /tenants/{tid}/patterns/{id}/matches
pub async fn list(call: Call) -> Result<Answer, Problem> {
    let pattern = super::view(&call, call.param("id")).await?.id;
    let list = format!("matches/{pattern}");
    let filter = ReactionFilter { pattern: Some(pattern), ..reactions::filter(&call).await? };
    reactions::page(&call, &list, filter, TimelineEntry::Match).await
}
