//! Many clients at once, and bad ones: all below the cap are served, all above it are told so, and whoever takes up
//! room without using it is thrown out in time, while the others notice nothing of it.
//!
//! Small here; `tests/run --full` runs the sizes that are promised. Times of healthy clients are printed, not asserted.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::harness::{Server, Tenant};
use system_tests::swarm::slow::Kind;
use system_tests::swarm::{Swarm, http2};

const SWARM: &str = env!("CARGO_BIN_EXE_swarm");

/// Whether the promised sizes are run, not the small ones.
fn full() -> bool {
    std::env::var_os("CXENGAGE_FULL").is_some()
}

/// A figure for whoever reads the test's output.
#[expect(clippy::print_stderr, reason = "a measurement is shown where the harness of cargo shows it")]
fn report(line: &str) {
    eprintln!("{line}");
}

fn address(server: &Server) -> String {
    server.base().trim_start_matches("http://").to_owned()
}

/// A request of the tenant's, in a file.
fn request(server: &Server, tenant: &Tenant, name: &str, method: &str, rest: &str, body: &str) -> String {
    let (header, token) = tenant.client.authorization();
    let file = server.scratch(name);
    let path = tenant.path(rest);
    let text = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\n{header}: {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    std::fs::write(&file, text).expect("written");
    file.to_str().expect("UTF-8").to_owned()
}

fn hold(server: &Server, connections: usize, rate: f64, seconds: u64, request: &str) -> Swarm {
    let (connections, rate, seconds) = (connections.to_string(), rate.to_string(), seconds.to_string());
    Swarm::start(SWARM, &["hold", &address(server), &connections, &rate, &seconds, request])
}

#[test]
fn every_connection_below_the_cap_is_served_and_every_one_above_it_is_told_so() {
    let (all, rate, seconds) = if full() { (10_000, 500.0, 75) } else { (1_000, 200.0, 6) };
    let cap = (all + 8).to_string();
    let mut server = Server::start_with(&["--max-connections", &cap]);
    let acme = server.tenant("acme");
    let reads = request(&server, &acme, "reads", "GET", "patterns", "");
    let writes = request(&server, &acme, "writes", "POST", "event", r#"{"id":"c1","type":"A"}"#);
    let before = server.resident();
    let mut swarms: Vec<_> = (0..4)
        .map(|n| hold(&server, all / 4, rate / 4.0, seconds, if n % 2 == 0 { &reads } else { &writes }))
        .collect();
    swarms.iter_mut().for_each(Swarm::held);
    let held = server.resident();

    // Up to the cap (the tenant's own client may hold some of it), then over it.
    let (mut over, mut refused) = (Vec::new(), Vec::new());
    for _ in 0..64 {
        let mut stream = TcpStream::connect(address(&server)).expect("connects");
        match refusal(&mut stream) {
            Some(answer) => refused.push(answer),
            None => over.push(stream),
        }
    }
    assert!(refused.len() >= 64 - 8, "{} of 64 were refused", refused.len());
    for answer in &refused {
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
    }
    drop(over);

    let told: Vec<Value> = swarms.into_iter().map(Swarm::end).collect();
    let sum = |name: &str| told.iter().map(|told| told[name].as_u64().expect("a number")).sum::<u64>();
    let per_connection = held.saturating_sub(before) * 1024 / all as u64;
    report(&format!(
        "{} connections, {} requests, {} errors; {per_connection} bytes of RSS a connection ({before} → {held} KiB); \
         reads p50 {} p99 {} µs, events p50 {} p99 {} µs",
        sum("connections"),
        sum("requests"),
        sum("errors"),
        told[0]["p50"],
        told[0]["p99"],
        told[1]["p50"],
        told[1]["p99"]
    ));
    assert_eq!((sum("errors"), sum("connections")), (0, all as u64), "{told:?}");
    assert!(sum("requests") > (rate * seconds as f64 * 0.5) as u64, "{told:?}");
    assert!(per_connection < 64 * 1024, "memory is bounded: {per_connection} bytes a connection");
    assert!(server.is_alive());
    acme.event(json!({"id": "c1"}));
}

/// What a connection over the cap is answered; none if it was let in, which keeps it open.
fn refusal(stream: &mut TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").expect("written");
    let mut status = [0; 12];
    stream.read_exact(&mut status).expect("an answer");
    let mut answer = String::from_utf8(status.to_vec()).expect("UTF-8");
    if answer == "HTTP/1.1 200" {
        return None;
    }
    stream.read_to_string(&mut answer).expect("the rest, and its end");
    Some(answer)
}

/// What is flooded with is understood: else it would be thrown out for being no HTTP/2.
#[test]
fn the_frames_that_the_floods_are_made_of_are_good_ones() {
    let server = Server::start();
    let acme = server.tenant("acme");
    let token = acme.client.authorization().1.replace("Bearer ", "");
    let mut stream = TcpStream::connect(address(&server)).expect("connects");
    stream.write_all(&http2::request(&acme.path("patterns"), &token)).expect("written");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !http2::is_answered_200(&read) {
        let more = stream.read(&mut buffer).expect("an answer");
        assert!(more > 0, "closed: {read:?}");
        read.extend_from_slice(&buffer[..more]);
    }
}

#[test]
fn slow_silent_and_flooding_clients_are_thrown_out_and_disturb_nobody() {
    let (many, floods) = if full() { (1_500, 8) } else { (40, 1) };
    let server = Server::start_with(&["--max-connections", "12000"]);
    let acme = server.tenant("acme");
    // An answer that is longer than all buffers on its way.
    let long = "x".repeat(60 * 1024);
    let batch: Vec<_> = (0..200).map(|n| json!({"id": "c2", "n": n, "text": long})).collect();
    acme.post("events", &json!(batch)).expect(200);
    let reads = request(&server, &acme, "reads", "GET", "patterns", "");
    let alone = hold(&server, 8, 50.0, 3, &reads).end();
    let token = acme.client.authorization().1.replace("Bearer ", "");
    let slow = |kind: Kind, count: usize| {
        let (kind, count) = (format!("{kind:?}"), count.to_string());
        let (long, takes) = (acme.path("event/history?limit=200"), acme.path("event"));
        Swarm::start(SWARM, &["slow", &address(&server), &kind, &count, &token, &long, &takes])
    };
    let healthy = hold(&server, 8, 50.0, if full() { 75 } else { 13 }, &reads);
    let swarms: Vec<_> = Kind::ALL
        .into_iter()
        // An idle connection is kept for a minute: too long for the short run, which looks at it elsewhere.
        .filter(|kind| full() || *kind != Kind::Idle)
        .map(|kind| {
            let count = match kind {
                Kind::Http2EmptyData | Kind::Http2Reset | Kind::Http2Continuation => floods,
                // Each of them has the server make its long answer.
                Kind::SlowReader => many.min(4),
                _ => many,
            };
            (kind, count, slow(kind, count))
        })
        .collect();
    for (kind, count, swarm) in swarms {
        let told = swarm.end();
        report(&format!("{told}"));
        assert_eq!(told["closed"].as_u64(), Some(count as u64), "{told}");
        let last = told["last"].as_u64().expect("a time");
        // On a busy machine a timer may be late; never closed at all is what must not be.
        let most = if kind == Kind::Idle { 75_000 } else { 25_000 };
        assert!(last <= most, "{kind:?} was kept for {last} ms");
        if kind == Kind::Idle {
            assert!(told["first"].as_u64().is_some_and(|first| first >= 55_000), "{told}");
        }
    }
    let meanwhile = healthy.end();
    let ratio = meanwhile["p99"].as_f64().unwrap_or_default() / alone["p99"].as_f64().unwrap_or(1.0).max(1.0);
    report(&format!("healthy alone {alone}"));
    report(&format!("healthy meanwhile {meanwhile}: p99 × {ratio:.1}"));
    assert_eq!(meanwhile["errors"], 0, "{meanwhile}");
    acme.event(json!({"id": "c1"}));
}
