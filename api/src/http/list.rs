//! Lists, newest first, a page at a time: `entries` and, unless it is the last page, `next`.

use domain::ids::Position;
use domain::json::{Json, Object};
use projections::Page;

use super::answer::Answer;
use super::call::Call;
use super::problem::Problem;

/// How many entries a page has, if the client does not say, and at most.
const LIMITS: (usize, usize) = (50, 1_000);

/// Which page of which list is asked for.
#[derive(Debug)]
pub struct Asked {
    list: String,
    limit: usize,
    before: Option<Position>,
}

/// The page of a list that a call asks for, by `limit` and `before`.
///
/// # Errors
/// 400 for a limit out of bounds, or what is no cursor of this list.
pub fn page(call: &Call, list: impl Into<String>) -> Result<Asked, Problem> {
    let (list, limit) = (list.into(), call.query.limit(LIMITS.0, LIMITS.1)?);
    let read = |cursor| call.state.cursors.read(&call.tenant, &list, cursor);
    let before = call.query.get("before").map(read).transpose()?;
    Ok(Asked { list, limit, before })
}

impl Asked {
    /// Before which position the page is.
    pub fn before(&self) -> Option<Position> {
        self.before
    }

    /// How many entries to ask for: one more than are shown, to see whether that is all.
    pub fn ask(&self) -> Page {
        Page { before: self.before, limit: self.limit + 1 }
    }

    /// The entries of the page, and the cursor of the next one.
    pub fn cut<T>(
        &self,
        call: &Call,
        mut entries: Vec<T>,
        position: impl Fn(&T) -> Position,
    ) -> (Vec<T>, Option<String>) {
        let more = entries.len() > self.limit;
        entries.truncate(self.limit);
        let last = entries.last().filter(|_| more).map(position);
        let next = last.map(|last| call.state.cursors.write(&call.tenant, &self.list, last));
        (entries, next)
    }
}

/// A page's answer.
pub fn answer(entries: Vec<Json>, next: Option<String>) -> Answer {
    let mut answer = Object::new();
    answer.set("entries", entries);
    if let Some(next) = next {
        answer.set("next", next);
    }
    Answer::ok(answer)
}
