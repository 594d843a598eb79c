//! What is done to the servers, each under load.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::cluster::Cluster;

/// How long a server of NATS is away, or stands still: longer than the server's pings wait.
const AWAY: Duration = Duration::from_secs(3);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub enum Hurt {
    /// kill -9 of the server that holds a term; another takes over, and the killed one comes back.
    Kill(&'static str),
    /// The server that holds a term stands still until another has taken over and a while longer, and wakes up.
    Pause(&'static str),
    /// SIGTERM of the server that holds a term; another takes over, and the first comes back.
    Stop(&'static str),
    /// kill -9 of one that answers, which comes back.
    KillApi,
    /// kill -9 of all, one after the other; each comes back at once.
    StartAgain,
    /// SIGTERM of all, one after the other, each with connections that are idle and some that are stuck; each comes back.
    Roll,
    /// One that answers stands still, in the middle of what it was about to append; the others go on.
    PauseApi,
    /// PostgreSQL is started again: `fast`, or `immediate` as after a crash.
    Database(&'static str),
    /// A server of NATS is killed and comes back.
    KillNats,
    /// One stands still for a while.
    PauseNats,
    /// One is killed, loses all its data, and comes back.
    WipeNats,
}

impl Hurt {
    /// Does it.
    pub fn act(self, cluster: &mut Cluster) {
        match self {
            Self::Kill(term) => lose(cluster, term, |cluster, n| cluster.servers[n].kill()),
            Self::Stop(term) => lose(cluster, term, stop),
            Self::Pause(term) => pause(cluster, term),
            Self::KillApi => kill_api(cluster),
            Self::StartAgain => (0..cluster.servers.len()).for_each(|n| {
                cluster.servers[n].kill();
                cluster.run(n);
            }),
            Self::Roll => (0..cluster.servers.len()).for_each(|n| roll(cluster, n)),
            Self::PauseApi => pause_api(cluster),
            Self::Database(mode) => cluster.postgres.restart(mode),
            Self::KillNats => nats(cluster, |cluster, n| {
                cluster.nats[n].kill();
                std::thread::sleep(AWAY);
                cluster.nats[n].run();
            }),
            Self::PauseNats => nats(cluster, |cluster, n| {
                cluster.nats[n].pause();
                std::thread::sleep(AWAY);
                cluster.nats[n].wake();
            }),
            Self::WipeNats => nats(cluster, |cluster, n| {
                cluster.nats[n].kill();
                cluster.nats[n].wipe();
                std::thread::sleep(AWAY);
                cluster.nats[n].run();
            }),
        }
    }
}

/// How long a server that is told to stop may take.
const STOPPED: Duration = Duration::from_secs(30);

/// Of each kind of connection that is held beside the load's.
const HELD: usize = 10;

fn stop(cluster: &mut Cluster, n: usize) {
    let ended = cluster.servers[n].terminate();
    if !ended.success() {
        cluster.faults.push(format!("a server that was told to stop ended with {ended}"));
    }
}

fn roll(cluster: &mut Cluster, n: usize) {
    let held = held(cluster, n);
    let began = Instant::now();
    stop(cluster, n);
    cluster.took("told to stop", began.elapsed(), STOPPED);
    drop(held);
    cluster.run(n);
}

/// Connections to a server: idle ones that have asked nothing, and that have been answered; and stuck ones in the middle
/// of a head, and of a body.
fn held(cluster: &Cluster, n: usize) -> Vec<TcpStream> {
    let address = cluster.servers[n].base().trim_start_matches("http://").to_owned();
    let (name, token) = cluster.authorization();
    let path = cluster.event_path();
    let asked = [
        String::new(),
        "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        format!("POST {path} HTTP/1.1\r\nhost: x\r\n"),
        format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\n{name}: {token}\r\ncontent-type: application/json\r\n\
             content-length: 1000\r\n\r\n{{\"id\":"
        ),
    ];
    let connect = |asked: &String| {
        let mut stream = TcpStream::connect(&address).expect("the server listens");
        stream.write_all(asked.as_bytes()).expect("the server reads");
        if asked.starts_with("GET") {
            let read = stream.read(&mut [0; 1_000]).expect("an answer");
            assert!(read > 0, "no answer");
        }
        stream
    };
    asked.iter().flat_map(|asked| (0..HELD).map(move |_| connect(asked))).collect()
}

fn lose(cluster: &mut Cluster, term: &str, end: impl FnOnce(&mut Cluster, usize)) {
    let n = cluster.wait_holder(term, |_| true);
    let terms = cluster.terms_of(n);
    end(cluster, n);
    cluster.taken_over(n, &terms);
    cluster.servers[n].kill();
    cluster.run(n);
}

fn pause(cluster: &mut Cluster, term: &str) {
    let n = cluster.wait_holder(term, |_| true);
    let terms = cluster.terms_of(n);
    let longer = Duration::from_millis(cluster.dice.between(0, 1_000) as u64);
    cluster.servers[n].pause();
    cluster.taken_over(n, &terms);
    std::thread::sleep(longer);
    cluster.servers[n].wake();
    // What it had under way comes out now.
    std::thread::sleep(Duration::from_secs(1));
}

/// One of those that answer.
fn an_api(cluster: &mut Cluster) -> usize {
    let apis = cluster.apis();
    *cluster.dice.one_of(&apis)
}

fn kill_api(cluster: &mut Cluster) {
    let n = an_api(cluster);
    cluster.servers[n].kill();
    std::thread::sleep(Duration::from_millis(200));
    cluster.run(n);
}

fn pause_api(cluster: &mut Cluster) {
    let n = an_api(cluster);
    cluster.servers[n].pause();
    // Whatever it held: the others are not held up by it.
    let before = cluster.answered();
    std::thread::sleep(AWAY);
    if cluster.answered() < before + 20 {
        let since = cluster.answered() - before;
        cluster.faults.push(format!("{since} answers in {AWAY:?} beside a server that stands still"));
    }
    cluster.servers[n].wake();
}

fn nats(cluster: &mut Cluster, end: impl FnOnce(&mut Cluster, usize)) {
    let n = cluster.dice.between(0, cluster.nats.len() - 1);
    end(cluster, n);
    // What comes now goes through it again.
    std::thread::sleep(AWAY);
}
