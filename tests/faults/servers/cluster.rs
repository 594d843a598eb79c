//! Several servers on one database, with NATS if wanted, under load; and what the client knows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eventlog::testing::NatsServer;
use eventlog::testing::postgres::{self, PostgresServer};
use serde_json::json;
use system_tests::harness::{Home, Server, Tenant, wait_for};
use system_tests::property::Dice;
use system_tests::stand_in::{Reply, StandIn};

use super::publisher;
use crate::audit::{self, Faults};
use crate::book::Book;
use crate::load::{self, CHANGING, STEADY};
use crate::tell;

/// What the servers are.
pub struct Shape {
    /// The roles of each.
    pub roles: &'static [&'static str],
    /// How many NATS servers there are.
    pub nats: usize,
    /// The faults that are on order at each.
    pub orders: &'static str,
}

/// What one server does at a time, of what the load needs: each share of matching, and reactions.
pub const TERMS: [&str; 9] = [
    "engine:0", "engine:1", "engine:2", "engine:3", "engine:4", "engine:5", "engine:6", "engine:7",
    "notifier",
];

/// A share of matching.
pub const ENGINE: &str = TERMS[0];

/// How long it may take until something is accepted again.
const ACCEPTED_AGAIN: Duration = Duration::from_secs(10);

/// Servers, their load, and what the client knows.
pub struct Cluster {
    // Dropped before what they run on.
    pub servers: Vec<Server>,
    pub nats: Vec<NatsServer>,
    pub postgres: PostgresServer,
    shape: Shape,
    /// Where each of them answers since its last start.
    bases: Arc<Mutex<Vec<String>>>,
    /// By how many milliseconds the clock is off that each stamps by, from its next start on.
    pub clocks: Vec<i64>,
    url: String,
    acme: Tenant,
    hook: StandIn,
    book: Arc<Book>,
    patterns: BTreeMap<&'static str, String>,
    changing: String,
    pub dice: Dice,
    seed: u64,
    began: Instant,
    done: Vec<String>,
    slowest: BTreeMap<&'static str, Duration>,
    pub faults: Faults,
}

impl Cluster {
    /// Starts all of it, with the patterns of the load.
    pub fn start(seed: u64, shape: Shape) -> Self {
        let postgres = PostgresServer::start();
        let nats = match shape.nats {
            0 => Vec::new(),
            1 => vec![NatsServer::start()],
            size => NatsServer::cluster(size),
        };
        let home = Home::database_on(&postgres);
        let servers: Vec<_> = shape.roles.iter().map(|_| Server::at_with_faults(home.clone())).collect();
        let mut cluster = Self {
            acme: Tenant { id: String::new(), client: system_tests::harness::Client::new("") },
            url: home.url().to_owned(),
            bases: Arc::new(Mutex::new(vec![String::new(); servers.len()])),
            clocks: vec![0; servers.len()],
            servers,
            nats,
            postgres,
            shape,
            hook: StandIn::new([], Reply::Json(204, String::new())),
            book: Arc::default(),
            patterns: BTreeMap::new(),
            changing: String::new(),
            dice: Dice::new(seed),
            seed,
            began: Instant::now(),
            done: Vec::new(),
            slowest: BTreeMap::new(),
            faults: Vec::new(),
        };
        for n in 0..cluster.servers.len() {
            cluster.run(n);
        }
        cluster.patterns();
        cluster
    }

    fn patterns(&mut self) {
        self.acme = self.servers[0].tenant("acme");
        let acme = &self.acme;
        acme.post("integrations/webhook", &json!({"url": self.hook.url()})).expect(200);
        self.patterns = STEADY.iter().map(|(name, when, then)| (*name, acme.pattern(when, then))).collect();
        self.changing = acme.pattern(CHANGING[1], "(send echo message {})");
        for term in TERMS {
            self.wait_holder(term, |_| true);
        }
    }

    /// Starts a server (again).
    pub fn run(&mut self, n: usize) {
        let orders = format!("{},clock:{}", self.shape.orders, self.clocks[n]);
        let urls: Vec<_> = self.nats.iter().map(NatsServer::url).collect();
        let (urls, replicas) = (urls.join(","), self.nats.len().to_string());
        let mut arguments = vec!["--allow-private-addresses", "--role", self.shape.roles[n]];
        if !self.nats.is_empty() {
            arguments.extend(["--nats", &urls, "--nats-replicas", &replicas]);
        }
        self.servers[n].try_run(&arguments, &orders).unwrap_or_else(|said| panic!("not ready: {said}"));
        let base = self.servers[n].base().to_owned();
        self.bases.lock().expect("whole")[n] = base;
    }

    /// The servers that answer.
    pub fn apis(&self) -> Vec<usize> {
        let is_api = |n: &usize| ["all", "api"].contains(&self.shape.roles[*n]);
        (0..self.servers.len()).filter(is_api).collect()
    }

    /// Which server holds a term.
    fn holder(&self, term: &str) -> Option<usize> {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let holder = runtime.block_on(postgres::holder(&self.url, term))?;
        self.servers.iter().position(|server| server.identity() == holder)
    }

    /// Waits until a server of which `is` holds has the term.
    pub fn wait_holder(&self, term: &str, is: impl Fn(usize) -> bool) -> usize {
        wait_for(&format!("a server to take {term}"), || self.holder(term).filter(|n| is(*n)))
    }

