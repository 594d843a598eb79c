//! The file of a `file` augment: taken in as it comes, a piece at a time, and put in force only when all of it is
//! good; until then, and if it is not, the one before stays.

use axum::body::{Body, Bytes};
use axum::http::header;
use domain::augment::csv::Scanner;
use domain::augment::{Augment, Command, Error, File, Kind};
use domain::json::Object;
use eventlog::files::Writer;
use futures_util::stream;
use projections::AugmentView;

use super::view;
use crate::http::answer::Answer;
use crate::http::body::{Arriving, Format};
use crate::http::call::Call;
use crate::http::change;
use crate::http::conditional::IfMatch;
use crate::http::problem::{Problem, detail};

/// The longest file, in bytes.
pub const FILE_BYTES: usize = 64 * 1024 * 1024;

/// GET /tenants/{tid}/augments/{id}/file
pub async fn show(call: Call) -> Result<Answer, Problem> {
    let view = view(&call).await?;
    let file = match (view.definition.kind, view.definition.file) {
        (Kind::Api, _) => return Err(Error::NoFileAugment.into()),
        (Kind::File, None) => return Err(Error::NoFile.into()),
        (Kind::File, Some(file)) => file,
    };
    let (files, tenant) = (call.state.files.clone(), call.tenant.clone());
    let (id, bytes) = (file.id, file.bytes);
    let first = files.piece(&tenant, &id, 0).await?.ok_or_else(|| Problem::from(Error::NoFile))?;
    let pieces = stream::try_unfold((first, 1), move |(piece, next)| {
        let (files, tenant, id) = (files.clone(), tenant.clone(), id.clone());
        async move {
            if piece.is_empty() {
                return Ok::<_, eventlog::record::Error>(None);
            }
            let following = files.piece(&tenant, &id, next).await?.unwrap_or_default();
            Ok(Some((Bytes::from(piece), (following, next + 1))))
        }
    });
    Ok(Answer::stream("text/csv; charset=utf-8", bytes, Body::from_stream(pieces)).version(view.version))
}

/// POST /tenants/{tid}/augments/{id}/file
pub async fn upload(mut call: Call) -> Result<Answer, Problem> {
    let mut arriving = call.state.intake.arriving(&mut call.body);
    let result = put_in_force(&call, &mut arriving).await;
    if result.is_err() {
        arriving.drain().await;
    }
    result
}

async fn put_in_force(call: &Call, arriving: &mut Arriving) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let before = view(call).await?;
    let expected = if_match.expected(before.version)?;
    if before.definition.kind == Kind::Api {
        return Err(Error::NoFileAugment.into());
    }
    let file = store(call, arriving).await?;
    let mut shown = Object::new();
    shown.set("id", before.id.as_str());
    shown.set("bytes", file.bytes);
    shown.set("rows", file.rows);
    let id = file.id.clone();
    // At hand before it is in force: no event waits for it.
    let command = Command::SetFile { expected, file: file.clone() };
    let done = match call.state.augmenter.prefetch(&call.tenant, &file).await {
        Ok(()) => change::execute::<Augment>(call, before.id.as_str(), command).await,
        Err(error) => Err(error.into()),
    };
    if let Err(problem) = done {
        if problem.leaves_all_as_it_was() {
            call.state.files.let_go(&call.tenant, &id).await;
        }
        return Err(problem);
    }
    let_go_file(call, &before).await;
    let version = view(call).await.map_or(before.version + 1, |view| view.version);
    Ok(Answer::created(shown).version(version))
}

/// DELETE /tenants/{tid}/augments/{id}/file
pub async fn delete(call: Call) -> Result<Answer, Problem> {
    let if_match = IfMatch::of(&call.headers)?;
    let before = view(&call).await?;
    let expected = if_match.expected(before.version)?;
    change::execute::<Augment>(&call, call.param("id"), Command::DeleteFile { expected }).await?;
    let_go_file(&call, &before).await;
    Ok(Answer::no_content())
}

/// Lets the file go that was in force, if the one after the change is another or none.
pub(super) async fn let_go(call: &Call, before: &AugmentView, after: Option<&AugmentView>) {
    if after.and_then(|view| view.definition.file.as_ref()) != before.definition.file.as_ref() {
        let_go_file(call, before).await;
    }
}

async fn let_go_file(call: &Call, of: &AugmentView) {
    if let Some(file) = &of.definition.file {
        call.state.files.let_go(&call.tenant, &file.id).await;
    }
}

