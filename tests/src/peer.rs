//! Real servers of third parties' protocols, installed under `target/tools` and run as processes of their own.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// A process that is spoken to by lines. Dropped, it is killed.
pub struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a script of `tests/peers` under Node.
    ///
    /// # Panics
    /// If there is no Node, or what the script needs cannot be installed.
    pub fn node(script: &str, arguments: &[&str]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
        let mut command = Command::new("node");
        command.arg(path).args(arguments).env("NODE_PATH", modules().join("node_modules"));
        Self::start(command)
    }

    /// Starts a script of `tests/peers` under Python, with the providers' own clients.
    ///
    /// # Panics
    /// If there is no Python, or the clients cannot be installed.
    pub fn python(script: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
        let mut command = Command::new(clients().join("bin/python"));
        command.arg(path);
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = piped.spawn().expect("the interpreter is there");
        let input = process.stdin.take().expect("stdin is piped");
        let output = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Self { process, input, output }
    }

    /// The next line that it writes.
    ///
    /// # Panics
    /// If it has ended.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("its output can be read");
        assert!(!line.is_empty(), "the peer has ended");
        line.trim_end().to_owned()
    }

    /// Tells it a line, and waits for the one that it answers.
    ///
    /// # Panics
    /// If it has ended.
    pub fn ask(&mut self, line: &str) -> String {
        writeln!(self.input, "{line}").expect("the peer listens");
        self.line()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where tools are: beside the profiles' folders.
pub fn tools() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    test.ancestors().nth(3).expect("target/<profile>/deps/<test>").join("tools")
}

/// The providers' own clients, in the versions that the tests were written against.
const CLIENTS: &str =
    "twilio==9.13.0 sendgrid==6.12.5 pusher==3.3.4 urbanairship==7.4.1 standardwebhooks==1.1.0";

/// A Python environment with [`CLIENTS`]; made when it is not there.
fn clients() -> &'static Path {
    static CLIENTS_FOLDER: OnceLock<PathBuf> = OnceLock::new();
    CLIENTS_FOLDER.get_or_init(|| {
        let folder = tools().join("sdks");
        let mark = folder.join("installed");
        if std::fs::read_to_string(&mark).ok().as_deref() != Some(CLIENTS) {
            let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
            assert!(made.expect("python3 is there").success(), "no environment for Python could be made");
            let mut pip = Command::new(folder.join("bin/pip"));
            pip.args(["install", "--quiet"]).args(CLIENTS.split(' ')).stdout(Stdio::null());
            assert!(pip.status().expect("pip is there").success(), "{CLIENTS} could not be installed");
            std::fs::write(&mark, CLIENTS).expect("a mark");
        }
        folder
    })
}

/// What the scripts for Node need, in the versions that the tests were written against.
const MODULES: &str = "datasift@0.3.1 faye@1.4.3 jsforce@3.10.16 node-zendesk@6.0.1";

/// The folder with [`MODULES`]; installed when they are not there.
fn modules() -> &'static Path {
    static MODULES_FOLDER: OnceLock<PathBuf> = OnceLock::new();
    MODULES_FOLDER.get_or_init(|| {
        let folder = tools().join("node");
        let mark = folder.join("installed");
        if std::fs::read_to_string(&mark).ok().as_deref() != Some(MODULES) {
            std::fs::create_dir_all(&folder).expect("a folder for tools");
            let install = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix"];
            let mut npm = Command::new("npm");
            npm.args(install).arg(&folder).args(MODULES.split(' ')).stdout(Stdio::null());
            assert!(npm.status().expect("npm is there").success(), "{MODULES} could not be installed");
            std::fs::write(&mark, MODULES).expect("a mark");
        }
        folder
    })
}
