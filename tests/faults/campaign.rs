//! A campaign: rounds of load, each cut off by a crash, each followed by a restart and an audit.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eventlog::testing::postgres::PostgresServer;
use serde_json::json;
use system_tests::harness::{Server, Tenant};
use system_tests::property::Dice;
use system_tests::stand_in::{Reply, StandIn};

use crate::audit::{self, Faults};
use crate::book::Book;
use crate::disk::Disk;
use crate::load::{self, CHANGING, STEADY};

/// Reactions that only wait are read back, so that crashes meet that too.
const ARGUMENTS: [&str; 3] = ["--allow-private-addresses", "--reactions-in-memory", "2"];
/// Checkpoints at short intervals, so that crashes meet them.
const OFTEN: &str = "break:checkpoints-often";
/// How long a round waits for the crash that is on order, before it kills.
const ROUND: Duration = Duration::from_secs(4);

/// A server, its load, and what the client knows.
pub struct Campaign {
    server: Server,
    acme: Tenant,
    hook: StandIn,
    book: Book,
    patterns: BTreeMap<&'static str, String>,
    changing: String,
    dice: Dice,
    began: Instant,
    seed: u64,
    tally: Tally,
    /// By how many milliseconds the server's clock is off, from its next start on.
    pub clock: i64,
    /// What the audits found.
    pub faults: Faults,
}

/// What was done.
#[derive(Clone, Debug, Default)]
struct Tally {
    rounds: u64,
    kills: u64,
    cuts: u64,
    crashes: BTreeMap<String, u64>,
    slowest_start: Duration,
}

impl Campaign {
    /// A fresh server with the patterns of the load.
    pub fn start(seed: u64) -> Self {
        Self::start_on(seed, None)
    }

    /// The same on a data folder that is given.
    pub fn start_on(seed: u64, data: Option<PathBuf>) -> Self {
        Self::start_with(seed, Server::with_faults(data))
    }

    /// The same with a server that does not run yet.
    pub fn start_with(seed: u64, mut server: Server) -> Self {
        server.run(&ARGUMENTS);
        let acme = server.tenant("acme");
        let hook = StandIn::new([], Reply::Json(204, String::new()));
        acme.post("integrations/webhook", &json!({"url": hook.url()})).expect(200);
        let patterns = STEADY.iter().map(|(name, when, then)| (*name, acme.pattern(when, then))).collect();
        let changing = acme.pattern(CHANGING[1], "(send echo message {})");
        Self {
            server,
            acme,
            hook,
            book: Book::default(),
            patterns,
            changing,
            dice: Dice::new(seed),
            began: Instant::now(),
            seed,
            tally: Tally::default(),
            clock: 0,
            faults: Vec::new(),
        }
    }

    /// How long it has run.
    pub fn took(&self) -> Duration {
        self.began.elapsed()
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.tally.rounds
    }

    /// The dice of its seed.
    pub fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    /// A round that ends with kill -9 after some answers.
    pub fn kill_at_random(&mut self, orders: &str) {
        let answers = self.dice.between(20, 120) as u64;
        self.round(orders, Some(answers), Server::kill);
        self.tally.kills += 1;
    }

    /// A round that ends with kill -9, after which something is done to the data folder.
    pub fn damage(&mut self, orders: &str, damage: impl FnOnce(&Path)) {
        let (answers, data) = (self.dice.between(20, 120) as u64, self.server.data_dir());
        self.round(orders, Some(answers), |server| {
            server.kill();
            damage(&data);
        });
        self.tally.kills += 1;
    }

    /// A round that ends with a power cut after some answers.
    pub fn cut_power(&mut self, disk: &Disk, orders: &str) {
        let answers = self.dice.between(20, 120) as u64;
        self.round(orders, Some(answers), |server| disk.cut(server.pid(), || server.kill()));
        self.tally.cuts += 1;
    }

