//! Two servers on one database under load: the one at work is killed, or stands still for longer than its lease and
//! wakes up. What was accepted is there, every match is made once, no send is lost, and one that went out twice says so.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use system_tests::harness::{Home, Server, Tenant, wait_for};
use system_tests::property::Dice;
use system_tests::stand_in::{Reply, StandIn};

use crate::audit::{self, Faults};
use crate::book::Book;
use crate::load::{self, CHANGING, STEADY};
use crate::{seed, set, tell};

const ARGUMENTS: [&str; 1] = ["--allow-private-addresses"];

/// How long the rounds go on, where not told otherwise.
const CAMPAIGN: Duration = Duration::from_secs(60);

/// How long a takeover may take.
const TAKEOVER: Duration = Duration::from_secs(10);

/// Two servers, their load, and what the client knows.
struct Pair {
    servers: [Server; 2],
    /// Which of them has matched last, as far as is known.
    at_work: usize,
    orders: String,
    acme: Tenant,
    hook: StandIn,
    book: Book,
    patterns: BTreeMap<&'static str, String>,
    changing: String,
    dice: Dice,
    seed: u64,
    rounds: u64,
    slowest: Duration,
    faults: Faults,
}

impl Pair {
    fn start(seed: u64, orders: &str) -> Self {
        let home = Home::database();
        let mut servers = [Server::at_with_faults(home.clone()), Server::at_with_faults(home)];
        let run = |server: &mut Server| {
            server.try_run(&ARGUMENTS, orders).unwrap_or_else(|said| panic!("not ready: {said}"));
        };
        run(&mut servers[0]);
        wait_for("the first to be at work", || (turns(&servers[0]) > 0).then_some(()));
        run(&mut servers[1]);
        let acme = servers[0].tenant("acme");
        let hook = StandIn::new([], Reply::Json(204, String::new()));
        acme.post("integrations/webhook", &json!({"url": hook.url()})).expect(200);
        let patterns = STEADY.iter().map(|(name, when, then)| (*name, acme.pattern(when, then))).collect();
        let changing = acme.pattern(CHANGING[1], "(send echo message {})");
        Self {
            servers,
            at_work: 0,
            orders: orders.to_owned(),
            acme,
            hook,
            book: Book::default(),
            patterns,
            changing,
            dice: Dice::new(seed),
            seed,
            rounds: 0,
            slowest: Duration::ZERO,
            faults: Vec::new(),
        }
    }

    /// Load at both servers until `answers` have come, then `end`, which goes on under load; then no more load.
    fn under_load(&mut self, answers: u64, end: impl FnOnce(&mut [Server; 2], usize) -> Option<Duration>) {
        self.rounds += 1;
        let (stop, before) = (AtomicBool::new(false), self.book.counts().0);
        let at: Vec<Tenant> = self.servers.iter().map(|server| self.acme.on(server)).collect();
        let seed = self.seed ^ (self.rounds << 32);
        let (book, changing, servers) = (&self.book, &self.changing, &mut self.servers);
        let (stop, at_work) = (&stop, self.at_work);
        let took = std::thread::scope(|scope| {
            for (n, tenant) in at.iter().enumerate() {
                scope.spawn(move || load::run(tenant, book, changing, seed ^ (n as u64) << 16, stop));
            }
            let began = Instant::now();
            while book.counts().0 < before + answers && began.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(2));
            }
            let took = end(servers, at_work);
            stop.store(true, Ordering::Relaxed);
            took
        });
        if let Some(took) = took {
            self.slowest = self.slowest.max(took);
            self.at_work = 1 - self.at_work;
            if took > TAKEOVER {
                self.faults.push(format!("a takeover took {took:?}"));
            }
        }
        self.faults.extend(audit::events(&self.servers[self.at_work], &self.book));
    }

    /// kill -9 of the one at work; the other takes over, and the killed one comes back.
    fn kill(&mut self) {
        let answers = self.dice.between(20, 120) as u64;
        self.under_load(answers, |servers, at_work| {
            let before = turns(&servers[1 - at_work]);
            servers[at_work].kill();
            Some(taken_over(&servers[1 - at_work], before))
        });
        let orders = self.orders.clone();
        let killed = &mut self.servers[1 - self.at_work];
        killed.try_run(&ARGUMENTS, &orders).unwrap_or_else(|said| panic!("not ready: {said}"));
    }

    /// The one at work stands still until the other has taken over, and a while longer; then it wakes up.
    fn pause(&mut self) {
        let answers = self.dice.between(20, 120) as u64;
        let longer = Duration::from_millis(self.dice.between(0, 1_000) as u64);
        self.under_load(answers, |servers, at_work| {
            let before = turns(&servers[1 - at_work]);
            servers[at_work].pause();
            let took = taken_over(&servers[1 - at_work], before);
            std::thread::sleep(longer);
            servers[at_work].wake();
            std::thread::sleep(Duration::from_secs(1));
            Some(took)
        });
    }

    fn audit(&mut self) {
        let server = &mut self.servers[self.at_work];
        let acme = self.acme.on(server);
        self.faults.extend(audit::all(server, &acme, &self.patterns, &self.hook));
    }

    fn told(&self, began: Instant) -> String {
        let (answers, repeats) = self.book.counts();
        format!(
            "two servers, seed {}: {} rounds in {:.0?}, {} events sent, {answers} answered ({repeats} of them again), \
             {} webhooks received, slowest takeover {:.1?}, {} faults found",
            self.seed,
            self.rounds,
            began.elapsed(),
            self.book.sent().len(),
            self.hook.asked().len(),
            self.slowest,
            self.faults.len()
        )
    }
}