/// Keeps a file that is good; of one that is not nothing is left.
async fn store(call: &Call, arriving: &mut Arriving) -> Result<File, Problem> {
    let mut upload = Upload::new(call);
    let read = match call.body.format {
        Format::Multipart => multipart(call, arriving, &mut upload).await,
        _ => bare(arriving, &mut upload).await,
    };
    upload.end(read).await
}

/// A file on its way: read for what is wrong with it, and kept.
pub(crate) struct Upload {
    writer: Writer,
    scanner: Scanner,
    bytes: usize,
}

impl Upload {
    /// Begins one.
    pub(crate) fn new(call: &Call) -> Self {
        Self { writer: call.state.files.create(&call.tenant), scanner: Scanner::default(), bytes: 0 }
    }

    /// Keeps it if all of it was `read` and is good; of one that is not nothing is left.
    pub(crate) async fn end(self, read: Result<(), Problem>) -> Result<File, Problem> {
        let Self { mut writer, scanner, .. } = self;
        let ended = match read.and_then(|()| scanner.end(|_| {}).map_err(bad)) {
            Ok((_, rows)) => writer.end().await.map(|file| (file, rows)).map_err(Problem::from),
            Err(problem) => Err(problem),
        };
        match ended {
            Ok(((id, bytes), rows)) => Ok(File { id, bytes, rows }),
            Err(problem) => {
                writer.give_up().await;
                Err(problem)
            }
        }
    }

    /// Takes the next bytes.
    pub(crate) async fn take(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        self.bytes += bytes.len();
        if self.bytes > FILE_BYTES {
            return Err(Problem::too_large(format!("a file has at most {} MiB", FILE_BYTES >> 20)));
        }
        self.scanner.push(bytes, |_| {}).map_err(bad)?;
        Ok(self.writer.push(bytes).await?)
    }
}

fn bad(error: domain::augment::csv::Error) -> Problem {
    let mut place = Object::new();
    place.set("field", "file");
    place.set("line", error.line);
    place.set("message", error.message.as_str());
    Problem::bad(format!("the file is not acceptable CSV: {error}")).details(vec![place.into()])
}

async fn bare(arriving: &mut Arriving, upload: &mut Upload) -> Result<(), Problem> {
    while let Some(bytes) = arriving.next().await? {
        upload.take(&bytes).await?;
    }
    Ok(())
}

/// What went wrong with the body under a form: carried through the reader of forms.
#[derive(Debug, thiserror::Error)]
#[error("the body cannot be read")]
struct Broken(std::sync::Mutex<Option<Problem>>);

/// The form that a body is.
pub(crate) fn form<'a>(call: &Call, arriving: &'a mut Arriving) -> Result<multer::Multipart<'a>, Problem> {
    let said = call.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = multer::parse_boundary(said.unwrap_or_default());
    let boundary = boundary.map_err(|_| Problem::bad("the content type names no boundary"))?;
    let body = stream::unfold(arriving, |arriving| async {
        match arriving.next().await {
            Ok(None) => None,
            Ok(Some(bytes)) => Some((Ok(bytes), arriving)),
            Err(problem) => Some((Err(Broken(std::sync::Mutex::new(Some(problem)))), arriving)),
        }
    });
    Ok(multer::Multipart::new(Box::pin(body), boundary))
}

async fn multipart(call: &Call, arriving: &mut Arriving, upload: &mut Upload) -> Result<(), Problem> {
    let mut form = form(call, arriving)?;
    let mut found = false;
    while let Some(mut field) = form.next_field().await.map_err(broken)? {
        let name = field.name().unwrap_or_default().chars().take(64).collect::<String>();
        if name != "file" {
            let message = "is not a known field of the form; known is file";
            return Err(Problem::bad_field(&name, message));
        }
        if std::mem::replace(&mut found, true) {
            return Err(Problem::bad_field("file", "is given twice"));
        }
        while let Some(bytes) = field.chunk().await.map_err(broken)? {
            upload.take(&bytes).await?;
        }
    }
    if found { Ok(()) } else { Err(Problem::bad_field("file", "is missing")) }
}

/// What is wrong with a form.
pub(crate) fn broken(error: multer::Error) -> Problem {
    if let multer::Error::StreamReadFailed(cause) = &error
        && let Some(Broken(problem)) = cause.downcast_ref()
        && let Some(problem) = problem.lock().ok().and_then(|mut problem| problem.take())
    {
        return problem;
    }
    Problem::bad("the body is not a form as multipart/form-data has it")
        .details(vec![detail("file", &error.to_string())])
}
