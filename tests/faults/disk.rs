//! A small disk of its own: ext4 in a file, mounted by a loop device. Its power can be cut, and it can be filled.
//! Needs root, loop devices, mkfs.ext4 and python3; where those are missing there is no disk, and it is said why.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// `FS_IOC_SHUTDOWN` with "no flush of the journal": what the kernel has not written by then never will be.
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";

/// For how long what has been killed may still hold on to the disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// The disk; unmounted when dropped.
pub struct Disk {
    folder: TempDir,
}

fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{program} {arguments:?}: {}", said.trim())) }
}

impl Disk {
    /// A disk of so many MB.
    ///
    /// # Errors
    /// This machine does not let one be made, and why.
    pub fn new(megabytes: u64) -> Result<Self, String> {
        let disk = Self { folder: tempfile::tempdir().map_err(|error| error.to_string())? };
        // Not everyone who is to write there is this user.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(disk.folder.path(), open).map_err(|error| error.to_string())?;
        let image = std::fs::File::create(disk.image()).map_err(|error| error.to_string())?;
        image.set_len(megabytes << 20).map_err(|error| error.to_string())?;
        std::fs::create_dir(disk.path()).map_err(|error| error.to_string())?;
        run("mkfs.ext4", &["-q", "-F", "-m", "0", text(&disk.image())])?;
        disk.mount()?;
        run("python3", &["-c", "import fcntl, os, struct, sqlite3"])?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn mount(&self) -> Result<(), String> {
        run("mount", &["-o", "loop", text(&self.image()), text(&self.path())])
    }

    /// Brings all that was written so far to the disk.
    ///
    /// # Errors
    /// This machine does not let it.
    pub fn sync(&self) -> Result<(), String> {
        run("sync", &["-f", text(&self.path())])
    }

    /// Cuts the power: the process is frozen first, so that it acknowledges nothing after the cut; then it is killed
    /// by `kill`, and the disk mounted again, its journal replayed.
    ///
    /// # Panics
    /// If the machine no longer does what it did.
    pub fn cut(&self, pid: u32, kill: impl FnOnce()) {
        run("kill", &["-STOP", &pid.to_string()]).expect("the process is there");
        std::thread::sleep(Duration::from_millis(50));
        run("python3", &["-c", SHUTDOWN, text(&self.path())]).expect("the disk can be shut down");
        kill();
        let (began, mut unmounted) = (Instant::now(), run("umount", &[text(&self.path())]));
        while unmounted.is_err() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
            unmounted = run("umount", &[text(&self.path())]);
        }
        unmounted.expect("nobody uses the disk");
        self.mount().expect("the disk comes back");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Where it was never mounted there is nothing to undo.
        let _ = run("umount", &[text(&self.path())]);
    }
}

/// The path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
