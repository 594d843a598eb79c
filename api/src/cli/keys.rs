//! `cxengage keys rotate`: another master key, beside servers that run. Whatever cuts it off, calling it again brings it
//! to its end.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use eventlog::crypto::{
    MasterKeyError, Wrapped, check, master_keys, new_master_key, put_master_keys, rotate,
};
use eventlog::record::{postgres, sqlite};

use super::{Failure, Outcome, say, store};

#[derive(clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Seal the tenants' keys under a new master key. Servers may run meanwhile.
    Rotate(Rotate),
}

#[derive(clap::Args)]
struct Rotate {
    #[command(flatten)]
    store: store::Options,
    /// The new master key: 32 bytes, base64, mode 600; made if it is not there. If servers run on the store and the key
    /// in use is not in the data folder, the file of every one of them has to hold both keys first, a line for each.
    #[arg(long, env = "CXENGAGE_NEW_MASTER_KEY_FILE", value_name = "FILE")]
    new_master_key_file: PathBuf,
}

async fn stored_keys(store: &store::Options) -> Result<Box<dyn Wrapped>, Failure> {
    if let Some(url) = &store.database {
        return Ok(Box::new(postgres::Keys::open(&postgres::Options::new(url)?).await?));
    }
    if !store.data_dir.join(sqlite::LOG_FILE).is_file() {
        return Err(Failure::Failed(format!("there is no record in {}", store.data_dir.display())));
    }
    Ok(Box::new(sqlite::Keys::open(&store.data_dir)?))
}

pub(super) fn run(options: &Options) -> Outcome {
    let What::Rotate(options) = &options.what;
    super::block_on(rotated(options))
}

async fn rotated(options: &Rotate) -> Outcome {
    let given = options.store.master_key_file.as_deref();
    let in_use = crate::app::master_key_path(&options.store.data_dir, given);
    let known = master_keys(&in_use)?;
    let stored = stored_keys(&options.store).await?;
    // Nothing is made or changed for a key that opens nothing. Of an earlier call some may be under the new one.
    let before = match master_keys(&options.new_master_key_file) {
        Err(MasterKeyError::Absent { .. }) => Vec::new(),
        found => found?,
    };
    check(&*stored, &[known.clone(), before].concat()).await?;
    let file = options.new_master_key_file.display();
    let new = new_master_key(&options.new_master_key_file)?;
    if !known.contains(&new) && given.is_some() && !stored.is_alone() {
        return Err(Failure::Failed(format!(
            "servers run on the store: put the key in {file} into the file of each of them ({}), in a line below the one \
             in use, and call this again. They need not be started again. Or stop all of them first",
            in_use.display()
        )));
    }
    if given.is_none() {
        // Servers that run read both from now on.
        let both: Vec<_> = known.iter().filter(|key| **key != new).chain([&new]).cloned().collect();
        put_master_keys(&in_use, &both)?;
    }
    let rotated = rotate(&*stored, &known, &new).await?;
    match rotated {
        0 => say("all keys were sealed under the new master key already"),
        rotated => say(&format!("{rotated} keys are sealed under the new master key")),
    }
    match given {
        Some(_) => say(&format!(
            "every server needs it from now on, and no other one: --master-key-file {file}, or that line alone in {}",
            in_use.display()
        )),
        None => {
            put_master_keys(&in_use, std::slice::from_ref(&new))?;
            say(&format!("it is in {}, for the server", in_use.display()));
        }
    }
    say("keep the old key for as long as there are backups from before, and not longer");
    Ok(ExitCode::SUCCESS)
}
