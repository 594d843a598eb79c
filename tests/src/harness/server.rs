//! A server process on a folder of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::{Client, Home, Tenant, wait_for};

/// The admin client's id and secret.
pub const ADMIN: (&str, &str) = ("admin", "a-secret-for-the-tests-only");

/// The binary that is shipped.
pub const SHIPPED: &str = "cxengage";

/// The same with faults on order.
pub const WITH_FAULTS: &str = "cxengage-with-faults";

/// A binary in the folder that cargo builds into.
///
/// # Panics
/// If it is not built: a test package cannot ask cargo for another package's binary, so `tests/run` builds them first.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let profile = test.ancestors().nth(2).expect("target/<profile>/deps/<test>");
    let binary = profile.join(name);
    let how = match name {
        WITH_FAULTS => "cargo build --workspace --features api/faults --bin cxengage-with-faults",
        _ => "cargo build --workspace --bins",
    };
    assert!(binary.is_file(), "{} is not there: `{how}` first", binary.display());
    binary
}

/// The real binary, as an operator calls it.
pub fn command(arguments: &[&str]) -> Command {
    command_of(SHIPPED, arguments)
}

/// The faults that the binary with faults knows: what they are (`point` or `break`), and their names.
///
/// # Panics
/// If it does not say.
pub fn faults() -> Vec<(String, String)> {
    let output = command_of(WITH_FAULTS, &["faults"]).output().expect("the binary runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(kind, name)| (kind.to_owned(), name.to_owned())).collect()
}

/// A call of a binary; nothing of the environment's own configuration is passed on.
fn command_of(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary(name));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CXENGAGE_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// A running server. Dropped, it is killed and its folder goes with it.
pub struct Server {
    process: Option<Child>,
    base: String,
    folder: TempDir,
    data: PathBuf,
    binary: &'static str,
    home: Home,
}

impl Server {
    /// A server on a fresh folder, with the admin client [`ADMIN`].
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with further arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let mut server = Self::new(SHIPPED, None);
        server.run(arguments);
        server
    }

    /// A server on a record that is not in its folder; [`Self::run`] starts it.
    pub fn at(home: Home) -> Self {
        Self::on(SHIPPED, None, home)
    }

    /// The same with faults on order.
    pub fn at_with_faults(home: Home) -> Self {
        Self::on(WITH_FAULTS, None, home)
    }

    /// The same on a data folder that is given.
    pub fn at_with_faults_in(data: PathBuf, home: Home) -> Self {
        Self::on(WITH_FAULTS, Some(data), home)
    }

    /// Where it keeps the record.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// A server with faults on order that does not run yet; on a data folder that is given, or a fresh one.
    pub fn with_faults(data: Option<PathBuf>) -> Self {
        Self::new(WITH_FAULTS, data)
    }

    fn new(binary: &'static str, data: Option<PathBuf>) -> Self {
        // What was made beforehand is in a folder.
        let home = if data.is_some() { Home::default() } else { Home::wanted() };
        Self::on(binary, data, home)
    }

    fn on(binary: &'static str, data: Option<PathBuf>, home: Home) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = data.unwrap_or_else(|| folder.path().join("data"));
        Self { process: None, base: String::new(), folder, data, binary, home }
    }

    /// A server on a data folder that was made beforehand; [`Self::run`] starts it.
    pub fn prepared(make: impl FnOnce(&Path)) -> Self {
        let server = Self::on(SHIPPED, None, Home::default());
        make(&server.data_dir());
        server
    }

    /// Starts the process (again) on the same folder.
    ///
    /// # Panics
    /// If it is still running, or does not become ready.
    pub fn run(&mut self, arguments: &[&str]) {
        self.try_run(arguments, "").unwrap_or_else(|said| panic!("not ready: {said}"));
    }

    /// The same with these faults on order.
    ///
    /// # Errors
    /// It did not become ready; what it said.
    ///
    /// # Panics
    /// If it is still running.
    pub fn try_run(&mut self, arguments: &[&str], faults: &str) -> Result<(), String> {
        assert!(self.process.is_none(), "the server is running");
        let log = File::options().create(true).append(true).open(self.log()).expect("a log file");
        let mut process = command_of(self.binary, &["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&self.data)
            .args(arguments)
            .args(self.home.arguments(&self.data, "serve", arguments))
            .env("CXENGAGE_FAULTS", faults)
            .env("CXENGAGE_ADMIN_CLIENT_ID", ADMIN.0)
            .env("CXENGAGE_ADMIN_CLIENT_SECRET", ADMIN.1)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("stdout can be read");
        self.process = Some(process);
        let Some(base) = line.trim_end().strip_prefix("listening on ") else {
            self.kill();
            return Err(format!("stdout {line:?}, stderr:\n{}", self.said()));
        };
        base.clone_into(&mut self.base);
        Ok(())
    }

    /// What tells it from the other servers on its database.
    ///
    /// # Panics
    /// If it has never run, or on no database.
    pub fn identity(&self) -> String {
        let text = std::fs::read_to_string(self.data.join("database")).expect("it has run on a database");
        text.lines().next().expect("its identity").to_owned()
    }

    /// Where it keeps everything.
    pub fn data_dir(&self) -> PathBuf {
        self.data.clone()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("stderr")
    }

    /// A place for a test's own files, outside the data folder.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All that it has said on stderr, over all its runs.
    pub fn said(&self) -> String {
        read(&self.log())
    }

    /// `http://127.0.0.1:…`
    pub fn base(&self) -> &str {
        &self.base
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("a process can be killed");
            process.wait().expect("a killed process ends");
        }
    }

    /// SIGSTOP: it stands still, and knows nothing of it.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// SIGCONT: it goes on.
    pub fn wake(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status();
        assert!(sent.expect("kill is there").success(), "the server has ended by itself:\n{}", self.said());
    }

    /// SIGTERM, and how it ended.
    ///
    /// # Panics
    /// If it does not end.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the server is running");
        let sent = Command::new("kill").arg(process.id().to_string()).status().expect("kill is there");
        assert!(sent.success(), "the server has ended by itself:\n{}", self.said());
        wait_for("the server to stop", || process.try_wait().expect("a child can be waited for"))
    }

    /// How much memory the process has resident, in KiB.
    ///
    /// # Panics
    /// If it is not running, or this is no Linux.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// How much it has had resident at most, in KiB.
    ///
    /// # Panics
    /// As [`Self::resident`].
    pub fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("that size");
        line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
    }

    /// The id of the process.
    ///
    /// # Panics
    /// As [`Self::resident`].
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the server is running").id()
    }

    /// Whether the process is still there.
    pub fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| matches!(process.try_wait(), Ok(None)))
    }

    /// A client without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(&self.base)
    }

    /// The admin client, with a token.
    pub fn admin(&self) -> Client {
        self.anonymous().with_token_of(ADMIN.0, ADMIN.1)
    }

    /// A new tenant with a client of its own and the key attribute `id`.
    pub fn tenant(&self, id: &str) -> Tenant {
        Tenant::create(&self.admin(), id)
    }

    /// A command of the binary that reads the store: its exit code, stdout and stderr.
    pub fn cli(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.cli_with("", arguments)
    }

    /// A command of the binary that works on the store, yet to be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command_of(self.binary, arguments);
        let store = self.home.arguments(&self.data, arguments[0], arguments);
        command.arg("--data-dir").arg(&self.data).args(store);
        command
    }

    /// The same with these faults on order.
    pub fn cli_with(&self, faults: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output =
            self.command(arguments).env("CXENGAGE_FAULTS", faults).output().expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

fn read(path: &Path) -> String {
    std::fs::read(path).map_or_else(|error| error.to_string(), |b| String::from_utf8_lossy(&b).into_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = self.said();
            let from = said.char_indices().rev().nth(8_000).map_or(0, |(at, _)| at);
            // Where the harness of cargo shows it: beside the panic.
            #[expect(clippy::print_stderr, reason = "a failing test shows what its server said")]
            {
                eprintln!("the server said, at last:\n{}", &said[from..]);
            }
        }
        self.kill();
    }
}
