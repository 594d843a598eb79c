//! Counts and times of what was asked, in Prometheus' text form.
//!
//! Labels come from the route table only, never from a request: their number is bounded.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the duration buckets, in seconds.
const BOUNDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Method, path of the table, status.
type Labels = (&'static str, &'static str, u16);

/// What was asked so far.
#[derive(Default)]
pub struct Metrics {
    requests: Mutex<BTreeMap<Labels, Durations>>,
}

#[derive(Clone, Default)]
struct Durations {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

impl Metrics {
    /// A request was answered.
    pub fn answered(&self, method: &'static str, path: &'static str, status: u16, took: Duration) {
        let seconds = took.as_secs_f64();
        // Whole at every moment that matters: a count that is off by one after a panic is no harm.
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let durations = requests.entry((method, path, status)).or_default();
        durations.count += 1;
        durations.seconds += seconds;
        if let Some(bucket) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            durations.buckets[bucket] += 1;
        }
    }

    /// All of it as text, and the gauges given.
    pub fn render(&self, gauges: &[(&str, &str, u64)]) -> String {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = render(&mut out, &requests, gauges);
        out
    }
}

fn render(
    out: &mut String,
    requests: &BTreeMap<Labels, Durations>,
    gauges: &[(&str, &str, u64)],
) -> std::fmt::Result {
    const NAME: &str = "cxengage_http_request_duration_seconds";
    writeln!(out, "# HELP {NAME} Time from a request's header to its answer.\n# TYPE {NAME} histogram")?;
    for ((method, path, status), durations) in requests {
        let labels = format!("method=\"{method}\",path=\"{path}\",status=\"{status}\"");
        let mut total = 0;
        for (bound, count) in BOUNDS.iter().zip(durations.buckets) {
            total += count;
            writeln!(out, "{NAME}_bucket{{{labels},le=\"{bound}\"}} {total}")?;
        }
        writeln!(out, "{NAME}_bucket{{{labels},le=\"+Inf\"}} {}", durations.count)?;
        writeln!(out, "{NAME}_sum{{{labels}}} {}", durations.seconds)?;
        writeln!(out, "{NAME}_count{{{labels}}} {}", durations.count)?;
    }
    for (name, help, value) in gauges {
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_hold_the_rest_in_infinity() {
        let metrics = Metrics::default();
        for ms in [1, 2, 40_000] {
            metrics.answered("GET", "/healthz", 200, Duration::from_millis(ms));
        }
        let text = metrics.render(&[("cxengage_record_position", "The record's last position.", 7)]);
        let labels = "method=\"GET\",path=\"/healthz\",status=\"200\"";
        for line in [
            format!("cxengage_http_request_duration_seconds_bucket{{{labels},le=\"0.001\"}} 1"),
            format!("cxengage_http_request_duration_seconds_bucket{{{labels},le=\"30\"}} 2"),
            format!("cxengage_http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3"),
            "cxengage_record_position 7".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
