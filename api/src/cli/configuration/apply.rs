//! `cxengage apply`: a tenant's configuration made what files say, all of it at once or nothing.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use domain::json::Json;
use futures_util::{StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, StreamBody};
use hyper::Method;
use hyper::body::{Bytes, Frame};
use tokio::io::AsyncReadExt;

use super::told::{Told, refusals};
use super::{Source, files};
use crate::cli::rest::{Body, Remote};
use crate::cli::{Failure, Outcome, client, print, say, show};

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    form: show::Form,
    #[command(flatten)]
    remote: Remote,
}

pub(in crate::cli) fn run(options: &Options) -> Outcome {
    crate::cli::block_on(async {
        let root = &options.source.from;
        let files = files::read(root)?;
        let server = options.remote.connect().await?;
        let path = format!("/1.0/tenants/{}/configuration", client::escaped(&options.source.tenant));
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        let body = form(&files, &boundary);
        let content_type = format!("multipart/form-data; boundary={boundary}");
        let answer = match server.call(Method::POST, &path, Some((content_type, body))).await? {
            Ok(answer) => answer,
            Err(refused) => {
                let told: Vec<Told> =
                    refusals(&refused.body).iter().map(|refusal| Told::refusal(refusal, &files)).collect();
                return Err(if told.is_empty() { refused.into() } else { Told::failure(root, &told) });
            }
        };
        let changes = answer.get("changes").and_then(Json::as_array).unwrap_or_default();
        for change in changes {
            print(&if options.form.json { change.to_string() } else { person(change) })?;
        }
        say(&match changes.len() {
            0 => "nothing to do".to_owned(),
            1 => "1 change".to_owned(),
            n => format!("{n} changes"),
        });
        Ok::<_, Failure>(ExitCode::SUCCESS)
    })
}

fn person(change: &Json) -> String {
    let text = |name| change.get(name).and_then(Json::as_text).unwrap_or_default();
    let parts = [text("change"), text("resource"), text("handle"), text("id")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The form: the document, then each table as it is read.
fn form(files: &files::Files, boundary: &str) -> Body {
    let part = |name: &str, content_type: &str| {
        let head = format!(
            "Content-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {content_type}\r\n\r\n"
        );
        format!("--{boundary}\r\n{head}")
    };
    let document = Json::Object(files.document.clone());
    let first = part("configuration", "application/json") + &document.to_string() + "\r\n";
    let tables: Vec<_> = files
        .tables
        .iter()
        .map(|(handle, path)| (part(&format!("files/{handle}"), "text/csv"), path.clone()))
        .collect();
    let at_hand = |text: String| stream::iter([Ok::<_, io::Error>(Bytes::from(text))]);
    let tables = stream::iter(tables).flat_map(move |(head, path)| {
        at_hand(head).chain(content(path.as_path())).chain(at_hand("\r\n".to_owned()))
    });
    let all = at_hand(first).chain(tables).chain(at_hand(format!("--{boundary}--\r\n")));
    StreamBody::new(all.map_ok(Frame::data)).boxed_unsync()
}

/// A file, piece by piece.
fn content(path: &Path) -> impl stream::Stream<Item = io::Result<Bytes>> + Send + use<> {
    const PIECE: usize = 64 * 1024;
    let named = {
        let path = path.display().to_string();
        move |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"))
    };
    let path = path.to_owned();
    stream::try_unfold(None, move |file| {
        let (path, named) = (path.clone(), named.clone());
        async move {
            let mut file = match file {
                Some(file) => file,
                None => tokio::fs::File::open(&path).await.map_err(&named)?,
            };
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await.map_err(&named)?;
            piece.truncate(read);
            Ok((read > 0).then(|| (Bytes::from(piece), Some(file))))
        }
    })
}
