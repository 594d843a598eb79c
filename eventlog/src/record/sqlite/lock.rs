//! The lock on a data folder: one server at a time writes there.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use super::{make_folder, unavailable_at};
use crate::record::Error;

/// Held for as long as the writer lives; the operating system drops it with the process, however that ends.
pub struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock of a folder, which is made if need be, or says who has it.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::Unavailable`] where the folder cannot be made or written.
    pub fn take(folder: &Path) -> Result<Self, Error> {
        make_folder(folder)?;
        let path = folder.join("lock");
        let failed = |error| unavailable_at(&path, &error);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // The owner may just be about to write its pid: the refusal stands without it.
                let known = file.read_to_string(&mut pid).is_ok() && !pid.trim().is_empty();
                return Err(Error::Locked(match known {
                    true => format!("process {}", pid.trim()),
                    false => "another process".to_owned(),
                }));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}