/// How often a server has begun to match.
fn turns(server: &Server) -> usize {
    server.said().matches("this server is the one for matching").count()
}

fn taken_over(server: &Server, before: usize) -> Duration {
    let began = Instant::now();
    wait_for("a takeover", || (turns(server) > before).then_some(()));
    began.elapsed()
}

#[test]
fn two_servers_lose_and_double_nothing_when_the_one_at_work_is_killed_or_stands_still() {
    let began = Instant::now();
    let rounds = set("CXENGAGE_KILLS");
    let mut pair = Pair::start(seed(), "break:checkpoints-often");
    while pair.faults.is_empty() && rounds.map_or(began.elapsed() < CAMPAIGN, |rounds| pair.rounds < rounds) {
        if pair.rounds.is_multiple_of(2) { pair.pause() } else { pair.kill() }
    }
    pair.audit();
    tell(&pair.told(began));
    assert_eq!(pair.faults, Vec::<String>::new());
}

#[test]
fn an_engine_that_stands_by_and_runs_ahead_is_seen() {
    let began = Instant::now();
    // Matches come late into the record, so that some are missing at the kill.
    let mut pair = Pair::start(seed(), "break:stand-by-ahead,match.append.before=delay:300");
    for _ in 0..3 {
        pair.kill();
    }
    pair.audit();
    tell(&format!("stand-by-ahead: {}: {:?}", pair.told(began), pair.faults.first()));
    let seen = pair.faults.iter().any(|fault| fault.contains("lost [\""));
    assert!(seen, "stand-by-ahead was broken and not seen: {:#?}", pair.faults);
}

/// A notifier stands still while its reactions wait, and wakes up when the one that took over has their sends under
/// way: how many requests came for each of so many sends.
fn requests_after_a_pause(orders: &str, sends: usize) -> BTreeMap<String, usize> {
    let home = Home::database();
    let mut servers = [Server::at_with_faults(home.clone()), Server::at_with_faults(home)];
    for n in 0..servers.len() {
        let server = &mut servers[n];
        server.try_run(&ARGUMENTS, orders).unwrap_or_else(|said| panic!("not ready: {said}"));
        let said = || servers[0].said().contains("this server is the one for reactions");
        wait_for("the first to be at work", || said().then_some(()));
    }
    let acme = servers[0].tenant("acme");
    let slow = Reply::Late(Duration::from_secs(5), Box::new(Reply::Json(204, String::new())));
    let hook = StandIn::new([], slow);
    acme.post("integrations/webhook", &json!({"url": hook.url()})).expect(200);
    let then = r#"(seq (delay 9 seconds) (send webhook post {:body {:key *id*}}))"#;
    acme.pattern(r#"(event (= type "A"))"#, then);
    for n in 0..sends {
        acme.event(json!({"id": format!("c{n}"), "type": "A"}));
    }
    let there = acme.on(&servers[1]);
    servers[0].pause();
    wait_for("the sends to begin", || (hook.asked().len() >= sends).then_some(()));
    servers[0].wake();
    for n in 0..sends {
        there.wait_reactions(&format!("c{n}"), 1);
    }
    let mut requests = BTreeMap::new();
    for asked in hook.asked() {
        *requests.entry(asked.header("webhook-id").to_owned()).or_default() += 1;
    }
    requests
}

#[test]
fn a_fence_that_is_not_looked_at_is_seen() {
    const SENDS: usize = 10;
    let twice = |requests: &BTreeMap<String, usize>| requests.values().filter(|times| **times > 1).count();
    let sound = requests_after_a_pause("", SENDS);
    assert_eq!((sound.len(), twice(&sound)), (SENDS, 0), "{sound:?}");
    let broken = requests_after_a_pause("break:no-fence", SENDS);
    tell(&format!("no-fence: {} of {} sends went out twice", twice(&broken), broken.len()));
    assert!(twice(&broken) > 0, "no-fence was broken and not seen: {broken:?}");
}
