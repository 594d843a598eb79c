//! Listeners: third parties' events come in, none twice, and none lost that the protocol lets one keep.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::harness::{PATIENCE, Server, Tenant, wait_for};
use system_tests::peer::{Peer, tools};
use system_tests::property::Dice;
use system_tests::proxy::Proxy;

/// How many events come, and how often the connection is cut meanwhile.
const EVENTS: usize = 10_000;
const CUTS: usize = 20;

fn status(acme: &Tenant) -> (String, String) {
    let status = acme.get("listeners/LI1/status").expect(200);
    let text = |name: &str| status[name].as_str().expect("a text").to_owned();
    (text("status"), text("message"))
}

fn wait_status(acme: &Tenant, wanted: &str) -> String {
    wait_for(&format!("the listener to be {wanted}"), || {
        let (state, message) = status(acme);
        (state == wanted).then_some(message)
    })
}

/// The numbers of the events that the tenant has, in order.
fn stored_of(server: &Server) -> Vec<usize> {
    let (code, out, err) = server.cli(&["events", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{err}");
    let number = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("a line is JSON");
        usize::try_from(event["n"].as_u64().expect("n is a number")).expect("a small one")
    };
    out.lines().map(number).collect()
}

fn assert_once(server: &Server, expected: &BTreeSet<usize>) {
    let until = Instant::now() + PATIENCE;
    let mut stored = stored_of(server);
    while stored.len() < expected.len() && Instant::now() < until {
        thread::sleep(Duration::from_millis(200));
        stored = stored_of(server);
    }
    let set: BTreeSet<usize> = stored.iter().copied().collect();
    assert_eq!(stored.len(), set.len(), "events came in twice");
    let missing: Vec<_> = expected.difference(&set).take(10).collect();
    assert!(missing.is_empty(), "lost: {missing:?} …, of {}", expected.len());
    let strange: Vec<_> = set.difference(expected).take(10).collect();
    assert!(strange.is_empty(), "never passed on: {strange:?} …");
}

/// Publishes everything in small parts, cutting the connection at random between them; after each cut the status
/// says that nothing is heard, and then that it is again.
fn with_cuts(acme: &Tenant, proxy: &Proxy, mut publish: impl FnMut(usize, usize)) {
    let mut dice = Dice::new(7);
    const PARTS: usize = 200;
    let mut cuts: BTreeSet<usize> = BTreeSet::new();
    while cuts.len() < CUTS {
        cuts.insert(dice.between(1, PARTS - 2));
    }
    for part in 0..PARTS {
        let each = EVENTS / PARTS;
        publish(part * each, (part + 1) * each);
        if cuts.contains(&part) {
            wait_status(acme, "started");
            // A connection that rests between two polls can be cut without anybody's noticing: then again.
            let (state, message) = wait_for("the status to own up to a cut", || {
                proxy.cut();
                let until = Instant::now() + Duration::from_millis(500);
                std::iter::repeat_with(|| status(acme))
                    .take_while(|_| Instant::now() < until)
                    .find(|(state, _)| state != "started")
            });
            assert!(state == "error" || state == "starting", "{state}: {message}");
            // What comes now comes while nobody listens.
            if dice.chance(50) {
                wait_status(acme, "started");
            }
        }
    }
    wait_status(acme, "started");
}

#[test]
fn salesforce_events_come_in_once_each_over_a_real_bayeux_server_however_often_it_is_cut_off() {
    let mut peer = Peer::node("bayeux.js", &[]);
    let line = peer.line();
    let port = line.strip_prefix("listening ").and_then(|port| port.parse().ok()).expect("a port");
    let proxy = Proxy::to(port);
    let arguments = ["--salesforce-login-url", proxy.url(), "--listener-pause", "0.2"];
    let mut server = Server::start_with(&arguments);
    let mut acme = server.tenant("acme");
    let listener = json!({"name": "Leads", "type": "salesforce", "status": true,
        "options": {"topic": "Leads", "version": "59.0"},
        "mapping": {"id": "Id", "n": "N__c", "kind": "event.type"}});
    acme.post("listeners", &listener).expect(201);
    let message = wait_status(&acme, "error");
    assert_eq!(message, "integration salesforce is not set up for this tenant");
    let account = json!({"username": "bot", "password": "pa55", "secret-token": "SEC", "consumer-key": "k",
        "consumer-secret": "canary"});
    acme.post("integrations/salesforce", &account).expect(200);
    assert_eq!(wait_status(&acme, "started"), "Connected to topic: Leads");

    with_cuts(&acme, &proxy, |from, to| {
        assert_eq!(peer.ask(&format!("{from} {to}")), format!("published {to}"));
    });
    assert_once(&server, &(0..EVENTS).collect());

    // While the server is down events are kept for it, and it comes back to them after a crash.
    server.kill();
    peer.ask(&format!("{EVENTS} {}", EVENTS + 500));
    server.run(&arguments);
    acme = acme.on(&server);
    wait_status(&acme, "started");
    assert_once(&server, &(0..EVENTS + 500).collect());

    acme.put("listeners/LI1", &json!({"status": false})).expect(200);
    assert_eq!(wait_status(&acme, "stopped"), "Not listening: the listener is not enabled");
    acme.delete("listeners/LI1").expect(204);
    assert!(server.terminate().success());
    assert!(!server.said().contains("canary"));
}

/// DataSift, as its protocol is written down: it streams over HTTP to whoever listens, and at each connect repeats a
/// little of what it sent last.
pub(crate) struct Datasift {
    pub(crate) port: u16,
    wanted: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Datasift {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a test peer's part");
        let port = listener.local_addr().expect("a test peer's part").port();
        let (wanted, sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (serving, keep) = (wanted.clone(), asked.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (wanted, sent, keep) = (serving.clone(), sent.clone(), keep.clone());
                thread::spawn(move || drop(Self::serve(&stream, &wanted, &sent, &keep)));
            }
        });
        Self { port, wanted, asked }
    }

    /// From now on it sends so many interactions in all.
    pub(crate) fn send(&self, wanted: usize) {
        self.wanted.store(wanted, Ordering::SeqCst);
    }

    /// The heads of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a test peer's part").clone()
    }

    fn serve(
        stream: &TcpStream,
        wanted: &AtomicUsize,
        sent: &AtomicUsize,
        keep: &Mutex<Vec<String>>,
    ) -> std::io::Result<()> {
        let mut head = String::new();
        let mut reader = BufReader::new(stream);
        while reader.read_line(&mut head)? > 2 {}
        keep.lock().expect("a test peer's part").push(head);
        let mut out = stream;
        let mut chunk = |text: &str| write!(out, "{:x}\r\n{text}\r\n", text.len());
        stream.set_nodelay(true)?;
        write!(&mut &*stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        chunk("{\"tick\":1,\"status\":\"connected\",\"message\":\"Waiting for data\"}\n")?;
        let mut next = sent.load(Ordering::SeqCst).saturating_sub(30);
        loop {
            if next >= wanted.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
                chunk("\r\n")?;
                continue;
            }
            let id = next % 50;
            let (begin, end) = (
                format!("{{\"interaction\":{{\"id\":\"i{next}\",\"author\":{{\"username\":\"c{id}\"}}}},"),
                format!("\"twitter\":{{\"n\":{next}}}}}\n"),
            );
            // Lines and chunks are two things.
            chunk(&begin)?;
            chunk(&end)?;
            next += 1;
            sent.fetch_max(next, Ordering::SeqCst);
        }
    }
}