    /// The same where the record is in a database on that disk, which loses its power too.
    pub fn cut_power_of(&mut self, database: &mut PostgresServer, disk: &Disk, orders: &str) {
        let answers = self.dice.between(20, 120) as u64;
        self.round(orders, Some(answers), |server| {
            let processes = database.processes();
            disk.cut(server.pid(), || {
                server.kill();
                PostgresServer::kill(&processes);
            });
            database.run();
        });
        self.tally.cuts += 1;
    }

    /// A round that ends with a crash at a point, at its n-th passage; whether it came to that.
    pub fn crash_at(&mut self, point: &str, passage: usize, orders: &str) -> bool {
        let crashed = self.round(&format!("{orders},{point}=crash@{passage}"), None, Server::kill);
        if crashed {
            *self.tally.crashes.entry(point.to_owned()).or_default() += 1;
        } else {
            self.tally.kills += 1;
        }
        crashed
    }

    /// Load until the server is gone by itself (then true), or for so many answers, or for as long as a round may
    /// take; then the server is started again, and what was answered has to be there.
    fn round(&mut self, orders: &str, answers: Option<u64>, end: impl FnOnce(&mut Server)) -> bool {
        self.server.kill();
        self.tally.rounds += 1;
        let orders = format!("{OFTEN},clock:{},{orders}", self.clock);
        let mut crashed = self.server.try_run(&ARGUMENTS, &orders).is_err();
        if !crashed {
            let acme = self.acme.on(&self.server);
            let (stop, began, before) = (AtomicBool::new(false), Instant::now(), self.book.counts().0);
            let seed = self.seed ^ (self.tally.rounds << 32);
            let (book, changing, server) = (&self.book, &self.changing, &mut self.server);
            std::thread::scope(|scope| {
                let (stop, acme) = (&stop, &acme);
                scope.spawn(move || load::run(acme, book, changing, seed, stop));
                loop {
                    std::thread::sleep(Duration::from_millis(2));
                    crashed = !server.is_alive();
                    let enough = answers.is_some_and(|answers| book.counts().0 >= before + answers);
                    if crashed || enough || began.elapsed() > ROUND {
                        break;
                    }
                }
                // First the server: what is under way has to be cut off.
                end(server);
                stop.store(true, Ordering::Relaxed);
            });
        }
        self.restart(&orders);
        self.faults.extend(audit::events(&self.server, &self.book));
        crashed
    }

    /// Starts it again: with no more crashes, but what was broken stays broken, and the clock off.
    fn restart(&mut self, orders: &str) {
        self.server.kill();
        let began = Instant::now();
        let broken: Vec<_> = orders
            .split(',')
            .filter(|order| order.contains(':'))
            .filter(|order| !order.contains('='))
            .collect();
        self.server.try_run(&ARGUMENTS, &broken.join(",")).unwrap_or_else(|said| panic!("not ready: {said}"));
        self.tally.slowest_start = self.tally.slowest_start.max(began.elapsed());
    }

    /// The audit at rest.
    pub fn audit(&mut self) {
        let acme = self.acme.on(&self.server);
        self.faults.extend(audit::all((&self.server, &acme.client), &acme, &self.patterns, &self.hook));
    }
}

impl fmt::Display for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answers, repeats) = self.book.counts();
        let (hooks, Tally { rounds, kills, cuts, crashes, slowest_start }) =
            (self.hook.asked().len(), &self.tally);
        write!(
            f,
            "seed {}: {rounds} rounds in {:.0?}, {kills} kills at random, {cuts} power cuts, {} crashes at {} points, {} events sent, \
             {answers} answered ({repeats} of them again), {hooks} webhooks received, slowest start {slowest_start:.0?}, \
             {} faults found",
            self.seed,
            self.took(),
            crashes.values().sum::<u64>(),
            crashes.len(),
            self.book.sent().len(),
            self.faults.len()
        )
    }
}
