//! What is measured: ours, and the same messages published and read without anything of ours.

use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::{self, stream};
use domain::ids::Position;
use engine::runtime::{Engine, Options};
use eventlog::checkpoint::Checkpoints;
use eventlog::crypto::Vault;
use eventlog::nats::{self, LOG, Nats, Relay};
use eventlog::record::{Feed, Select, Share, Tail};
use eventlog::testing::{MASTER, NatsServer};
use futures_util::StreamExt;
use futures_util::future::join_all;

use crate::held::Held;
use crate::measure::{Run, cpu_seconds, tokio_runtime};
use crate::open;

/// How many messages a publisher has on their way at once, as the relay.
const IN_FLIGHT: usize = 500;

/// A record that is full.
pub struct Filled {
    pub url: String,
    /// Where its events begin.
    pub begin: Position,
    pub end: Position,
}

impl Filled {
    fn count(&self) -> u64 {
        self.end.0 - self.begin.0
    }
}

/// The messages of its rows.
pub struct Messages(Vec<(String, HeaderMap, Vec<u8>)>);

impl Messages {
    /// How long one is on average.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(.., payload)| payload.len()).sum::<usize>() / self.0.len()
    }
}

/// The relay as a process of its own, which publishes when it is told to.
struct Publishing {
    process: std::process::Child,
}

