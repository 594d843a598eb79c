//! A NATS server of a test's own, on a free port, that can be killed, wiped and started again.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server. Dropped, it is killed and its folder goes with it.
pub struct NatsServer {
    process: Option<Child>,
    port: Option<u16>,
    configuration: String,
    folder: TempDir,
}

/// How long a server may take to be there.
const READY: Duration = Duration::from_secs(20);

fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tool");
        let found =
            Command::new(tool).arg("nats-server").stderr(Stdio::inherit()).output().expect("tests/tool runs");
        assert!(found.status.success(), "there is no nats-server to test with");
        PathBuf::from(String::from_utf8(found.stdout).expect("a path").trim())
    })
}

impl Default for NatsServer {
    fn default() -> Self {
        Self::start()
    }
}

impl NatsServer {
    /// A server with JetStream that lets everybody in.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// The same, with more in its configuration file.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with(configuration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Self { process: None, port: None, configuration: configuration.to_owned(), folder };
        server.run();
        server
    }

    /// So many servers that are one cluster.
    ///
    /// # Panics
    /// If they do not start.
    pub fn cluster(size: usize) -> Vec<Self> {
        // Held until all are known, so that no two are the same.
        let held: Vec<_> =
            (0..size).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
        let ports: Vec<_> = held.iter().map(|held| held.local_addr().expect("an address").port()).collect();
        drop(held);
        let routes: Vec<_> = ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let routes = routes.join(", ");
        let member = |(n, port): (usize, &u16)| {
            Self::start_with(&format!(
                "server_name: n{n}\ncluster {{ name: test, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}"
            ))
        };
        ports.iter().enumerate().map(member).collect()
    }

    /// Starts the process (again), on the same port and folder.
    ///
    /// # Panics
    /// If it is still running, or does not become ready.
    pub fn run(&mut self) {
        assert!(self.process.is_none(), "the server is running");
        let path = |name: &str| self.folder.path().join(name);
        let (store, ports) = (path("store"), path("ports"));
        std::fs::create_dir_all(&ports).expect("a folder");
        let port = self.port.map_or_else(|| "-1".to_owned(), |port| port.to_string());
        let text = format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: {ports:?}\njetstream {{ store_dir: {store:?} }}\n{}",
            self.configuration
        );
        std::fs::write(path("nats.conf"), text).expect("a file");
        let log = std::fs::File::options().create(true).append(true).open(path("log")).expect("a log");
        let process = Command::new(binary())
            .arg("-c")
            .arg(path("nats.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server starts");
        let file = ports.join(format!("nats-server_{}.ports", process.id()));
        self.process = Some(process);
        let until = Instant::now() + READY;
        let text = loop {
            match std::fs::read_to_string(&file) {
                Ok(text) if text.trim_end().ends_with('}') => break text,
                _ => assert!(Instant::now() < until, "nats-server is not ready:\n{}", self.said()),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let ports: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let url = ports["nats"][0].as_str().expect("an address");
        self.port = url.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    }

    /// What it has said, over all its runs.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// `nats://127.0.0.1:…`
    ///
    /// # Panics
    /// If it never ran.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port.expect("it has run"))
    }

    /// The same for a user.
    pub fn url_of(&self, user: &str, password: &str) -> String {
        self.url().replace("nats://", &format!("nats://{user}:{password}@"))
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
        let process = self.process.as_ref().expect("the server runs").id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status().expect("kill is there");
        assert!(sent.success(), "nats-server has ended by itself:\n{}", self.said());
    }

    /// Takes all that it has stored from a server that is not running.
    ///
    /// # Panics
    /// If it is running.
    pub fn wipe(&mut self) {
        assert!(self.process.is_none(), "the server is running");
        std::fs::remove_dir_all(self.folder.path().join("store")).expect("a store");
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}