/// The numbers in the lines that were passed on as a whole.
fn lines_passed(proxy: &Proxy) -> BTreeSet<usize> {
    let mut numbers = BTreeSet::new();
    for passed in proxy.passed() {
        for line in String::from_utf8_lossy(&passed).split_inclusive('\n') {
            if let Some(rest) = line.strip_prefix("\"twitter\":{\"n\":")
                && line.ends_with("}}\n")
                && let Ok(number) = rest.trim_end().trim_end_matches('}').parse()
            {
                numbers.insert(number);
            }
        }
    }
    numbers
}

#[test]
fn datasift_interactions_come_in_once_each_and_what_was_received_is_never_lost() {
    let datasift = Datasift::start();
    let proxy = Proxy::to(datasift.port);
    let server = Server::start_with(&["--datasift-url", proxy.url(), "--listener-pause", "0.2"]);
    let acme = server.tenant("acme");
    acme.post("integrations/datasift", &json!({"username": "demo", "api-key": "canary-key"})).expect(200);
    let listener = json!({"name": "Tweets", "type": "datasift", "status": true, "options": {"hash": "abc123"},
        "mapping": {"id": "interaction.author.username", "n": "twitter.n"}});
    acme.post("listeners", &listener).expect(201);
    assert_eq!(wait_status(&acme, "started"), "Connected to stream: abc123");

    with_cuts(&acme, &proxy, |_, to| datasift.send(to));
    let last = EVENTS - 1;
    wait_for("the last line to be passed on", || lines_passed(&proxy).contains(&last).then_some(()));
    let expected = lines_passed(&proxy);
    assert!(expected.len() > EVENTS / 2, "only {} lines were passed on", expected.len());
    assert_once(&server, &expected);
    let asked = datasift.asked();
    assert!(asked.len() > CUTS, "{} connections", asked.len());
    let head = asked[0].to_lowercase();
    assert!(head.starts_with("get /abc123?statuses=true http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nauth: demo:canary-key\r\n"), "{head}");
    assert!(head.contains("\r\nauthorization: demo:canary-key\r\n"), "{head}");

    // Without the key attribute an event is counted, and the status says so.
    acme.put("listeners/LI1", &json!({"mapping": {"n": "twitter.n"}})).expect(200);
    datasift.send(EVENTS + 3);
    wait_for("the refused events to be told of", || {
        let (state, message) = status(&acme);
        (state == "started" && message.contains("the key attribute \"id\" is missing")).then_some(())
    });
}

