//! A PostgreSQL of the test process's own, and a record in a database of its own there.
//!
//! The server is started by the first test that needs it and ends with the process, however that ends: it is kept
//! by a shell that waits on a pipe from here. It listens on a socket in its own folder and on no port.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use domain::time::Stamp;
use futures_util::TryStreamExt;
use sqlx::{Connection, Executor, PgConnection};

use super::{ManualClock, contract};
use crate::record::Record;
use crate::record::postgres::{Options, PostgresRecord};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where PostgreSQL's programs are, where they are not in one of the usual places.
const PROGRAMS: &str = "CXENGAGE_TEST_POSTGRES";

/// Makes and runs a server with its socket in `$1`, the programs in `$2` and its files in `$3`, until nobody holds the other
/// end of stdin any more.
const KEEPER: &str = r#"
for libraries in "$2"/../../../*-linux-gnu; do export LD_LIBRARY_PATH="$libraries"; done
control() { "$2/pg_ctl" -D "$3" -l "$1/log" -w -t 60 "$4" "$5" "$6" >/dev/null 2>&1; }
settings="-c listen_addresses='' -c unix_socket_directories='$1' -c max_connections=200 -c shared_buffers=32MB"
"$2/initdb" -D "$3" -U cxengage -A trust -E UTF8 --locale=C -k --no-sync >"$1/log" 2>&1 || exit 1
control "$@" start -o "$settings" || exit 1
echo ready
while read -r order; do
    case "$order" in
        # The process that it names has died, whether or not anybody has taken note of that yet.
        start) rm -f "$3/postmaster.pid" "$1"/.s.PGSQL.*; control "$@" start -o "$settings" || exit 1 ;;
        *) control "$@" restart -m "$order" || exit 1 ;;
    esac
    echo ready
done
"$2/pg_ctl" -D "$3" -m immediate -w stop >/dev/null 2>&1
rm -rf "$1"
"#;

/// A running PostgreSQL, in a folder that goes away with it.
pub struct PostgresServer {
    folder: PathBuf,
    /// Where its files are.
    files: PathBuf,
    // Closing it is what ends the server.
    orders: Option<ChildStdin>,
    answers: BufReader<std::process::ChildStdout>,
    keeper: Child,
}

impl PostgresServer {
    /// Makes one and waits until it answers.
    ///
    /// # Panics
    /// If PostgreSQL's programs are not there (`tests/run` puts them under target/tools), or do not run.
    pub fn start() -> Self {
        Self::start_in(None)
    }

    /// The same with its files in a folder that is given, and is not there yet.
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_in(files: Option<PathBuf>) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("cxpg").tempdir().expect("a folder").keep();
        let files = files.unwrap_or_else(|| folder.join("db"));
        std::fs::create_dir(&files).expect("a folder for its files");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&folder).arg(&programs).arg(&files);
        if let Some((user, group)) = not_root() {
            // PostgreSQL refuses to run as root.
            for folder in [&folder, &files] {
                std::os::unix::fs::chown(folder, Some(user), Some(group)).expect("the folder given away");
            }
            command.uid(user).gid(group);
        }
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = command.spawn().expect("a shell");
        let orders = keeper.stdin.take();
        let answers = BufReader::new(keeper.stdout.take().expect("its answers"));
        let mut server = Self { folder, files, orders, answers, keeper };
        server.ready();
        server
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://cxengage@localhost/{database}?host={}", self.folder.display())
    }

    /// Processor time of all its processes so far, in seconds; those that have ended included.
    ///
    /// # Panics
    /// If it does not run, or this is no Linux.
    pub fn cpu_seconds(&self) -> f64 {
        let postmaster = self.postmaster();
        let ticks = |stat: &[String], fields: std::ops::Range<usize>| {
            stat[fields].iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        };
        let own: f64 = children(&postmaster).iter().map(|(_, stat)| ticks(stat, 11..13)).sum();
        // Its own, and that of its children who have ended.
        (own + stat(&postmaster).map_or(0.0, |stat| ticks(&stat, 11..15))) / 100.0
    }

    /// Stops it as `pg_ctl -m` does (`smart`, `fast`, `immediate`: as a crash does) and starts it again.
    ///
    /// # Panics
    /// If it does not come back.
    pub fn restart(&mut self, mode: &str) {
        use std::io::Write;
        let orders = self.orders.as_mut().expect("it runs");
        writeln!(orders, "{mode}").and_then(|()| orders.flush()).expect("an order");
        self.ready();
    }

    fn postmaster(&self) -> String {
        let file = std::fs::read_to_string(self.files.join("postmaster.pid")).expect("it runs");
        file.lines().next().expect("a process").to_owned()
    }

    /// All its processes just now, the first of them before those that it has made.
    ///
    /// # Panics
    /// If it does not run, or this is no Linux.
    pub fn processes(&self) -> Vec<String> {
        let postmaster = self.postmaster();
        let children = children(&postmaster).into_iter().map(|(process, _)| process);
        std::iter::once(postmaster.clone()).chain(children).collect()
    }

    /// Kills its [processes](Self::processes), as when its machine loses power, and waits until they are gone.
    ///
    /// # Panics
    /// If they do not go.
    pub fn kill(processes: &[String]) {
        // One that has gone by itself is as good.
        drop(Command::new("kill").arg("-9").args(processes).stderr(Stdio::null()).status());
        let (began, gone) = (Instant::now(), |process: &String| {
            stat(process).is_none_or(|stat| stat.first().is_some_and(|state| state == "Z"))
        });
        while !processes.iter().all(gone) {
            assert!(began.elapsed() < PATIENCE, "PostgreSQL's processes do not go");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again after it was [killed](Self::kill).
    ///
    /// # Panics
    /// If it does not come back.
    pub fn run(&mut self) {
        self.restart("start");
    }

    fn ready(&mut self) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        if line.trim() != "ready" {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            panic!("PostgreSQL does not run:\n{log}");
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.orders = None;
        if let Err(error) = self.keeper.wait() {
            tracing::warn!(%error, "PostgreSQL's keeper was not waited for");
        }
    }
}

/// What Linux says of a process, from its state on; nothing if it is gone.
fn stat(process: &str) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    Some(text.rsplit(") ").next()?.split_whitespace().map(str::to_owned).collect())
}

/// The children of a process, with what is said of them.
fn children(of: &str) -> Vec<(String, Vec<String>)> {
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let named = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let all = named.filter_map(|process| stat(&process).map(|stat| (process, stat)));
    all.filter(|(_, stat)| stat.get(1).is_some_and(|parent| parent == of)).collect()
}

/// The server that all tests of this process share.
pub fn shared() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(PostgresServer::start)
}

/// A connection: a server whose disk is busy may take a while to answer.
async fn connect(url: &str) -> PgConnection {
    let began = Instant::now();
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(error) if began.elapsed() > PATIENCE => panic!("no connection to {url}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Makes a database on a server; its address.
///
/// # Panics
/// If it cannot be made.
pub async fn new_database(server: &PostgresServer) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut connection = connect(&server.url("postgres")).await;
    connection.execute(format!("CREATE DATABASE {name}").as_str()).await.expect("a database");
    connection.close().await.expect("a farewell");
    server.url(&name)
}

/// Makes a copy of a database that nobody uses, as it is now; the copy's address.
///
/// # Panics
/// If somebody uses it.
pub async fn copy_database(server: &PostgresServer, url: &str) -> String {
    let copy = new_database(server).await;
    let name = |url: &str| {
        let (address, _) = url.split_once('?').expect("where its socket is");
        address.rsplit_once('/').expect("a database").1.to_owned()
    };
    let (from, to) = (name(url), name(&copy));
    let mut connection = connect(&server.url("postgres")).await;
    connection.execute(format!("DROP DATABASE {to}").as_str()).await.expect("an empty one");
    let copied = connection.execute(format!("CREATE DATABASE {to} TEMPLATE {from}").as_str()).await;
    copied.expect("a copy");
    connection.close().await.expect("a farewell");
    copy
}

/// All that is in the tables of a database, as bytes.
///
/// # Panics
/// If it cannot be read.
pub async fn all_tables(url: &str) -> Vec<u8> {
    let mut connection = connect(url).await;
    let statement = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'cxengage'";
    let tables: Vec<String> = sqlx::query_scalar(statement).fetch_all(&mut connection).await.expect("tables");
    let mut all = Vec::new();
    for table in tables {
        let sql = format!("COPY cxengage.{table} TO STDOUT (FORMAT binary)");
        let rows: Vec<_> =
            connection.copy_out_raw(&sql).await.expect("rows").try_collect().await.expect("all of them");
        all.extend(rows.concat());
    }
    all
}

/// Which server holds a term in a database just now; none while nobody can be asked.
pub async fn holder(url: &str, term: &str) -> Option<String> {
    let mut connection = PgConnection::connect(url).await.ok()?;
    let statement = "SELECT holder FROM cxengage.terms WHERE name = $1 AND holder <> ''";
    let holder = sqlx::query_scalar(statement).bind(term).fetch_optional(&mut connection).await.ok()?;
    connection.close().await.ok()?;
    holder
}

/// The terms that a server holds in a database just now, in order; none while nobody can be asked.
pub async fn held_by(url: &str, server: &str) -> Vec<String> {
    let Ok(mut connection) = PgConnection::connect(url).await else { return Vec::new() };
    let statement = "SELECT name FROM cxengage.terms WHERE holder = $1 ORDER BY name";
    let held = sqlx::query_scalar(statement).bind(server).fetch_all(&mut connection).await;
    drop(connection.close().await);
    held.unwrap_or_default()
}

/// What `pg_dump` says of the record in a database, as statements.
///
/// # Panics
/// If it cannot say.
pub fn dumped(url: &str) -> String {
    let mut dump = Command::new(programs().join("pg_dump"));
    dump.args(["--schema=cxengage", "--inserts", "--no-owner", "--no-privileges", url]);
    let output = dump.output().expect("pg_dump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // What is meant for psql alone is left out.
    text.lines().filter(|line| !line.starts_with('\\')).map(|line| format!("{line}\n")).collect()
}

/// Makes a record of what was [`dumped`], in a database that has none.
///
/// # Panics
/// If that is not how it was.
pub async fn restore(url: &str, dump: &str) {
    let mut connection = connect(url).await;
    connection.execute(dump).await.expect("a record");
    connection.close().await.expect("a farewell");
}

/// The rows of the record in a database as COPY writes them, in pieces of so many.
///
/// # Panics
/// If they cannot be read.
pub async fn copy_out(url: &str, piece: usize) -> Vec<Vec<u8>> {
    let mut connection = connect(url).await;
    let sql = "COPY (SELECT * FROM cxengage.events ORDER BY position) TO STDOUT";
    // A row comes as a message of its own.
    let rows: Vec<_> =
        connection.copy_out_raw(sql).await.expect("rows").try_collect().await.expect("all of them");
    rows.chunks(piece).map(<[_]>::concat).collect()
}

/// Copies such pieces into the tables of a new record, a statement and a commit for each.
///
/// # Panics
/// If they do not fit.
pub async fn copy_in(connection: &mut PgConnection, pieces: &[Vec<u8>]) {
    for piece in pieces {
        let mut copy = connection.copy_in_raw("COPY cxengage.events FROM STDIN").await.expect("a copy");
        copy.send(piece.as_slice()).await.expect("rows");
        copy.finish().await.expect("a commit");
    }
}

/// A connection to a new database with the tables of a record.
///
/// # Panics
/// If there is no PostgreSQL.
pub async fn new_tables(server: &PostgresServer) -> PgConnection {
    let url = new_database(server).await;
    drop(PostgresRecord::open(Options::new(&url).expect("an address")).await.expect("a record"));
    connect(&url).await
}

/// A record in a database of its own.
pub struct TempDatabase {
    /// The record.
    pub record: Arc<PostgresRecord>,
    /// The record's clock; it shows 2024-01-01 at first.
    pub clock: Arc<ManualClock>,
    /// The database's address.
    pub url: String,
}

impl TempDatabase {
    /// An empty record.
    ///
    /// # Panics
    /// If there is no PostgreSQL.
    pub async fn new() -> Self {
        let url = new_database(shared()).await;
        let clock = ManualClock::at(Stamp(1_704_067_200_000));
        let record = open(&url, &clock).await;
        Self { record, clock, url }
    }
}

impl contract::Home for TempDatabase {
    fn record(&self) -> Arc<dyn Record> {
        self.record.clone()
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn reopen(self) -> Self {
        let Self { record, clock, url } = self;
        drop(record);
        let opened = async { open(&url, &clock).await };
        let record = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(opened));
        Self { record, clock, url }
    }
}

async fn open(url: &str, clock: &Arc<ManualClock>) -> Arc<PostgresRecord> {
    let mut options = Options::new(url).expect("an address");
    options.clock = Some(Arc::clone(clock) as _);
    PostgresRecord::open(options).await.expect("a record in the test's database")
}

/// The folder of PostgreSQL's programs.
fn programs() -> PathBuf {
    let given = std::env::var_os(PROGRAMS).map(PathBuf::from);
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/postgresql/usr/lib/postgresql");
    let installed = [Path::new(tools), Path::new("/usr/lib/postgresql")].into_iter().flat_map(versions);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = given.into_iter().chain(installed).chain(std::env::split_paths(&path));
    let complete =
        |folder: &PathBuf| ["initdb", "postgres", "pg_ctl"].iter().all(|p| folder.join(p).exists());
    found.into_iter().find(complete).unwrap_or_else(|| {
        panic!("PostgreSQL's programs are not found: say where with {PROGRAMS}, or run tests/run")
    })
}

/// The program folders of the versions installed there, the newest first.
fn versions(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin")))
        })
        .collect();
    found.sort();
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// User and group to run as where this process is root's: `postgres`, if it is known, or `nobody`.
fn not_root() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata("/proc/self").expect("this process");
    if own.uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the users");
    let number = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    };
    number("postgres").or_else(|| number("nobody"))
}
