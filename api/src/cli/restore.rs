//! `cxengage restore`: a backup's record in a new data folder, without those who were erased after it was made.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use domain::ids::TenantId;
use eventlog::crypto::{Erasure, MASTER_KEY_FILE, all_erasures, take_over_erasures};
use eventlog::record::sqlite::backup::{manifest, restore};
use eventlog::record::sqlite::{self, SqliteRecord};

use super::{Failure, Outcome, say};

#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// The backup.
    #[arg(long, env = "CXENGAGE_FROM", value_name = "DIR")]
    from: PathBuf,
    /// The new data folder: it may hold a master key, and nothing else.
    #[arg(long, env = "CXENGAGE_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// Where the customers stand who were erased after the backup: the data folder that was in use last, or a later
    /// backup. They are erased again. Can be given more than once.
    #[arg(long, env = "CXENGAGE_ERASURES", value_name = "DIR", required_unless_present = "no_erasures")]
    erasures: Vec<PathBuf>,
    /// There is no later data folder or backup: who was erased after this backup can be read again.
    #[arg(long, env = "CXENGAGE_NO_ERASURES", conflicts_with = "erasures")]
    no_erasures: bool,
}

pub(super) fn run(options: &Options) -> Outcome {
    super::block_on(async {
        // Before anything is copied: a restore that cannot erase whom it has to is none.
        manifest(&options.from)?;
        let mut erasures = Vec::new();
        for folder in &options.erasures {
            erasures.extend(erased(folder).await?);
        }
        let restore = restore(&options.from, &options.data_dir)?;
        let record = restore.record()?;
        let (mut known, mut again) = (0, 0);
        for (tenant, erasures) in &erasures {
            known += erasures.len();
            again += take_over_erasures(&*record, tenant, erasures).await?;
        }
        drop(record);
        let manifest = restore.finish()?;
        say(&format!(
            "everything up to position {} ({}) is in {}",
            manifest.position,
            manifest.stamp,
            options.data_dir.display()
        ));
        if options.no_erasures {
            say("customers who were erased after the backup was made can be read again: erase them again");
        } else {
            say(&format!("{known} erasures heeded, {again} customers erased again"));
        }
        if !options.data_dir.join(MASTER_KEY_FILE).exists() {
            say(&format!(
                "the server needs the master key of this record: put it at {} (mode 600), or name it with \
                 --master-key-file",
                options.data_dir.join(MASTER_KEY_FILE).display()
            ));
        }
        Ok::<_, Failure>(ExitCode::SUCCESS)
    })
}

/// Whom the record in a folder says to have been erased.
async fn erased(folder: &Path) -> Result<Vec<(TenantId, Vec<Erasure>)>, Failure> {
    let failed = |error: eventlog::record::Error| {
        Failure::Failed(format!("the erasures in {} cannot be read: {error}", folder.display()))
    };
    let record = SqliteRecord::open_read_only(folder, sqlite::Options::default()).map_err(failed)?;
    all_erasures(&*record).await.map_err(failed)
}
