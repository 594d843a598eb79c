//! The operator's master key: 32 random bytes in a file that only the server's user may read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The file's name in the data folder.
pub const MASTER_KEY_FILE: &str = "master.key";

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file cannot be read or made.
    #[error("the master key {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is none.
    #[error(
        "the master key {path} is not there; it has to be the one that the store was made with (for a new store: 32 random bytes in base64, mode 600)"
    )]
    Absent {
        /// Which file.
        path: PathBuf,
    },
    /// Others can read it.
    #[error("the master key {path} can be read by everyone (mode {mode:o}); chmod 600 it")]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It does not hold a key.
    #[error("the master key {path} does not hold 32 bytes in base64")]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// No random numbers are to be had.
    #[error("no random numbers for a master key: {0}")]
    Random(String),
}

/// Reads the master key from `path`.
///
/// # Errors
/// What is wrong with the file; one that everyone can read is refused.
pub fn master_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, MasterKeyError> {
    match std::fs::read_to_string(path) {
        Ok(text) => read(path, &Zeroizing::new(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(MasterKeyError::Absent { path: path.to_owned() })
        }
        Err(source) => Err(MasterKeyError::File { path: path.to_owned(), source }),
    }
}

/// The same; makes the key if there is none. Only for a store that nothing has been written to: a new key opens
/// nothing of what another has sealed.
///
/// # Errors
/// As [`master_key`].
pub fn master_key_or_new(path: &Path) -> Result<Zeroizing<[u8; 32]>, MasterKeyError> {
    match master_key(path) {
        Err(MasterKeyError::Absent { .. }) => make(path),
        found => found,
    }
}

fn read(path: &Path, text: &str) -> Result<Zeroizing<[u8; 32]>, MasterKeyError> {
    private(path)?;
    let malformed = || MasterKeyError::Malformed { path: path.to_owned() };
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| malformed())?);
    let mut key = Zeroizing::new([0; 32]);
    if bytes.len() != key.len() {
        return Err(malformed());
    }
    key.copy_from_slice(&bytes);
    Ok(key)
}

/// Refuses a file that everyone can read.
#[cfg(unix)]
fn private(path: &Path) -> Result<(), MasterKeyError> {
    use std::os::unix::fs::PermissionsExt;
    let file = std::fs::metadata(path);
    let mode =
        file.map_err(|source| MasterKeyError::File { path: path.to_owned(), source })?.permissions().mode();
    match mode & 0o007 {
        0 => Ok(()),
        _ => Err(MasterKeyError::Exposed { path: path.to_owned(), mode: mode & 0o777 }),
    }
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<(), MasterKeyError> {
    Ok(())
}

fn make(path: &Path) -> Result<Zeroizing<[u8; 32]>, MasterKeyError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|error| MasterKeyError::Random(error.to_string()))?;
    put_master_key(path, &key)?;
    Ok(key)
}

/// Puts a master key where it is read from, in place of what is there, in one step: after a crash or a power cut it
/// is there or it is not. What is sealed under a key that was lost on the way is lost with it.
///
/// # Errors
/// The file cannot be written.
pub fn put_master_key(path: &Path, key: &[u8; 32]) -> Result<(), MasterKeyError> {
    let text = Zeroizing::new(STANDARD.encode(key) + "\n");
    written(path, text.as_bytes()).map_err(|source| MasterKeyError::File { path: path.to_owned(), source })
}

fn written(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    // Of a bare name the folder is the current one.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_master_key_is_made_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MASTER_KEY_FILE);
        assert!(matches!(master_key(&path), Err(MasterKeyError::Absent { .. })));
        assert!(!path.exists());
        let made = master_key_or_new(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(*master_key_or_new(&path).unwrap(), *made);
        assert_eq!(*master_key(&path).unwrap(), *made);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o604)).unwrap();
        assert!(matches!(master_key(&path), Err(MasterKeyError::Exposed { mode: 0o604, .. })));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, "c2hvcnQ=").unwrap();
        assert!(matches!(master_key(&path), Err(MasterKeyError::Malformed { .. })));
    }
}
