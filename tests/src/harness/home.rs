//! Where the servers under test keep the record: a folder, or a PostgreSQL of the test process's own, with NATS if
//! wanted. `CXENGAGE_TEST_HOME` says which: `folder` (or nothing), `postgres`, `postgres+nats`.

use std::path::Path;
use std::sync::Arc;

use eventlog::testing::NatsServer;
use eventlog::testing::postgres::{self, PostgresServer};

/// Says where the record is.
pub const TEST_HOME: &str = "CXENGAGE_TEST_HOME";

/// A master key for the tests, which a server on a database has to be given.
const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Where one system of servers keeps its record.
#[derive(Clone, Default)]
pub struct Home {
    database: Option<String>,
    nats: Option<Arc<NatsServer>>,
}

impl Home {
    /// The one that the environment asks for.
    ///
    /// # Panics
    /// If there is none of that name.
    pub(super) fn wanted() -> Self {
        match std::env::var(TEST_HOME).as_deref() {
            Ok("folder" | "") | Err(_) => Self::default(),
            Ok("postgres") => Self::database(),
            Ok("postgres+nats") => Self { nats: Some(Arc::new(NatsServer::start())), ..Self::database() },
            Ok(other) => panic!("{TEST_HOME} is {other:?}: there are folder, postgres and postgres+nats"),
        }
    }

    /// A database of its own.
    ///
    /// # Panics
    /// If there is no PostgreSQL.
    pub fn database() -> Self {
        Self::database_on(postgres::shared())
    }

    /// A database of its own on a server of the test's own.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn database_on(server: &PostgresServer) -> Self {
        Self { database: Some(waited(postgres::new_database(server))), nats: None }
    }

    /// A database with the record that was dumped as these statements.
    ///
    /// # Panics
    /// If they make none.
    pub fn restored(dump: &str) -> Self {
        let home = Self::database();
        waited(postgres::restore(home.url(), dump));
        home
    }

    /// A copy of a database that no server uses just now, as it is.
    ///
    /// # Panics
    /// If it is none, or is used.
    #[must_use]
    pub fn copied(&self) -> Self {
        let copy = postgres::copy_database(postgres::shared(), self.url());
        Self { database: Some(waited(copy)), nats: None }
    }

    /// All that is in the database's tables, as bytes.
    ///
    /// # Panics
    /// If it is none.
    pub fn all_tables(&self) -> Vec<u8> {
        waited(postgres::all_tables(self.url()))
    }

    /// Whether it is a database.
    pub fn is_database(&self) -> bool {
        self.database.is_some()
    }

    /// The database's address.
    ///
    /// # Panics
    /// If it is none.
    pub fn url(&self) -> &str {
        self.database.as_deref().expect("a database")
    }

    /// What a command that opens the record has to be told, besides what it is told anyway.
    pub(super) fn arguments(&self, data: &Path, command: &str, given: &[&str]) -> Vec<String> {
        let mut arguments = Vec::new();
        let Some(url) = &self.database else { return arguments };
        arguments.extend(["--database".to_owned(), url.clone()]);
        if !given.contains(&"--master-key-file") {
            let file = data.join("master.key");
            if !file.exists() {
                std::fs::create_dir_all(data).expect("a folder");
                std::fs::write(&file, KEY).expect("a file");
                let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                std::fs::set_permissions(&file, private).expect("a file of our own");
            }
            arguments.extend(["--master-key-file".to_owned(), file.display().to_string()]);
        }
        if let Some(nats) = &self.nats
            && command == "serve"
            && !given.contains(&"--nats")
        {
            arguments.extend(["--nats".to_owned(), nats.url()]);
        }
        arguments
    }
}

/// What comes of this, on a thread of its own: the caller may be within a runtime, where nobody may wait.
fn waited<T: Send>(what: impl Future<Output = T> + Send) -> T {
    let wait = || tokio::runtime::Runtime::new().expect("a runtime").block_on(what);
    std::thread::scope(|scope| scope.spawn(wait).join()).expect("it does not panic")
}

/// Whether the tests run on a database: what is about the data folder alone has nothing to test there.
pub fn on_database() -> bool {
    !matches!(std::env::var(TEST_HOME).as_deref(), Ok("folder" | "") | Err(_))
}
