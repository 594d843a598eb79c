//! A backup: the record at one position, copied while a server goes on writing; and the way back.
//!
//! The copy is one read of one snapshot, written anew (`VACUUM INTO`), so nothing of what was deleted before comes
//! along. Every row of it is held against its checksum before the manifest is written, which comes last: a folder
//! without one is no backup. Views and checkpoints are not in it (they are made anew), nor is the master key.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::ids::Position;
use domain::time::Stamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::reader::{self, Page};
use super::schema::{self, FORMAT};
use super::{LOG_FILE, Options, SqliteRecord, failed, group, sync_folder};
use crate::crypto::MASTER_KEY_FILE;
use crate::record::{Error, Select};

/// The file that makes a folder a backup.
pub const MANIFEST_FILE: &str = "backup.json";

/// Where a record stands until all of a restore is done.
const UNDER_WAY: &str = "restoring";

/// The shape of the manifest and of the folder around it.
const BACKUP_FORMAT: u32 = 1;

/// How many rows are checked at a time.
const PAGE: usize = 4_096;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// The shape of this manifest.
    pub backup_format: u32,
    /// The format of the record.
    pub record_format: u32,
    /// The release that made it.
    pub release: String,
    /// The record's last position.
    pub position: Position,
    /// Its stamp.
    pub stamp: Stamp,
    /// The record's file.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is something where nothing may be.
    #[error("{path} is not empty (there is {found:?}): {advice}")]
    NotEmpty {
        /// Which folder.
        path: PathBuf,
        /// What is in it.
        found: String,
        /// What to do.
        advice: &'static str,
    },
    /// It is no backup, or one that was not finished.
    #[error(
        "{path} is no backup: there is no {MANIFEST_FILE}, which is written when a backup is complete; take another one"
    )]
    NoBackup {
        /// Which folder.
        path: PathBuf,
    },
    /// It is not what was written.
    #[error("the backup is damaged: {path}: {what}; restore another one")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A newer release made it.
    #[error(
        "the {what} has format {found}, and this release reads up to {supported}: restore it with release {release} or newer"
    )]
    Newer {
        /// What.
        what: &'static str,
        /// Its format.
        found: u32,
        /// This release's.
        supported: u32,
        /// The release that made it.
        release: String,
    },
    /// The record's.
    #[error(transparent)]
    Record(#[from] Error),
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::File { path, source }
}

/// Copies the record of a data folder, also beside a running server, into a folder that is empty or not there yet.
/// What is left of one that fails is no backup.
///
/// # Errors
/// The folder is not empty, a file cannot be written, the record cannot be read or is damaged.
pub fn backup(folder: &Path, to: &Path, release: &str) -> Result<Manifest, BackupError> {
    make_folder(to)?;
    nothing_but(to, &[], "give each backup a folder of its own")?;
    let copy = to.join(LOG_FILE);
    match copied(folder, &copy, release) {
        Ok(manifest) => {
            write_manifest(to, &manifest)?;
            Ok(manifest)
        }
        Err(error) => {
            // The cause is told; that the rest of it lies there harms nobody.
            let _ = std::fs::remove_file(&copy);
            Err(error)
        }
    }
}

fn copied(folder: &Path, copy: &Path, release: &str) -> Result<Manifest, BackupError> {
    let source = schema::open_reader(&folder.join(LOG_FILE))?;
    let Some(name) = copy.to_str() else {
        let source = std::io::Error::new(ErrorKind::InvalidInput, "the path has to be UTF-8");
        return Err(at(copy)(source));
    };
    source.execute("VACUUM INTO ?1", [name]).map_err(failed)?;
    drop(source);
    private(copy)?;
    let connection = schema::open_reader(copy)?;
    let head = group::State::load(&connection).map_err(failed)?.head;
    let mut after = Position(0);
    // Whatever does not decode, or is missing in between, is damage, and better known now than at the restore.
    while let Some(last) = reader::page(&connection, &Select::All, Page::After(after), PAGE)?.last() {
        after = last.position;
    }
    drop(connection);
    let (bytes, sha256) = digest(copy, &mut std::io::sink())?;
    Ok(Manifest {
        backup_format: BACKUP_FORMAT,
        record_format: FORMAT,
        release: release.to_owned(),
        position: head.position,
        stamp: head.stamp,
        file: LOG_FILE.to_owned(),
        bytes,
        sha256,
    })
}

/// For its owner only, and on the disk.
fn private(path: &Path) -> Result<(), BackupError> {
    let file = File::options().write(true).open(path).map_err(at(path))?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(at(path))?;
    file.sync_all().map_err(at(path))
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let (path, part) = (folder.join(MANIFEST_FILE), folder.join("backup.json.part"));
    let text = serde_json::to_string_pretty(manifest).map_err(|error| at(&path)(error.into()))?;
    let mut file = File::create_new(&part).map_err(at(&part))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at(&part))?;
    std::fs::rename(&part, &path).map_err(at(&path))?;
    Ok(sync_folder(folder)?)
}

