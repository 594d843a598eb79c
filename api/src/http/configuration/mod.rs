//! A tenant's configuration as a whole: made what it is said to be, all of it at once or nothing.
//!
//! It comes as a form: `configuration`, a JSON document with handles in place of ids ([`document`]), then
//! `files/<handle>` for each augment that has a file. Read next: [`domain::plan`].

pub(crate) mod document;
pub(crate) mod settle;

use std::collections::BTreeMap;

use domain::augment::File;
use domain::client::Scope;
use domain::json::{Json, Limits, Object};
use domain::plan::{self, Change, Plan, Refusal, Stored};

use self::document::Draft;
use self::settle::Ground;
use super::answer::Answer;
use super::augments::file::{Upload, broken, form};
use super::body::{self, Arriving};
use super::call::Call;
use super::change;
use super::problem::Problem;

/// The longest form, in bytes.
pub const ALL_BYTES: usize = 256 * 1024 * 1024;
/// The longest document, in bytes: the room that is held for a body that is left to come.
const DOCUMENT_BYTES: usize = 4 * 1024 * 1024;
/// How often a plan is made anew because something was changed meanwhile.
const TRIES: usize = 8;
/// How many refusals are told at most.
const TOLD: usize = 100;

/// The files that came, by the handles of their augments.
type Files = BTreeMap<String, File>;

/// POST /tenants/{tid}/configuration
pub async fn apply(mut call: Call) -> Result<Answer, Problem> {
    let mut arriving = call.state.intake.arriving(&mut call.body);
    let mut files = Files::new();
    let taken = take(&call, &mut arriving, &mut files).await;
    if taken.is_err() {
        arriving.drain().await;
    }
    let result = match taken {
        Ok(draft) => carry_out(&call, &draft, &files).await,
        Err(problem) => Err(problem),
    };
    let in_force = match &result {
        Ok((_, in_force)) => in_force.as_slice(),
        Err(problem) if problem.leaves_all_as_it_was() => &[],
        Err(_) => return result.map(|(answer, _)| answer),
    };
    for file in files.values().filter(|file| !in_force.contains(file)) {
        call.state.files.let_go(&call.tenant, &file.id).await;
    }
    result.map(|(answer, _)| answer)
}

/// Takes the form in; every file that has come is in `files`, whatever comes of the rest.
async fn take(call: &Call, arriving: &mut Arriving, files: &mut Files) -> Result<Draft, Problem> {
    let mut form = form(call, arriving)?;
    let mut draft = None;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().chars().take(300).collect::<String>();
        if name == "configuration" && draft.is_none() {
            let mut text = Vec::new();
            while let Some(bytes) = field.chunk().await.map_err(broken)? {
                text.extend_from_slice(&bytes);
                if text.len() > DOCUMENT_BYTES {
                    return Err(Problem::too_large(format!("it has at most {} MiB", DOCUMENT_BYTES >> 20)));
                }
            }
            let json = body::parse(text.into(), Limits::BODY).await?;
            let read = body::apart(move || document::read(json)).await?;
            draft = Some(read.map_err(|refusals| refused(&refusals))?);
            continue;
        }
        let handle = name.strip_prefix("files/").filter(|handle| !files.contains_key(*handle));
        let known = draft.as_ref().zip(handle).filter(|(draft, handle)| draft.has_augment(handle));
        let Some((_, handle)) = known else {
            return Err(Problem::bad_field(
                &name,
                "is no part of the form: first comes configuration, then files/ and the handle of an augment, \
                 each once",
            ));
        };
        let file =
            file(call, &mut field).await.map_err(|problem| problem.within(&format!("augments/{handle}")))?;
        files.insert(handle.to_owned(), file);
    }
    draft.ok_or_else(|| Problem::bad_field("configuration", "is missing"))
}

/// Keeps a file that is good.
async fn file(call: &Call, field: &mut multer::Field<'_>) -> Result<File, Problem> {
    let mut upload = Upload::new(call);
    let read = loop {
        match field.chunk().await {
            Ok(None) => break Ok(()),
            Ok(Some(bytes)) => {
                if let Err(problem) = upload.take(&bytes).await {
                    break Err(problem);
                }
            }
            Err(error) => break Err(broken(error)),
        }
    };
    upload.end(read).await
}

