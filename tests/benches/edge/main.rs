//! The whole way, on the real server: events over HTTP beside their limits, and from event to request.
//!
//! `cargo bench -p system-tests --bench edge`, or `… -- one`, `many`, `batch`, `database`, `latency`. Build the server with the
//! same profile first: `cargo build --profile bench --bins`. Load generator, server and floor are processes of their
//! own; the CPU told is that of the one that serves.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../../../benches/bare.rs"]
mod bare;
mod database;
mod floor;
mod latency;
mod load;
#[path = "../../../benches/measure.rs"]
mod measure;
mod process;

use measure::{Run, asked, compare, cpu_seconds_of};
use process::Child;
use system_tests::harness::{Server, Tenant};

/// How long each run is loaded, in seconds.
const SECONDS: &str = "3";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["as-floor"] => floor::serve(),
        ["as-load", address, token, connections, batch, seconds] => {
            load::run(address, token, connections.parse().unwrap(), batch.parse().unwrap(), seconds).tell();
        }
        ["as-source"] => latency::source(),
        _ => all(),
    }
}

fn all() {
    for (name, connections, batch) in [("one", 1, 1), ("many", 64, 1), ("batch", 16, 100)] {
        if asked(name) {
            let title = format!(
                "POST event over HTTP, {connections} connections, {batch} events a request \
                 (target: at least half of the slower limit)"
            );
            compare(
                &title,
                vec![
                    ("the server", &mut || server(connections, batch)),
                    ("axum, only parses the JSON", &mut || only_parses(connections, batch)),
                    ("bare SQLite, group commits", &mut || floor::commits(connections, batch)),
                ],
            );
        }
    }
    if asked("database") {
        database::tell();
    }
    if asked("latency") {
        latency::tell();
    }
}

/// A server without a limit of events, and a tenant.
fn started() -> (Server, Tenant) {
    let server = Server::start_with(&["--tenant-events-per-second", "0", "--allow-private-addresses"]);
    let tenant = server.tenant("acme");
    (server, tenant)
}

fn server(connections: usize, batch: usize) -> Run {
    let (server, tenant) = started();
    let (_, authorization) = tenant.client.authorization();
    let address = server.base().trim_start_matches("http://").to_owned();
    loaded(&address, authorization.trim_start_matches("Bearer "), server.pid(), connections, batch)
}

fn only_parses(connections: usize, batch: usize) -> Run {
    let mut floor = Child::start(&["as-floor"]);
    let address = floor.line();
    loaded(&address, "none", floor.id(), connections, batch)
}

/// Loads what listens there from a process of its own; the CPU is that of the process that serves.
fn loaded(address: &str, token: &str, served_by: u32, connections: usize, batch: usize) -> Run {
    let before = cpu_seconds_of(&served_by.to_string());
    let mut load =
        Child::start(&["as-load", address, token, &connections.to_string(), &batch.to_string(), SECONDS]);
    let run = Run::told(&load.line()).unwrap();
    Run { cpu: cpu_seconds_of(&served_by.to_string()) - before, ..run }
}