/// What the backup in a folder holds, by its manifest.
///
/// # Errors
/// It is no backup, a damaged one, or of a newer release.
pub fn manifest(from: &Path) -> Result<Manifest, BackupError> {
    let path = from.join(MANIFEST_FILE);
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(BackupError::NoBackup { path: from.to_owned() });
        }
        Err(error) => return Err(at(&path)(error)),
    };
    let damaged = |what: String| BackupError::Damaged { path: path.clone(), what };
    // The numbers first: of a newer release's nothing else need be understood.
    let numbers: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    for (what, name, supported) in
        [("backup", "backup-format", BACKUP_FORMAT), ("backup's record", "record-format", FORMAT)]
    {
        let found = numbers[name].as_u64().ok_or_else(|| damaged(format!("it has no {name}")))?;
        if found > u64::from(supported) {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            let release = numbers["release"].as_str().unwrap_or("that made it").to_owned();
            return Err(BackupError::Newer { what, found, supported, release });
        }
    }
    let manifest: Manifest = serde_json::from_value(numbers).map_err(|error| damaged(error.to_string()))?;
    if manifest.file == LOG_FILE {
        Ok(manifest)
    } else {
        Err(damaged(format!("it names the file {:?}", manifest.file)))
    }
}

/// A restore that is under way: the record is whole, and not yet where a server looks for it.
pub struct Restore {
    folder: PathBuf,
    under_way: PathBuf,
    /// What was restored.
    pub manifest: Manifest,
}

/// Copies the record of a backup beside its place in a data folder that holds nothing but, perhaps, a master key.
/// [`Restore::finish`] puts it there; what is dropped before is taken away again.
///
/// # Errors
/// The folder holds something, the backup is none, damaged, or of a newer release.
pub fn restore(from: &Path, folder: &Path) -> Result<Restore, BackupError> {
    let manifest = manifest(from)?;
    make_folder(folder)?;
    let advice =
        "restore into a new folder and let the server use that one, or move what is there away first";
    nothing_but(folder, &[MASTER_KEY_FILE], advice)?;
    let under_way = folder.join(UNDER_WAY);
    make_folder(&under_way)?;
    let restore = Restore { folder: folder.to_owned(), under_way, manifest };
    let (source, copy) = (from.join(LOG_FILE), restore.under_way.join(LOG_FILE));
    let mut file = File::create_new(&copy).map_err(at(&copy))?;
    let (bytes, sha256) = digest(&source, &mut file)?;
    drop(file);
    private(&copy)?;
    let (was, is) = ((restore.manifest.bytes, &restore.manifest.sha256), (bytes, &sha256));
    if was != is {
        let what = format!("it has {bytes} bytes and SHA-256 {sha256}; written were {} and {}", was.0, was.1);
        return Err(BackupError::Damaged { path: source, what });
    }
    Ok(restore)
}

impl Restore {
    /// The record, to be changed before a server sees it; one of an older format is migrated. All that holds it has
    /// to be let go of before [`Self::finish`].
    ///
    /// # Errors
    /// The record's.
    pub fn record(&self) -> Result<Arc<SqliteRecord>, BackupError> {
        Ok(SqliteRecord::open(&self.under_way, Options::default())?)
    }

    /// Puts the record in its place.
    ///
    /// # Errors
    /// A file cannot be moved; nothing is restored then.
    pub fn finish(self) -> Result<Manifest, BackupError> {
        let rest = self.under_way.join(format!("{LOG_FILE}-wal"));
        if std::fs::metadata(&rest).is_ok_and(|file| file.len() > 0) {
            let source = std::io::Error::other("the record is still in use");
            return Err(at(&rest)(source));
        }
        let (copy, place) = (self.under_way.join(LOG_FILE), self.folder.join(LOG_FILE));
        std::fs::rename(&copy, &place).map_err(at(&place))?;
        sync_folder(&self.folder)?;
        Ok(self.manifest.clone())
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        // What cannot be taken away keeps the next restore out of the folder, which says so.
        if let Err(error) = std::fs::remove_dir_all(&self.under_way) {
            tracing::warn!(%error, path = %self.under_way.display(), "what a restore left could not be removed");
        }
    }
}

fn make_folder(path: &Path) -> Result<(), BackupError> {
    Ok(super::make_folder(path)?)
}

/// Makes sure that a folder holds nothing but these.
fn nothing_but(folder: &Path, names: &[&str], advice: &'static str) -> Result<(), BackupError> {
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let name = entry.map_err(at(folder))?.file_name();
        if !names.iter().any(|known| name == *known) {
            let found = name.to_string_lossy().into_owned();
            return Err(BackupError::NotEmpty { path: folder.to_owned(), found, advice });
        }
    }
    Ok(())
}

/// Copies a file, and tells its length and SHA-256.
fn digest(path: &Path, into: &mut dyn Write) -> Result<(u64, String), BackupError> {
    let mut file = File::open(path).map_err(at(path))?;
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(at(path)(error)),
        };
        let read = buffer.get(..read).unwrap_or_default();
        hash.update(read);
        into.write_all(read).map_err(at(path))?;
        bytes += read.len() as u64;
    }
    Ok((bytes, hex::encode(hash.finalize())))
}
