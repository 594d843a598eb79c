//! The binary: arguments → subcommand, and no more.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::cli::run()
}
