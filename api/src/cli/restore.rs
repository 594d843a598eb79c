//! `cxengage restore`: a backup's record in a new data folder, or a database that PostgreSQL's own tools have restored,
//! without those who were erased after the backup was made.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use domain::ids::TenantId;
use eventlog::crypto::{Erasure, MASTER_KEY_FILE, take_over_erasures};
use eventlog::record::Record;
use eventlog::record::postgres::{self, PostgresRecord};
use eventlog::record::sqlite::backup::{manifest, restore};

use super::erasures::Source;
use super::{Failure, Outcome, say};

#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Options {
    /// The backup.
    #[arg(
        long,
        env = "CXENGAGE_FROM",
        value_name = "DIR",
        required_unless_present = "database",
        conflicts_with = "database"
    )]
    from: Option<PathBuf>,
    /// The new data folder: it may hold a master key, and nothing else.
    #[arg(long, env = "CXENGAGE_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// A database that PostgreSQL's own tools have restored already. Servers' data folders from before are refused from
    /// then on.
    #[arg(long, env = "CXENGAGE_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
    /// Where the customers stand who were erased after the backup: the data folder or the database that was in use last, a
    /// later backup's, or a list that `cxengage erasures` wrote. They are erased again. Can be given more than once.
    #[arg(
        long,
        env = "CXENGAGE_ERASURES",
        hide_env_values = true,
        value_name = "DIR|URL|FILE",
        required_unless_present = "no_erasures"
    )]
    erasures: Vec<Source>,
    /// There is nothing later: who was erased after this backup can be read again.
    #[arg(long, env = "CXENGAGE_NO_ERASURES", conflicts_with = "erasures")]
    no_erasures: bool,
}

/// Whom the sources say to have been erased, by tenant.
type Erased = Vec<(TenantId, Vec<Erasure>)>;

pub(super) fn run(options: &Options) -> Outcome {
    super::block_on(async {
        if let Some(from) = &options.from {
            manifest(from)?;
        }
        // Before anything is changed: a restore that cannot erase whom it has to is none.
        let mut erasures = Erased::new();
        for source in &options.erasures {
            erasures.extend(source.read().await?);
        }
        match (&options.database, &options.from) {
            (Some(url), _) => database(url, &erasures, options.no_erasures).await?,
            (None, Some(from)) => folder(from, &options.data_dir, &erasures, options.no_erasures).await?,
            (None, None) => return Err(Failure::Usage("--from or --database is needed".into())),
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn folder(from: &Path, data_dir: &Path, erasures: &Erased, none: bool) -> Result<(), Failure> {
    let restore = restore(from, data_dir)?;
    let record = restore.record()?;
    let heeded = erase_again(&*record, erasures).await?;
    drop(record);
    let manifest = restore.finish()?;
    say(&format!(
        "everything up to position {} ({}) is in {}",
        manifest.position,
        manifest.stamp,
        data_dir.display()
    ));
    say(if none { CARELESS } else { &heeded });
    if !data_dir.join(MASTER_KEY_FILE).exists() {
        say(&format!(
            "the server needs the master key of this record: put it at {} (mode 600), or name it with \
             --master-key-file",
            data_dir.join(MASTER_KEY_FILE).display()
        ));
    }
    Ok(())
}

async fn database(url: &str, erasures: &Erased, none: bool) -> Result<(), Failure> {
    let record = PostgresRecord::open(postgres::Options::new(url)?).await?;
    let heeded = erase_again(&*record, erasures).await?;
    record.renew_store_id().await?;
    let head = *record.head().borrow();
    say(&format!("everything up to position {} ({}) is in the database", head.position, head.stamp));
    say(if none { CARELESS } else { &heeded });
    say("give every server an empty data folder: those from before are refused");
    Ok(())
}

const CARELESS: &str =
    "customers who were erased after the backup was made can be read again: erase them again";

/// Erases them again and notes it; what to say of it.
async fn erase_again(record: &dyn Record, erasures: &Erased) -> Result<String, Failure> {
    let (mut known, mut again) = (0, 0);
    for (tenant, erasures) in erasures {
        known += erasures.len();
        again += take_over_erasures(record, tenant, erasures).await?;
    }
    Ok(format!("{known} erasures heeded, {again} customers erased again"))
}
