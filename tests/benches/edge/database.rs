//! Events over HTTP into PostgreSQL, beside COPY of the same rows into the same table and indexes.

use std::cell::RefCell;

use eventlog::testing::postgres::{copy_in, copy_out, new_tables, shared};
use system_tests::harness::{Home, Server};

use super::measure::{Run, compare, cpu_seconds, cpu_seconds_of, tokio_runtime};
use super::process::Child;

/// How many rows a COPY has, and a commit.
const PIECE: usize = 1_000;

/// Measures and tells.
pub fn tell() {
    let rows = RefCell::new(Vec::new());
    compare(
        "POST events over HTTP into PostgreSQL, --role api, 16 connections, 100 events a request; CPU of server and \
         database (target: at most 3 times that of COPY)",
        vec![
            ("the server", &mut || {
                let (run, written) = ingest();
                *rows.borrow_mut() = written;
                run
            }),
            ("COPY, 1,000 rows each", &mut || copy(&rows.borrow())),
        ],
    );
}

/// Loads a server; the rows that it wrote.
fn ingest() -> (Run, Vec<Vec<u8>>) {
    let mut server = Server::at(Home::database());
    server.run(&["--role", "api", "--tenant-events-per-second", "0"]);
    let tenant = server.tenant("acme");
    let (_, authorization) = tenant.client.authorization();
    let address = server.base().trim_start_matches("http://").to_owned();
    let token = authorization.trim_start_matches("Bearer ").to_owned();
    let (pid, database) = (server.pid().to_string(), shared());
    let cpu = || (cpu_seconds_of(&pid), database.cpu_seconds());
    let before = cpu();
    let mut load = Child::start(&["as-load", &address, &token, "16", "100", super::SECONDS]);
    let run = Run::told(&load.line()).unwrap();
    let after = cpu();
    let [own, of_database] = [after.0 - before.0, after.1 - before.1].map(|cpu| cpu * 1e6 / run.count as f64);
    println!("  of that, the server {own:.1} µs, the database {of_database:.1} µs");
    let rows = tokio_runtime().block_on(copy_out(server.home().url(), PIECE));
    (Run { cpu: after.0 - before.0 + after.1 - before.1, ..run }, rows)
}

/// Copies rows into a database of its own.
fn copy(pieces: &[Vec<u8>]) -> Run {
    tokio_runtime().block_on(async {
        let mut connection = new_tables(shared()).await;
        let (begun, before) = (std::time::Instant::now(), cpu_seconds() + shared().cpu_seconds());
        copy_in(&mut connection, pieces).await;
        let cpu = cpu_seconds() + shared().cpu_seconds() - before;
        let count =
            pieces.iter().map(|piece| piece.iter().filter(|byte| **byte == b'\n').count() as u64).sum();
        Run { count, wall: begun.elapsed().as_secs_f64(), cpu }
    })
}
