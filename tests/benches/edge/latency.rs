//! From an event coming in to the request that it causes leaving: at the most that goes, at a tenth and at half of it.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::load::{Connection, event, message};
use super::measure::{PAIRS, cpu_seconds_of, median, percentile, tokio_runtime};
use super::process::Child;
use super::started;

/// Events of the run that finds the most that goes.
const FLOOD: u64 = 8_000;
/// How long a rate is held, in seconds.
const HOLD: f64 = 5.0;
const CONNECTIONS: usize = 64;

/// Runs all rates in turn, five times, and tells all of them.
pub fn tell() {
    println!("\nevent in → request leaving, in milliseconds (POST sent until the stand-in has the request)");
    let (server, tenant) = started();
    let mut source = Child::start(&["as-source"]);
    tenant.post("integrations/webhook", &json!({"url": source.line()})).expect(200);
    tenant.pattern("(event (= type \"go\"))", "(send webhook post {:body {:n *n*}})");
    let (_, authorization) = tenant.client.authorization();
    let address = server.base().trim_start_matches("http://");
    source.tell(&format!("{address} {}", authorization.trim_start_matches("Bearer ")));
    let mut run = |rate: f64| {
        let before = cpu_seconds_of(&server.pid().to_string());
        source.tell(&format!("{rate}"));
        let line = source.line();
        let told: Vec<f64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        let cpu = cpu_seconds_of(&server.pid().to_string()) - before;
        (told[0], told[1], told[2], cpu * 1e6 / told[3])
    };
    let floods: Vec<_> = (0..PAIRS).map(|_| run(0.0)).collect();
    let most = median(floods.iter().map(|flood| flood.0));
    let each: Vec<String> =
        floods.iter().map(|flood| format!("{:.0}/s {:.0} µs CPU", flood.0, flood.3)).collect();
    println!("  the most that goes: {} | median {most:.0}/s", each.join(" | "));
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..PAIRS {
        for (runs, share) in runs.iter_mut().zip([0.1, 0.5]) {
            runs.push(run(most * share));
        }
    }
    for (runs, share) in runs.iter().zip(["a tenth", "half"]) {
        let each: Vec<String> = runs.iter().map(|run| format!("{:.1} {:.1}", run.1, run.2)).collect();
        let (p50, p99) = (median(runs.iter().map(|run| run.1)), median(runs.iter().map(|run| run.2)));
        println!("  at {share} of it, p50 p99: {} | median {p50:.1} {p99:.1}", each.join(" | "));
    }
}

/// The other end: sends the events and takes the requests, so that one clock sees both.
pub fn source() {
    let runtime = tokio_runtime();
    let (arrivals, mut arrived) = mpsc::unbounded_channel();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    println!("http://{}/", listener.local_addr().unwrap());
    runtime.spawn(stand_in(listener, arrivals));
    let mut lines = std::io::stdin().lock().lines().map(Result::unwrap);
    let target = lines.next().unwrap();
    let (address, token) = target.split_once(' ').unwrap();
    let mut first = 0;
    for rate in lines {
        let rate: f64 = rate.parse().unwrap();
        let count = if rate == 0.0 { FLOOD } else { (rate * HOLD) as u64 };
        let begun = Instant::now();
        let (seconds, mut waits) = runtime.block_on(async {
            let sent = tokio::spawn(send(address.to_owned(), token.to_owned(), first, count, rate));
            let mut when = vec![begun; count as usize];
            for _ in 0..count {
                let (n, at): (u64, Instant) = arrived.recv().await.unwrap();
                when[(n - first) as usize] = at;
            }
            let last = when.iter().max().unwrap().duration_since(begun).as_secs_f64();
            let sent = sent.await.unwrap();
            let wait = |(n, from): &(u64, Instant)| {
                when[(n - first) as usize].saturating_duration_since(*from).as_secs_f64() * 1e3
            };
            (last, sent.iter().map(wait).collect::<Vec<f64>>())
        });
        first += count;
        let (p50, p99) = (percentile(&mut waits, 0.5), percentile(&mut waits, 0.99));
        println!("{} {p50} {p99} {count}", count as f64 / seconds);
    }
}

/// Sends so many events, at a rate or (0) as fast as they are taken; when each began, or should have begun.
async fn send(address: String, token: String, first: u64, count: u64, rate: f64) -> Vec<(u64, Instant)> {
    let (begun, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let client = |_| {
        let (address, token, next) = (address.clone(), token.clone(), Arc::clone(&next));
        tokio::spawn(async move {
            let mut connection = Connection::open(&address, &token).await;
            let mut sent = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return sent;
                }
                let mut from = Instant::now();
                if rate > 0.0 {
                    let due = begun + Duration::from_secs_f64(n as f64 / rate);
                    if due > from {
                        tokio::time::sleep_until(due.into()).await;
                        from = Instant::now();
                    } else {
                        // Nobody was free to send it in time: that wait counts too.
                        from = due;
                    }
                }
                sent.push((first + n, from));
                connection.send(&[event(first + n, "go")]).await;
            }
        })
    };
    let clients: Vec<_> = (0..CONNECTIONS).map(client).collect();
    let mut all = Vec::new();
    for client in clients {
        all.extend(client.await.unwrap());
    }
    all
}

/// Takes requests and says when each was there.
async fn stand_in(listener: TcpListener, arrivals: mpsc::UnboundedSender<(u64, Instant)>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(answer(stream, arrivals.clone()));
    }
}

async fn answer(mut stream: TcpStream, arrivals: mpsc::UnboundedSender<(u64, Instant)>) {
    let mut read = Vec::new();
    while let Some((_, body)) = message(&mut stream, &mut read).await {
        let at = Instant::now();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let _ = arrivals.send((body["n"].as_u64().unwrap(), at));
        if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.is_err() {
            return;
        }
    }
}
