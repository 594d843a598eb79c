//! `cxengage keys rotate`: another master key. Whatever cuts it off, calling it again brings it to its end.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use eventlog::crypto::{Rotation, Wrapped, master_key, master_key_or_new, put_master_key, rotate};
use eventlog::record::postgres::{self, KeysAlone};
use eventlog::record::sqlite::{self, SqliteRecord};

use super::{Failure, Outcome, say, store};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Seal the tenants' keys under a new master key. The server has to be stopped for as long as it takes: a moment.
    Rotate(Rotate),
}

#[derive(clap::Args)]
struct Rotate {
    #[command(flatten)]
    store: store::Options,
    /// The new master key: 32 bytes, base64, mode 600; made if it is not there.
    #[arg(long, env = "CXENGAGE_NEW_MASTER_KEY_FILE", value_name = "FILE")]
    new_master_key_file: PathBuf,
}

/// The keys that are stored, alone: a server that runs holds them as they were.
async fn record(store: &store::Options) -> Result<Arc<dyn Wrapped>, Failure> {
    if let Some(url) = &store.database {
        return Ok(Arc::new(KeysAlone::take(&postgres::Options::new(url)?).await?));
    }
    if !store.data_dir.join(sqlite::LOG_FILE).is_file() {
        return Err(Failure::Failed(format!("there is no record in {}", store.data_dir.display())));
    }
    Ok(SqliteRecord::open(&store.data_dir, sqlite::Options::default())?)
}

pub(super) fn run(options: &Options) -> Outcome {
    let What::Rotate(options) = &options.what;
    super::block_on(async {
        let given = options.store.master_key_file.as_deref();
        let in_use = crate::app::master_key_path(&options.store.data_dir, given);
        let old = master_key(&in_use)?;
        let record = record(&options.store).await?;
        let new = master_key_or_new(&options.new_master_key_file)?;
        let rotation = rotate(&*record, &old, &new).await?;
        drop(record);
        if given.is_none() {
            put_master_key(&in_use, &new)?;
        }
        match rotation {
            Rotation::Done(keys) => say(&format!("{keys} keys are sealed under the new master key")),
            Rotation::Before => say("all keys were sealed under the new master key already"),
        }
        match given {
            Some(_) => say(&format!(
                "every server needs it from now on: --master-key-file {}",
                options.new_master_key_file.display()
            )),
            None => say(&format!("it is in {}, for the server", in_use.display())),
        }
        say("keep the old key for as long as there are backups from before, and not longer");
        Ok(ExitCode::SUCCESS)
    })
}
