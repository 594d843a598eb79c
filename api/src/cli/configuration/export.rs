//! `cxengage export`: a tenant's configuration as files, with names in place of ids and without secrets.

use std::path::PathBuf;
use std::process::ExitCode;

use domain::plan::described;

use super::write::Writer;
use crate::cli::{Failure, Outcome, say, store};
use crate::http::configuration::document;

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    #[command(flatten)]
    store: store::Options,
    /// Whose configuration.
    #[arg(long, env = "CXENGAGE_TENANT")]
    tenant: String,
    /// The folder to write: empty, not there yet, or an earlier export, which is brought up to date.
    #[arg(long, env = "CXENGAGE_TO", value_name = "DIR")]
    to: PathBuf,
}

pub(in crate::cli) fn run(options: &Options) -> Outcome {
    crate::cli::block_on(async {
        let store = options.store.open().await?;
        let tenant = store.tenant(&options.tenant).await?;
        let described = described(&super::stored(&store, &tenant).await?);
        let mut writer = Writer::new(&options.to)?;
        let things = writer.document(document::shown(&described))?;
        for (handle, augment) in &described.augments {
            if let Some(file) = &augment.file {
                writer.table(&store.files, &tenant, handle, &file.id).await?;
            }
        }
        writer.end()?;
        say(&format!("{things} things are in {}; secrets are not", options.to.display()));
        Ok::<_, Failure>(ExitCode::SUCCESS)
    })
}
