//! `cxengage backup`: the record at one position, copied while a server may be running.

use std::path::PathBuf;
use std::process::ExitCode;

use eventlog::record::sqlite::backup::backup;

use super::{Failure, Outcome, say, store};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(flatten)]
    store: store::Options,
    /// The folder to make the backup in: empty, or not there yet.
    #[arg(long, env = "CXENGAGE_TO", value_name = "DIR")]
    to: PathBuf,
}

pub(super) fn run(options: &Options) -> Outcome {
    if options.store.database.is_some() {
        let why = "this command copies a data folder; a database is backed up with PostgreSQL's own tools: pg_dump, or a \
                   base backup with its write-ahead log (docs/operations.md)";
        return Err(Failure::Usage(why.into()));
    }
    let manifest = backup(&options.store.data_dir, &options.to, env!("CARGO_PKG_VERSION"))?;
    super::print(&serde_json::to_string(&manifest)?)?;
    let key = crate::app::master_key_path(&options.store.data_dir, options.store.master_key_file.as_deref());
    say(&format!(
        "everything up to position {} ({}), {} bytes, is in {}",
        manifest.position,
        manifest.stamp,
        manifest.bytes,
        options.to.display()
    ));
    say(&format!(
        "the master key ({}) is NOT in it: keep it apart, for without it nothing of this can be opened",
        key.display()
    ));
    Ok::<_, Failure>(ExitCode::SUCCESS)
}
