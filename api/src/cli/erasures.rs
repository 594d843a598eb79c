//! `cxengage erasures`: who was erased, as a list to be kept apart from backups; and the ways to give it to `restore`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use domain::ids::TenantId;
use eventlog::crypto::{Erasure, all_erasures};
use eventlog::record::Record;
use eventlog::record::postgres::{self, PostgresRecord};
use eventlog::record::sqlite::{self, SqliteRecord};
use serde::{Deserialize, Serialize};

use super::{Failure, Outcome, say};

#[derive(clap::Args)]
pub(super) struct Options {
    /// The folder that holds everything.
    #[arg(long, env = "CXENGAGE_DATA_DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// The PostgreSQL database that holds the record, if it is not in the data folder.
    #[arg(long, env = "CXENGAGE_DATABASE", hide_env_values = true, value_name = "URL")]
    database: Option<String>,
}

/// Where erasures stand.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The record in a data folder or a backup.
    Folder(PathBuf),
    /// The record in a database.
    Database(String),
    /// A list as this command writes it.
    List(PathBuf),
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_database = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        let path = PathBuf::from(text);
        Ok(match is_database {
            true => Self::Database(text.to_owned()),
            false if path.is_file() => Self::List(path),
            false => Self::Folder(path),
        })
    }
}

/// An erasure in a list.
#[derive(Serialize, Deserialize)]
struct Line {
    tenant: TenantId,
    #[serde(flatten)]
    erasure: Erasure,
}

impl Source {
    /// Each tenant's erasures.
    pub(super) async fn read(&self) -> Result<Vec<(TenantId, Vec<Erasure>)>, Failure> {
        let record: Arc<dyn Record> = match self {
            Self::Folder(folder) => SqliteRecord::open_read_only(folder, sqlite::Options::default())
                .map_err(|error| self.unreadable(&error))?,
            Self::Database(url) => PostgresRecord::open_read_only(postgres::Options::new(url)?)
                .await
                .map_err(|error| self.unreadable(&error))?,
            Self::List(file) => {
                let text = std::fs::read_to_string(file).map_err(|error| self.unreadable(&error))?;
                return self.listed(&text);
            }
        };
        all_erasures(&*record).await.map_err(|error| self.unreadable(&error))
    }

    /// The erasures of a list, one a line.
    fn listed(&self, text: &str) -> Result<Vec<(TenantId, Vec<Erasure>)>, Failure> {
        let mut all: Vec<(TenantId, Vec<Erasure>)> = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let Line { tenant, erasure } = serde_json::from_str(line)
                .map_err(|error| self.unreadable(&format!("line {number}: {error}")))?;
            match all.iter_mut().find(|(known, _)| *known == tenant) {
                Some((_, erasures)) => erasures.push(erasure),
                None => all.push((tenant, vec![erasure])),
            }
        }
        Ok(all)
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> Failure {
        let place = match self {
            Self::Folder(path) | Self::List(path) => path.display().to_string(),
            Self::Database(_) => "that database".to_owned(),
        };
        Failure::Failed(format!("the erasures in {place} cannot be read: {error}"))
    }
}

pub(super) fn run(options: &Options) -> Outcome {
    super::block_on(async {
        let source = match &options.database {
            Some(url) => Source::Database(url.clone()),
            None => Source::Folder(options.data_dir.clone()),
        };
        let (mut out, mut written) = (std::io::BufWriter::new(super::out()), 0u64);
        for (tenant, erasures) in source.read().await? {
            for erasure in erasures {
                let line = Line { tenant: tenant.clone(), erasure };
                writeln!(out, "{}", serde_json::to_string(&line)?)?;
                written += 1;
            }
        }
        out.flush()?;
        say(&format!("{written} erasures"));
        Ok::<_, Failure>(ExitCode::SUCCESS)
    })
}
