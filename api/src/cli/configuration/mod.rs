//! Configuration as code: a tenant's whole configuration as files (docs/configuration.md).
//!
//! `export` and `diff` read the data folder, also beside a running server; `apply` sends the files to one, which checks
//! all of it before it changes anything, and then changes all of it at once. Read next: [`layout`] (which file is what),
//! [`files`] (files to a document), [`write`](mod@write) (and back).

pub(super) mod apply;
pub(super) mod diff;
pub(super) mod export;
mod files;
mod layout;
mod told;
mod write;

use std::path::PathBuf;

use domain::ids::TenantId;
use domain::plan::Stored;
use eventlog::aggregates::Commands;

use super::Failure;
use super::store::Store;

/// Which tenant, and which files.
#[derive(clap::Args)]
#[group(skip)]
struct Source {
    /// Whose configuration.
    #[arg(long, env = "CXENGAGE_TENANT")]
    tenant: String,
    /// The folder with the files, as export writes it.
    #[arg(long, env = "CXENGAGE_FROM", value_name = "DIR")]
    from: PathBuf,
}

async fn stored(store: &Store, tenant: &TenantId) -> Result<Stored, Failure> {
    Ok(Commands::new(store.record.clone(), store.vault.clone()).configuration(tenant).await?)
}