/// A process that is killed when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// sockudo, a server that speaks Pusher's protocol.
fn sockudo() -> (Killed, u16) {
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a test peer's part")
        .local_addr()
        .expect("a test peer's part")
        .port();
    let set = [
        ("HOST", "127.0.0.1"),
        ("METRICS_ENABLED", "false"),
        ("ADAPTER_DRIVER", "local"),
        ("APP_MANAGER_DRIVER", "memory"),
        ("CACHE_DRIVER", "memory"),
        ("QUEUE_DRIVER", "memory"),
        ("RATE_LIMITER_DRIVER", "memory"),
        ("RATE_LIMITER_ENABLED", "false"),
        ("SOCKUDO_DEFAULT_APP_ID", "77"),
        ("SOCKUDO_DEFAULT_APP_KEY", "app-key"),
        ("SOCKUDO_DEFAULT_APP_SECRET", "app-secret"),
        ("SOCKUDO_DEFAULT_APP_ENABLED", "true"),
    ];
    let binary = tools().join("sockudo/bin/sockudo");
    let mut command = Command::new(&binary);
    command.envs(set).env("PORT", port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let process = Killed(process);
    let up = system_tests::harness::Client::new(&format!("http://127.0.0.1:{port}"));
    let asked = system_tests::harness::Request::new("GET", "/up");
    wait_for("sockudo to be up", || up.try_send(&asked).ok().filter(|answer| answer.status == 200));
    (process, port)
}

/// The numbers in the frames of an event that were passed on as a whole, over all connections.
fn frames_passed(proxy: &Proxy) -> Vec<usize> {
    let mut numbers = Vec::new();
    for passed in proxy.passed() {
        let Some(at) = passed.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let mut rest = &passed[at + 4..];
        while let [_, short, after @ ..] = rest {
            let (length, body) = match (short & 127, after) {
                (126, [high, low, body @ ..]) => (usize::from(*high) << 8 | usize::from(*low), body),
                (126, _) => break,
                (short, body) => (usize::from(short), body),
            };
            let Some((frame, next)) = body.split_at_checked(length) else { break };
            rest = next;
            let Ok(frame) = serde_json::from_slice::<Value>(frame) else { continue };
            if frame["event"] == "lead" {
                let data: Value = serde_json::from_str(frame["data"].as_str().unwrap_or_default())
                    .expect("a test peer's part");
                numbers.push(
                    usize::try_from(data["n"].as_u64().expect("a test peer's part"))
                        .expect("a test peer's part"),
                );
            }
        }
    }
    numbers
}

#[test]
#[ignore = "needs sockudo, which takes minutes to build: tests/run --full"]
fn pusher_events_come_in_once_each_over_a_real_server_and_what_was_received_is_never_lost() {
    for channel in ["orders", "private-orders"] {
        let (_sockudo, port) = sockudo();
        let mut publisher = Peer::node("pusher.js", &[&port.to_string()]);
        assert_eq!(publisher.line(), "ready");
        let proxy = Proxy::to(port);
        let server = Server::start_with(&["--pusher-url", proxy.url(), "--listener-pause", "0.2"]);
        let acme = server.tenant("acme");
        let wrong = json!({"key": "app-key", "secret": "wrong-secret", "app-id": "77"});
        acme.post("integrations/pusher", &wrong).expect(200);
        let listener = json!({"name": "Orders", "type": "pusher", "status": true,
            "options": {"channel": channel, "event": "lead"}, "mapping": {"id": "id", "n": "n"}});
        acme.post("listeners", &listener).expect(201);
        if channel.starts_with("private-") {
            let message = wait_status(&acme, "error");
            assert!(message.starts_with("the subscription was refused"), "{message}");
        }
        let right = json!({"key": "app-key", "secret": "app-secret", "app-id": "77"});
        acme.post("integrations/pusher", &right).expect(200);
        assert_eq!(wait_status(&acme, "started"), format!("Connected to channel: {channel}"));

        with_cuts(&acme, &proxy, |from, to| {
            assert_eq!(publisher.ask(&format!("{from} {to} {channel}")), format!("published {to}"));
        });
        publisher.ask(&format!("{EVENTS} {} {channel}", EVENTS + 1));
        wait_for("the last frame to be passed on", || frames_passed(&proxy).contains(&EVENTS).then_some(()));
        let passed = frames_passed(&proxy);
        let expected: BTreeSet<usize> = passed.iter().copied().collect();
        assert_eq!(passed.len(), expected.len(), "the server itself repeats");
        assert!(expected.len() > EVENTS / 2, "only {} frames were passed on", expected.len());
        assert_once(&server, &expected);
    }
}
