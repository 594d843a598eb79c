//! `cxengage backtest`: what would these patterns have matched? No server, no store.

use std::io::{BufWriter, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use engine::backtest::input::{self, Taken};
use engine::backtest::{self, Progress, Summary, patterns};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, Outcome, say};

#[derive(clap::Args)]
pub(super) struct Options {
    /// A JSON array of {"id", "when"}.
    #[arg(long, env = "CXENGAGE_PATTERNS", value_name = "FILE")]
    patterns: PathBuf,
    /// JSON lines, plain or .gz or .zst; - for standard input.
    #[arg(long, env = "CXENGAGE_EVENTS", value_name = "FILE")]
    events: PathBuf,
    /// The attribute that tells customers apart; dots walk into nested objects.
    #[arg(long, env = "CXENGAGE_KEY", value_name = "ATTR")]
    key: String,
    /// The attribute that holds an event's time: a number (ms) or an RFC 3339 string.
    #[arg(long, env = "CXENGAGE_TIME_FIELD", value_name = "NAME", default_value = "ts")]
    time_field: String,
    /// Deadlines up to and including this time fire at the end (ms; default: the greatest time of the events).
    #[arg(long, env = "CXENGAGE_UNTIL", value_name = "MS", allow_negative_numbers = true)]
    until: Option<i64>,
    /// How many threads match.
    #[arg(long, env = "CXENGAGE_JOBS", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

pub(super) fn run(options: &Options) -> Outcome {
    let named = |path: &PathBuf, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let bytes = std::fs::read(&options.patterns)
        .map_err(|error| Failure::Failed(named(&options.patterns, &error)))?;
    let patterns = patterns::read(&bytes).map_err(|error| match &error {
        patterns::Error::Duplicate(_) => Failure::Usage(named(&options.patterns, &error)),
        patterns::Error::When { source_text, diagnostics, .. } => {
            let why: Vec<String> = diagnostics.iter().map(|problem| problem.render(source_text)).collect();
            Failure::Failed(format!("{}\n{}", named(&options.patterns, &error), why.join("\n")))
        }
        _ => Failure::Failed(named(&options.patterns, &error)),
    })?;
    let run = backtest::Options {
        patterns,
        key: options.key.clone(),
        time_field: options.time_field.clone(),
        until: options.until,
        jobs: options.jobs.into(),
    };
    let input =
        input::open(&options.events).map_err(|error| Failure::Failed(named(&options.events, &error)))?;
    let taken = input.taken();
    let bar = bar(&taken);
    let mut show = |progress: Progress| {
        bar.set_position(taken.bytes());
        let seconds = bar.elapsed().as_secs_f64().max(1e-3);
        bar.set_message(format!("{:.0} events/s", progress.lines as f64 / seconds));
    };
    let out = BufWriter::new(super::out());
    let summary = backtest::run(&run, input, out, &mut show).map_err(|error| match error {
        backtest::Error::UntilTooEarly { .. } => Failure::Usage(error.to_string()),
        error => Failure::from(error),
    })?;
    bar.finish_and_clear();
    tell(&summary);
    Ok(ExitCode::SUCCESS)
}

/// A bar of bytes as they lie on the disk, events a second and time left; hidden where no person looks on.
fn bar(taken: &Taken) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match taken.size() {
        Some(size) => (ProgressBar::new(size), "{bar:30} {bytes}/{total_bytes}, {msg}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}, {msg}, {elapsed}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn tell(summary: &Summary) {
    for (line, reason) in &summary.first_skipped {
        say(&format!("line {line}: skipped: {reason}"));
    }
    if summary.without_time > 0 {
        say(&format!("{} events without a usable time: their line number counted", summary.without_time));
    }
    let seconds = summary.elapsed.as_secs_f64();
    say(&format!(
        "{} events, {} skipped, {} matches, {} customers, {seconds:.3} s, {:.0} events/s",
        summary.events,
        summary.skipped,
        summary.matches,
        summary.customers,
        summary.events as f64 / seconds.max(1e-9),
    ));
}
