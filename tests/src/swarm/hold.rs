//! Connections that are kept open, and asked over in turn, so many times a second.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::{HELD, PATIENCE, connect, quantile};

/// What is to be held.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server.
    pub to: SocketAddr,
    /// How many connections.
    pub connections: usize,
    /// How many requests a second, over all of them.
    pub rate: f64,
    /// For how long at least, once all are there; it ends when its input has ended, too.
    pub time: Duration,
    /// A request as the bytes that it is.
    pub request: Vec<u8>,
}

/// Opens them, says so, asks for as long as it is to, and counts: how many requests, how many that had no good answer, and
/// how long they took, in microseconds.
pub async fn hold(plan: Plan) -> Value {
    let (mut errors, mut held) = (Vec::new(), Vec::new());
    for number in 0..plan.connections {
        // Each asks once at the beginning: who never does is thrown out.
        match begun(&plan, number).await {
            Ok(stream) => held.push(Some(stream)),
            Err(error) => errors.push(error),
        }
    }
    // Nobody who listens is no failure: what is told at the end is.
    let _ = writeln!(std::io::stdout(), "{HELD}");
    let let_go = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let (mut took, mut at) = (Vec::new(), 0);
    let mut ticks = interval(Duration::from_secs_f64(1.0 / plan.rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let end = Instant::now() + plan.time;
    let (answered, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let mut asked = errors.len();
    while (Instant::now() < end || !let_go.is_finished()) && !held.is_empty() {
        ticks.tick().await;
        // One that is still being answered is passed over.
        if let Some(mut stream) = held.get_mut(at).and_then(Option::take) {
            let (request, answered) = (plan.request.clone(), answered.clone());
            asked += 1;
            tokio::spawn(async move {
                let begun = Instant::now();
                let answer = timeout(PATIENCE, ask(&mut stream, &request)).await;
                let answer = answer.unwrap_or_else(|_| Err("no answer in time".to_owned()));
                let _ = answered.send((at, stream, answer, begun.elapsed()));
            });
        }
        at = (at + 1) % held.len();
        while let Ok(answer) = answers.try_recv() {
            take(answer, &mut held, &mut took, &mut errors);
        }
    }
    while took.len() + errors.len() < asked {
        let Some(answer) = answers.recv().await else { break };
        take(answer, &mut held, &mut took, &mut errors);
    }
    took.sort_unstable();
    json!({
        "connections": held.iter().flatten().count(),
        "requests": asked,
        "errors": errors.len(),
        "first-error": errors.first(),
        "p50": quantile(&took, 0.5),
        "p99": quantile(&took, 0.99),
    })
}

async fn begun(plan: &Plan, number: usize) -> Result<TcpStream, String> {
    let mut stream = connect(plan.to, number).await.map_err(|error| format!("connect: {error}"))?;
    ask(&mut stream, &plan.request).await?;
    Ok(stream)
}

type Asked = (usize, TcpStream, Result<(), String>, Duration);

fn take(asked: Asked, held: &mut [Option<TcpStream>], took: &mut Vec<u64>, errors: &mut Vec<String>) {
    let (at, stream, answer, time) = asked;
    match answer {
        Ok(()) => {
            held[at] = Some(stream);
            took.push(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        }
        Err(error) => errors.push(error),
    }
}

/// Asks once; the answer has to be a 2xx of a length that it says.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<(), String> {
    stream.write_all(request).await.map_err(|error| error.to_string())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.map_err(|error| error.to_string())?;
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ").and_then(|n| n.trim().parse().ok())
            });
            if body.len() >= length.unwrap_or(0) {
                let good = head.starts_with("HTTP/1.1 2");
                return if good { Ok(()) } else { Err(head.lines().next().unwrap_or_default().to_owned()) };
            }
        }
        if read == 0 {
            return Err("closed in the middle of an answer".to_owned());
        }
    }
}