    /// Waits until another server has all that one had; notes how long that took.
    pub fn taken_over(&mut self, from: usize, terms: &[&str]) {
        let began = Instant::now();
        for term in terms {
            self.wait_holder(term, |n| n != from);
        }
        self.took("takeover", began.elapsed(), Duration::from_secs(10));
    }

    /// The terms that a server holds.
    pub fn terms_of(&self, n: usize) -> Vec<&'static str> {
        TERMS.into_iter().filter(|term| self.holder(term) == Some(n)).collect()
    }

    /// Notes how long something took; more than `at_most` is a fault.
    pub fn took(&mut self, what: &'static str, took: Duration, at_most: Duration) {
        let slowest = self.slowest.entry(what).or_default();
        *slowest = took.max(*slowest);
        if took > at_most {
            self.faults.push(format!("{what}: {took:?}"));
        }
    }

    /// Something is done to the servers under load at all that answer; then they are audited.
    pub fn round(&mut self, what: &str, hurt: impl FnOnce(&mut Self)) {
        self.done.push(what.to_owned());
        let stop = Arc::new(AtomicBool::new(false));
        let clients = self.load(&stop);
        let answers = self.dice.between(20, 120) as u64;
        self.answers(answers);
        hurt(self);
        let began = Instant::now();
        self.answers(5);
        self.took("accepted again", began.elapsed(), ACCEPTED_AGAIN);
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().expect("the load ends");
        }
        let found = audit::events(&self.servers[self.apis()[0]], &self.book);
        self.faults.extend(found.into_iter().map(|fault| format!("after {what}: {fault}")));
    }

    fn load(&self, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
        let seed = self.seed ^ ((self.done.len() as u64) << 32);
        let mut clients = Vec::new();
        for n in self.apis() {
            let (acme, book, changing) = (self.acme.clone(), self.book.clone(), self.changing.clone());
            let (bases, stop, seed) = (self.bases.clone(), stop.clone(), seed ^ ((n as u64) << 16));
            clients.push(std::thread::spawn(move || {
                // A server that comes back is loaded again.
                while !stop.load(Ordering::Relaxed) {
                    let client = acme.client.at(&bases.lock().expect("whole")[n]);
                    load::run(&Tenant { client, ..acme.clone() }, &book, &changing, seed, &stop);
                    std::thread::sleep(Duration::from_millis(20));
                }
            }));
        }
        if !self.nats.is_empty() {
            let (book, stop) = (self.book.clone(), stop.clone());
            let urls = self.nats.iter().map(NatsServer::url).collect();
            clients.push(std::thread::spawn(move || publisher::run(urls, &book, seed, &stop)));
        }
        clients
    }

    /// Waits for so many answers more.
    pub fn answers(&mut self, count: u64) {
        let (before, began) = (self.book.counts().0, Instant::now());
        while self.book.counts().0 < before + count && began.elapsed() < 3 * ACCEPTED_AGAIN {
            std::thread::sleep(Duration::from_millis(2));
        }
        if self.book.counts().0 < before + count {
            self.faults.push(format!("nothing is accepted any more: {:?}", self.done.last()));
        }
    }

    /// The header by which the tenant's client is known.
    pub fn authorization(&self) -> (String, String) {
        self.acme.client.authorization()
    }

    /// Where the tenant's events are sent.
    pub fn event_path(&self) -> String {
        self.acme.path("event")
    }

    /// How many answers there are.
    pub fn answered(&self) -> u64 {
        self.book.counts().0
    }

    /// The audit at rest.
    pub fn audit(&mut self) {
        let engine = self.servers[self.wait_holder(ENGINE, |_| true)].anonymous();
        let server = &self.servers[self.apis()[0]];
        let acme = self.acme.on(server);
        self.faults.extend(audit::all((server, &engine), &acme, &self.patterns, &self.hook));
    }

    /// All went well, and what was done.
    ///
    /// # Panics
    /// If something did not.
    #[track_caller]
    pub fn assert_sound(&mut self) {
        self.audit();
        tell(&self.to_string());
        assert_eq!(self.faults, Vec::<String>::new(), "{self}");
    }

    /// Whether something was found wrong that says this.
    pub fn has_seen(&self, telling: &str) -> bool {
        self.faults.iter().any(|fault| fault.contains(telling))
    }

    /// A promise is broken: the audit has to say so.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn assert_seen(&mut self, name: &str, telling: &str) {
        if self.faults.is_empty() {
            self.audit();
        }
        tell(&format!("{name}: {self}: {}", self.faults.first().map_or("", String::as_str)));
        let seen = self.has_seen(telling);
        assert!(seen, "{name} was broken and not seen ({telling}): {self}: {:#?}", self.faults);
    }

    /// How long it has run.
    pub fn runs(&self) -> Duration {
        self.began.elapsed()
    }

    /// Rounds so far.
    pub fn rounds(&self) -> u64 {
        self.done.len() as u64
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answers, repeats) = self.book.counts();
        let mut done: BTreeMap<&str, usize> = BTreeMap::new();
        self.done.iter().for_each(|what| *done.entry(what).or_default() += 1);
        write!(
            f,
            "seed {}, servers {:?}, {} of NATS: {} rounds in {:.0?} {done:?}, {} events sent, {answers} answered \
             ({repeats} of them again), {} webhooks received, slowest {:.1?}, {} faults found",
            self.seed,
            self.shape.roles,
            self.nats.len(),
            self.done.len(),
            self.began.elapsed(),
            self.book.sent().len(),
            self.hook.asked().len(),
            self.slowest,
            self.faults.len()
        )
    }
}
