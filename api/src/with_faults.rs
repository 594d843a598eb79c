//! The binary of the fault proofs: the same server with faults on order (`eventlog::faults`). `faults` as its only
//! argument prints the names of the points and of the promises that can be broken.

use std::io::Write;
use std::process::ExitCode;

use eventlog::faults::{BREAKS, POINTS};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("faults") {
        return api::cli::run();
    }
    let lines =
        POINTS.iter().map(|name| format!("point {name}")).chain(BREAKS.iter().map(|n| format!("break {n}")));
    match writeln!(std::io::stdout(), "{}", lines.collect::<Vec<_>>().join("\n")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
