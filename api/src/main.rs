//! The binary: arguments → subcommand, and no more.

use std::process::ExitCode;

/// A request allocates a few dozen times: with this one the server takes in a third more than with the system's
/// (docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    api::cli::run()
}
