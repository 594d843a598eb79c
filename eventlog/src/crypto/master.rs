//! The operator's master key: 32 random bytes in a file that only the server's user may read. While it is being
//! changed, the file holds two, each in a line of its own, and what is under either can be opened.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::seal::Secret;

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
    #[error(
        "the master key {path} does not hold 32 bytes in base64 (a line for each key, where there are several)"
    )]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
    /// No random numbers are to be had.
    #[error("no random numbers for a master key: {0}")]
    Random(String),
}

/// The master keys that a server has: one, and while it is being changed, two.
pub struct MasterKeys {
    file: Option<PathBuf>,
    keys: Mutex<Vec<Secret>>,
}

impl MasterKeys {
    /// Those of a file, which is read again when none of them opens something.
    ///
    /// # Errors
    /// As [`master_keys`].
    pub fn at(file: &Path) -> Result<Self, MasterKeyError> {
        Ok(Self { file: Some(file.to_owned()), keys: Mutex::new(master_keys(file)?) })
    }

    /// The same; makes a key if there is none. Only for a store that nothing has been written to: a new key opens
    /// nothing of what another has sealed.
    ///
    /// # Errors
    /// As [`master_keys`].
    pub fn at_or_new(file: &Path) -> Result<Self, MasterKeyError> {
        match Self::at(file) {
            Err(MasterKeyError::Absent { .. }) => {
                make(file)?;
                Self::at(file)
            }
            found => found,
        }
    }

    /// The first of them.
    pub(super) fn first(&self) -> Secret {
        self.keys()[0].clone()
    }

    /// What comes of the first key of which something comes.
    pub(super) fn find<T>(&self, open: impl Fn(&Secret) -> Option<T>) -> Option<T> {
        let found = self.keys().iter().find_map(&open);
        if found.is_some() || !self.read_again() {
            return found;
        }
        self.keys().iter().find_map(open)
    }

    /// Whether the file holds other keys than before.
    fn read_again(&self) -> bool {
        let Some(file) = &self.file else { return false };
        match master_keys(file) {
            Ok(found) => {
                let mut keys = self.keys();
                let is_new = *keys != found;
                *keys = found;
                is_new
            }
            Err(error) => {
                tracing::error!(%error, "the master key cannot be read again");
                false
            }
        }
    }

    /// Never empty.
    fn keys(&self) -> MutexGuard<'_, Vec<Secret>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<[u8; 32]> for MasterKeys {
    fn from(key: [u8; 32]) -> Self {
        Self { file: None, keys: Mutex::new(vec![Zeroizing::new(key)]) }
    }
}

/// Reads the master keys from `path`: one at least.
///
/// # Errors
/// What is wrong with the file; one that everyone can read is refused.
pub fn master_keys(path: &Path) -> Result<Vec<Secret>, MasterKeyError> {
    match std::fs::read_to_string(path) {
        Ok(text) => read(path, &Zeroizing::new(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(MasterKeyError::Absent { path: path.to_owned() })
        }
        Err(source) => Err(MasterKeyError::File { path: path.to_owned(), source }),
    }
}

/// The one key in a file, which is made if it is not there: a new master key.
///
/// # Errors
/// As [`master_keys`]; several are [`MasterKeyError::Malformed`].
pub fn new_master_key(path: &Path) -> Result<Secret, MasterKeyError> {
    match master_keys(path) {
        Err(MasterKeyError::Absent { .. }) => make(path),
        Ok(keys) if keys.len() > 1 => Err(MasterKeyError::Malformed { path: path.to_owned() }),
        found => Ok(found?.remove(0)),
    }
}

fn read(path: &Path, text: &str) -> Result<Vec<Secret>, MasterKeyError> {
    private(path)?;
    let malformed = || MasterKeyError::Malformed { path: path.to_owned() };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let keys = lines.map(|line| {
        let bytes = Zeroizing::new(STANDARD.decode(line).map_err(|_| malformed())?);
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return Err(malformed());
        }
        key.copy_from_slice(&bytes);
        Ok(key)
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() { Err(malformed()) } else { Ok(keys) }
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

fn make(path: &Path) -> Result<Secret, MasterKeyError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(|error| MasterKeyError::Random(error.to_string()))?;
    put_master_keys(path, std::slice::from_ref(&key))?;
    Ok(key)
}

/// Puts master keys where they are read from, in place of what is there, in one step: after a crash or a power cut they
/// are there or they are not. What is sealed under a key that was lost on the way is lost with it.
///
/// # Errors
/// The file cannot be written.
pub fn put_master_keys(path: &Path, keys: &[Secret]) -> Result<(), MasterKeyError> {
    let lines = keys.iter().map(|key| STANDARD.encode(**key) + "\n");
    let text = Zeroizing::new(lines.collect::<String>());
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
        assert!(matches!(master_keys(&path), Err(MasterKeyError::Absent { .. })));
        assert!(!path.exists());
        let made = new_master_key(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(new_master_key(&path).unwrap(), made);
        assert_eq!(MasterKeys::at_or_new(&path).unwrap().first(), made);
        assert_eq!(master_keys(&path).unwrap(), [made]);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o604)).unwrap();
        assert!(matches!(master_keys(&path), Err(MasterKeyError::Exposed { mode: 0o604, .. })));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        for malformed in ["c2hvcnQ=", "", "\n", "not base64"] {
            std::fs::write(&path, malformed).unwrap();
            assert!(matches!(master_keys(&path), Err(MasterKeyError::Malformed { .. })), "{malformed:?}");
        }
    }

    #[test]
    fn a_file_is_read_again_when_its_keys_open_nothing_and_kept_when_it_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(MASTER_KEY_FILE);
        let [old, new] = [1, 2].map(|byte| Zeroizing::new([byte; 32]));
        put_master_keys(&path, std::slice::from_ref(&old)).unwrap();
        let keys = MasterKeys::at(&path).unwrap();
        let opens = |key: &Secret| keys.find(|known| (known == key).then_some(())).is_some();
        assert!(opens(&old) && !opens(&new));
        put_master_keys(&path, &[old.clone(), new.clone()]).unwrap();
        assert!(opens(&new) && opens(&old));
        assert!(matches!(new_master_key(&path), Err(MasterKeyError::Malformed { .. })), "which one?");
        put_master_keys(&path, std::slice::from_ref(&new)).unwrap();
        assert!(opens(&old), "it is not read without need");
        assert!(!opens(&Zeroizing::new([3; 32])) && opens(&new) && !opens(&old));
        std::fs::remove_file(&path).unwrap();
        assert!(!opens(&old) && opens(&new));
    }
}