impl Publishing {
    fn start(filled: &Filled, server: &NatsServer) -> Self {
        use std::io::BufRead;
        let begin = filled.begin.0.to_string();
        let mut process = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["as-relay", &filled.url, &server.url(), &begin])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { process }
    }

    fn begin(&mut self) {
        use std::io::Write;
        self.process.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// What the CPU is counted of: from the moment when all is ready.
async fn counted(count: u64, work: impl Future<Output = ()>) -> Run {
    let (begun, before) = (Instant::now(), cpu_seconds());
    work.await;
    Run { count, wall: begun.elapsed().as_secs_f64(), cpu: cpu_seconds() - before }
}

async fn stored(jetstream: &jetstream::Context) -> u64 {
    jetstream.get_stream(LOG).await.unwrap().cached_info().state.messages
}

/// The relay publishes all of it.
pub fn relay(filled: &Filled) -> Run {
    let server = NatsServer::start();
    tokio_runtime().block_on(async {
        let held = Arc::new(Held::at(open(&filled.url).await, filled.begin));
        let nats = Nats::connect(nats::Options::new(server.url()), &*held).await.unwrap();
        let jetstream = nats.jetstream.clone();
        let relay = tokio::spawn(Relay::new(nats, held.clone()).run());
        tokio::time::sleep(Duration::from_millis(300)).await;
        let run = counted(filled.count(), async {
            held.let_go();
            while stored(&jetstream).await < filled.count() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        relay.abort();
        run
    })
}

/// The messages as the relay publishes them.
pub fn messages(filled: &Filled) -> Messages {
    let server = NatsServer::start();
    tokio_runtime().block_on(async {
        let mut publishing = Publishing::start(filled, &server);
        let mut messages = bare(&server).await;
        publishing.begin();
        let mut all = Vec::new();
        while all.len() < filled.count() as usize {
            let message = messages.next().await.unwrap().unwrap();
            let headers = message.headers.clone().unwrap();
            all.push((message.subject.to_string(), headers, message.payload.to_vec()));
        }
        Messages(all)
    })
}

/// The same messages, sent by nobody of ours.
pub fn publisher(messages: &Messages) -> Run {
    let server = NatsServer::start();
    tokio_runtime().block_on(async {
        let jetstream = a_stream(&server).await;
        counted(messages.0.len() as u64, async {
            for chunk in messages.0.chunks(IN_FLIGHT) {
                let mut under_way = Vec::with_capacity(chunk.len());
                for (subject, headers, payload) in chunk {
                    let sent = jetstream.publish_with_headers(
                        subject.clone(),
                        headers.clone(),
                        payload.clone().into(),
                    );
                    under_way.push(sent.await.unwrap().into_future());
                }
                for stored in join_all(under_way).await {
                    stored.unwrap();
                }
            }
        })
        .await
    })
}

/// A stream like that of the log.
async fn a_stream(server: &NatsServer) -> jetstream::Context {
    let jetstream = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let subjects = vec!["cxengage.log.*".to_owned()];
    let config = stream::Config { name: LOG.into(), subjects, ..stream::Config::default() };
    jetstream.create_stream(config).await.unwrap();
    jetstream
}

/// What comes into the stream from now on, once the relay has made it.
async fn bare(server: &NatsServer) -> jetstream::consumer::pull::Ordered {
    let jetstream = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let stream = jetstream.get_stream(LOG).await.unwrap();
    let config = OrderedConfig { deliver_policy: DeliverPolicy::New, ..OrderedConfig::default() };
    stream.create_consumer(config).await.unwrap().messages().await.unwrap()
}

/// Counts the messages, and nothing else.
pub fn consumer(filled: &Filled) -> Run {
    let server = NatsServer::start();
    tokio_runtime().block_on(async {
        let mut publishing = Publishing::start(filled, &server);
        let mut messages = bare(&server).await;
        counted(filled.count(), async {
            publishing.begin();
            for _ in 0..filled.count() {
                messages.next().await.unwrap().unwrap();
            }
        })
        .await
    })
}

/// A tail that follows the stream, from a record that tells of nothing by itself.
async fn followed(filled: &Filled, server: &NatsServer) -> Arc<Tail> {
    let held = Arc::new(Held::at(open(&filled.url).await, filled.begin));
    let nats = Nats::connect(nats::Options::new(server.url()), &*held).await.unwrap();
    let tail = Tail::new(held);
    tokio::spawn(tail.clone().watch());
    tokio::spawn(nats::follow(tail.clone(), nats));
    // Until it is there, nothing is published.
    tokio::time::sleep(Duration::from_millis(500)).await;
    tail
}

/// Rows as they come to any reader.
pub fn tail(filled: &Filled) -> Run {
    let server = NatsServer::start();
    tokio_runtime().block_on(async {
        let mut publishing = Publishing::start(filled, &server);
        let tail = followed(filled, &server).await;
        let mut feed = Feed::new(tail.clone(), Select::All, filled.begin);
        let run = counted(filled.count(), async {
            publishing.begin();
            while feed.position() < filled.end {
                feed.next(1_000).await.unwrap();
            }
        })
        .await;
        told(&tail, filled);
        run
    })
}

/// Into how many shares a server divides the partitions (`api/src/shares`).
const SHARES: u8 = 8;

/// So many workers, each with a tail of its own and an engine for each of its shares; if `ready`, each stands by for a
/// share of another's too.
pub fn engines(filled: &Filled, workers: usize, ready: bool) -> Run {
    let server = NatsServer::start();
    tokio_runtime().block_on(async {
        let mut publishing = Publishing::start(filled, &server);
        let (mut tails, mut places) = (Vec::new(), Vec::new());
        for _ in 0..workers {
            let folder = tempfile::tempdir().unwrap();
            let tail = followed(filled, &server).await;
            let vault = Arc::new(Vault::new(tail.clone(), MASTER));
            places.push((tail.clone(), vault, Checkpoints::open_engine(folder.path()).unwrap(), folder));
            tails.push(tail);
        }
        let mut reached = Vec::new();
        for share in Share::each_of(SHARES) {
            let mut engine = |worker: usize| {
                let (tail, vault, checkpoints, _) = &places[worker % workers];
                let options = Options { share, ..Options::default() };
                let engine = Engine::new(tail.clone(), vault.clone(), checkpoints.clone(), options);
                reached.push(engine.progress());
                engine
            };
            let at_work = engine(share.number().into());
            if ready {
                let (limit, second) = (at_work.progress(), engine(usize::from(share.number()) + 1));
                tokio::spawn(async move { second.stand_by(limit, std::future::pending()).await });
            }
            tokio::spawn(at_work.run(std::future::pending()));
        }
        for reached in &mut reached {
            reached.wait_for(|position| *position >= filled.begin).await.unwrap();
        }
        let run = counted(filled.count(), async {
            publishing.begin();
            for reached in &mut reached {
                reached.wait_for(|position| *position >= filled.end).await.unwrap();
            }
        })
        .await;
        tails.iter().for_each(|tail| told(tail, filled));
        run
    })
}

/// Rows that did not come through the stream would not have been measured.
fn told(tail: &Tail, filled: &Filled) {
    let counts = tail.counts();
    assert!(counts.brought >= filled.count(), "{counts:?}");
}
