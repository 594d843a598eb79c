//! The command line (data on stdout, talk on stderr; exit codes 0 done, 1 failed, 2 bad usage).
//!
//! One file per command. A command that reads the store opens it read-only, also beside a running server.

mod backtest;
mod backup;
mod check;
mod client;
mod configuration;
mod demo;
mod erasures;
mod events;
mod keys;
mod nats;
mod out;
mod rebuild;
mod replay;
mod rest;
mod restore;
mod serve;
mod show;
mod store;
mod tenant;
mod third_parties;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::out::{out, print};

/// Listens to customers' events, recognises the journeys that matter while they happen, and reacts.
#[derive(Parser)]
#[command(name = "cxengage", version, max_term_width = 100, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server.
    Serve(Box<serve::Options>),
    /// Show the main job: a server in a temporary folder, patterns, journeys, reactions.
    Demo(demo::Options),
    /// What would these patterns have matched? No server, no store.
    Backtest(backtest::Options),
    /// Parse patterns and say what is wrong with them, and where.
    Check(check::Options),
    /// Write a tenant's stored events as JSON lines.
    Events(events::Options),
    /// Run the stored record through the engine and the interpreter again, and compare. Sends nothing.
    Replay(replay::Options),
    /// Make read models anew from the record, beside the old ones.
    Rebuild(rebuild::Options),
    /// Copy the record as it is now into a folder, also beside a running server. Without the master key.
    Backup(backup::Options),
    /// Make a new data folder from a backup, or a restored database ready to be used.
    Restore(restore::Options),
    /// Write whom the record says to have been erased, as JSON lines: for a restore.
    Erasures(erasures::Options),
    /// The keys under which everything is sealed.
    Keys(keys::Options),
    /// The tenants that are served.
    Tenant(tenant::Options),
    /// The programs that may use the API for a tenant.
    Client(client::Options),
    /// Write a tenant's configuration as files, with names in place of ids and without secrets.
    Export(configuration::export::Options),
    /// Show what would change if a tenant's configuration were made what files say.
    Diff(configuration::diff::Options),
    /// Make a tenant's configuration what files say: all of it at once, or nothing.
    Apply(configuration::apply::Options),
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments do not make sense: exit code 2.
    Usage(String),
    /// It failed: exit code 1.
    Failed(String),
    /// Whoever read the output has seen enough: nothing is said, exit code 0.
    Closed,
}

impl<E: std::error::Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        if out::is_closed(&error) { Self::Closed } else { Self::Failed(error.to_string()) }
    }
}

/// What a command ends with.
pub(crate) type Outcome = Result<ExitCode, Failure>;

/// Runs the command that the arguments name.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Serve(options) => serve::run(*options),
        Command::Demo(options) => demo::run(options),
        Command::Backtest(options) => backtest::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Events(options) => events::run(&options),
        Command::Replay(options) => replay::run(&options),
        Command::Rebuild(options) => rebuild::run(&options),
        Command::Backup(options) => backup::run(&options),
        Command::Restore(options) => restore::run(&options),
        Command::Erasures(options) => erasures::run(&options),
        Command::Keys(options) => keys::run(&options),
        Command::Tenant(options) => tenant::run(options),
        Command::Client(options) => client::run(options),
        Command::Export(options) => configuration::export::run(&options),
        Command::Diff(options) => configuration::diff::run(&options),
        Command::Apply(options) => configuration::apply::run(&options),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            let (code, message) = match failure {
                Failure::Usage(message) => (2, message),
                Failure::Failed(message) => (1, message),
                Failure::Closed => return ExitCode::SUCCESS,
            };
            say(&format!("cxengage: {message}"));
            ExitCode::from(code)
        }
    }
}

/// Talk, for a person: to stderr.
pub(crate) fn say(line: &str) {
    // Nobody is left to be told if stderr is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The runtime of commands that wait for I/O.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(future)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_fit_together() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_option_is_an_environment_variable_too() {
        let top = super::Cli::command();
        let mut commands: Vec<&clap::Command> = top.get_subcommands().collect();
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands());
            for option in command.get_opts() {
                let name = option.get_long().expect("options have long names");
                let variable = format!("CXENGAGE_{}", name.replace('-', "_").to_uppercase());
                let found = option.get_env().and_then(|env| env.to_str());
                assert_eq!(found, Some(variable.as_str()), "{} --{name}", command.get_name());
            }
        }
    }
}