/// Plans, and carries the plan out; plans again if something was changed in between. The answer, and the files that are
/// in force by it.
async fn carry_out(call: &Call, draft: &Draft, files: &Files) -> Result<(Answer, Vec<File>), Problem> {
    let _turn = call.state.turn(&call.tenant).await?;
    let ground = Ground { vault: &call.state.vault, files: &call.state.files, tenant: &call.tenant };
    for _ in 0..TRIES {
        let stored = call.state.commands.configuration(&call.tenant).await?;
        let files = ground.in_force(&stored, draft, files).await?;
        let wanted = ground.settled(&stored, draft, &files).await?;
        let limits = call.state.settings.languages;
        let (plan, stored) = body::apart(move || (plan::plan(&stored, &wanted, &limits), stored)).await?;
        let plan = plan.map_err(|refusals| refused(&refusals))?;
        let in_force: Vec<File> = files.into_values().collect();
        allowed(call, draft, &plan)?;
        if plan.changes.is_empty() || commit(call, &stored, &plan, &in_force).await? {
            return Ok((Answer::ok(shown(&plan.changes)), in_force));
        }
    }
    Err(Problem::conflict("others kept changing it at the same time; try again"))
}

/// Credentials need a right of their own, here as elsewhere; also if those that are given turn out to be the ones that are
/// stored, or anybody could find out by guessing.
fn allowed(call: &Call, draft: &Draft, plan: &Plan) -> Result<(), Problem> {
    let scope = Scope::IntegrationsManage;
    let may = call.grant.as_ref().is_some_and(|grant| grant.scopes.contains(&scope));
    if may || (plan.integrations.is_empty() && !draft.gives_secrets()) {
        return Ok(());
    }
    Err(Problem::forbidden(format!(
        "integrations would change, or secrets are given, and the token lacks the scope {:?}",
        scope.name()
    )))
}

/// Whether it was committed; then everybody can read it.
async fn commit(call: &Call, stored: &Stored, plan: &Plan, in_force: &[File]) -> Result<bool, Problem> {
    let before = stored.augments.iter().filter_map(|augment| augment.definition.as_ref()?.file.as_ref());
    let before: Vec<&File> = before.collect();
    for file in in_force.iter().filter(|file| !before.contains(file)) {
        // At hand before it is in force: no event waits for it.
        call.state.augmenter.prefetch(&call.tenant, file).await?;
    }
    let committed = call.state.commands.carry_out(&call.tenant, stored, plan, call.metadata()).await?;
    let Some(committed) = committed else { return Ok(false) };
    change::settle(&call.state, committed.position).await;
    if !plan.listeners.is_empty() {
        call.state.listeners.acted_upon(committed.position).await;
    }
    for file in before.into_iter().filter(|file| !in_force.contains(file)) {
        call.state.files.let_go(&call.tenant, &file.id).await;
    }
    Ok(true)
}

/// A 400 that says what would be refused, and where.
fn refused(refusals: &[Refusal]) -> Problem {
    let details = refusals.iter().take(TOLD).map(|refusal| {
        let mut detail = Object::new();
        detail.set("field", field(refusal));
        if let Some((line, column)) = refusal.at {
            detail.set("line", line as u64);
            detail.set("column", column as u64);
        }
        detail.set("message", refusal.message.as_str());
        if let Some(hint) = &refusal.hint {
            detail.set("hint", hint.as_str());
        }
        detail.into()
    });
    let first = refusals.first().map(|refusal| format!(": {}: {}", field(refusal), refusal.message));
    let more = match refusals.len() {
        0 | 1 => String::new(),
        n => format!("; and {} more", n - 1),
    };
    let first = first.unwrap_or_default();
    Problem::bad(format!("nothing is changed{first}{more}")).details(details.collect())
}

fn field(refusal: &Refusal) -> String {
    let parts = [refusal.place.as_str(), refusal.field.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

fn shown(changes: &[Change]) -> Json {
    let changes = changes.iter().map(|change| {
        let mut shown = Object::new();
        shown.set("change", change.what.name());
        shown.set("resource", change.resource);
        for (name, value) in [("handle", &change.handle), ("id", &change.id)] {
            if !value.is_empty() {
                shown.set(name, value.as_str());
            }
        }
        let fields = change.fields.iter().map(|(name, _, _)| Json::from(*name)).collect::<Vec<_>>();
        shown.set("fields", fields);
        shown.into()
    });
    Json::object([("changes", changes.collect::<Vec<Json>>())])
}
