//! `cxengage diff`: what would change if a tenant's configuration were made what files say.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use domain::augment::File;
use domain::augment::csv::Scanner;
use domain::dsl::Limits;
use domain::ids::TenantId;
use domain::json::Json;
use domain::plan::{self, Refusal, Stored};
use eventlog::files::{FileStore, PIECE};

use super::told::Told;
use super::{Source, files, told};
use crate::cli::store::Store;
use crate::cli::{Failure, Outcome, say, show, store};
use crate::http::augments::file::FILE_BYTES;
use crate::http::configuration::document::{self, Draft};
use crate::http::configuration::settle::{Ground, before};

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    store: store::Options,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    form: show::Form,
    /// End with 1 if anything would change.
    #[arg(long, env = "CXENGAGE_EXIT_CODE")]
    exit_code: bool,
}

pub(in crate::cli) fn run(options: &Options) -> Outcome {
    crate::cli::block_on(async {
        let root = &options.source.from;
        let files = files::read(root)?;
        let store = options.store.open().await?;
        let tenant = store.tenant(&options.source.tenant).await?;
        let refused = |refusals: Vec<Refusal>| {
            let told: Vec<Told> = refusals.iter().map(|refusal| Told::refusal(refusal, &files)).collect();
            Told::failure(root, &told)
        };
        let draft = document::read(Json::Object(files.document.clone())).map_err(refused)?;
        let stored = super::stored(&store, &tenant).await?;
        let tables = tables(&store, &tenant, &stored, &draft, &files).await.map_err(|wrong| match wrong {
            Wrong::Refused(refusals) => refused(refusals),
            Wrong::Failed(failure) => failure,
        })?;
        let ground = Ground { vault: &store.vault, files: &store.files, tenant: &tenant };
        let wanted = ground.settled(&stored, &draft, &tables).await?;
        let plan = plan::plan(&stored, &wanted, &Limits::default()).map_err(refused)?;
        told::changes(&plan.changes, options.form.json)?;
        say(&match plan.changes.len() {
            0 => "nothing would change".to_owned(),
            1 => "1 change would be made".to_owned(),
            n => format!("{n} changes would be made"),
        });
        Ok(ExitCode::from(u8::from(options.exit_code && !plan.changes.is_empty())))
    })
}

enum Wrong {
    Refused(Vec<Refusal>),
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The tables as they would be: the one in force where it has the same content, else one of no id.
async fn tables(
    store: &Store,
    tenant: &TenantId,
    stored: &Stored,
    draft: &Draft,
    files: &files::Files,
) -> Result<BTreeMap<String, File>, Wrong> {
    let (mut tables, mut refusals) = (BTreeMap::new(), Vec::new());
    for (handle, before) in before(stored, draft) {
        let Some(path) = files.tables.get(&handle) else { continue };
        match table(&store.files, tenant, path, before).await? {
            Ok(file) => drop(tables.insert(handle, file)),
            Err((line, message)) => refusals.push(Refusal {
                place: format!("augments/{handle}"),
                field: "file".to_owned(),
                at: Some((usize::try_from(line).unwrap_or(usize::MAX), 1)),
                message,
                hint: None,
            }),
        }
    }
    if refusals.is_empty() { Ok(tables) } else { Err(Wrong::Refused(refusals)) }
}

/// One of them, or what is wrong with it in which line.
async fn table(
    files: &FileStore,
    tenant: &TenantId,
    path: &Path,
    before: Option<&File>,
) -> Result<Result<File, (u64, String)>, Failure> {
    let named = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let mut input = std::fs::File::open(path).map_err(named)?;
    let (mut scanner, mut bytes, mut number, mut same) = (Scanner::default(), 0_u64, 0, before);
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        input.by_ref().take(PIECE as u64).read_to_end(&mut piece).map_err(named)?;
        if let Some(file) = same {
            let stored = files.piece(tenant, &file.id, number).await?.unwrap_or_default();
            same = same.filter(|_| stored == piece);
        }
        if piece.is_empty() {
            break;
        }
        bytes += piece.len() as u64;
        number += 1;
        if bytes > FILE_BYTES as u64 {
            return Ok(Err((1, format!("a file has at most {} MiB", FILE_BYTES >> 20))));
        }
        if let Err(error) = scanner.push(&piece, |_| {}) {
            return Ok(Err((error.line, error.message)));
        }
    }
    Ok(match scanner.end(|_| {}) {
        Err(error) => Err((error.line, error.message)),
        Ok((_, rows)) => Ok(same.cloned().unwrap_or_else(|| File { id: "(new)".to_owned(), bytes, rows })),
    })
}
