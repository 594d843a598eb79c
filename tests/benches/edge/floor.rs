//! The limits: a server that only parses, and commits with no server in front of them.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::Value;
use tokio::sync::oneshot;

use super::bare::{Bare, Row};
use super::load;
use super::measure::{Run, cpu_seconds, tokio_runtime};

/// How long commits are made.
const LONG: Duration = Duration::from_secs(3);

/// Serves until it is killed: each line of a body is parsed, and that is all.
pub fn serve() {
    let parse = |body: Bytes| async move {
        let lines = body.split(|byte| *byte == b'\n');
        match lines.map(serde_json::from_slice::<Value>).collect::<Result<Vec<_>, _>>() {
            Ok(_) => (StatusCode::CREATED, "{}"),
            Err(_) => (StatusCode::BAD_REQUEST, "{}"),
        }
    };
    let router = axum::Router::new().fallback(axum::routing::post(parse));
    tokio_runtime().block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        axum::serve(listener, router).await.unwrap();
    });
}

type Commit = (Vec<Row>, oneshot::Sender<()>);

/// So many tasks that each wait for the commit of so many rows; a thread commits all that waits in one transaction.
pub fn commits(tasks: usize, rows: usize) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let mut bare = Bare::open(folder.path());
    let (jobs, queue) = mpsc::channel::<Commit>();
    let writer = std::thread::spawn(move || {
        while let Ok(first) = queue.recv() {
            let mut group = vec![first];
            group.extend(queue.try_iter());
            bare.commit(group.iter().flat_map(|(rows, _)| rows));
            for (_, done) in group {
                let _ = done.send(());
            }
        }
    });
    let (begun, before) = (Instant::now(), cpu_seconds());
    let count = tokio_runtime().block_on(async {
        let tasks: Vec<_> =
            (0..tasks).map(|task| tokio::spawn(waits(task as u64, rows, jobs.clone()))).collect();
        drop(jobs);
        let mut count = 0;
        for task in tasks {
            count += task.await.unwrap();
        }
        count
    });
    let run = Run { count, wall: begun.elapsed().as_secs_f64(), cpu: cpu_seconds() - before };
    writer.join().unwrap();
    run
}

async fn waits(task: u64, rows: usize, jobs: mpsc::Sender<Commit>) -> u64 {
    let until = Instant::now() + LONG;
    let mut count = 0;
    while Instant::now() < until {
        let row = |n| Row {
            kind: "customer",
            id: format!("acme/{:032x}", (task * 7_919 + n) % 1_000),
            version: 0,
            event_type: "customer-event".into(),
            // As long as sealed ones are.
            payload: format!("{}{}", load::event(n, "call"), "x".repeat(130)).into_bytes(),
        };
        let (done, committed) = oneshot::channel();
        jobs.send(((0..rows as u64).map(row).collect(), done)).unwrap();
        committed.await.unwrap();
        count += rows as u64;
    }
    count
}
