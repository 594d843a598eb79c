//! How things are measured here: ours and its limit in turn, five pairs in one run, all of them told, then medians.
//!
//! Included by the benchmarks of several crates, by its path: no crate stands below all of them.

#![allow(dead_code, clippy::print_stdout, clippy::unwrap_used)]

use std::time::Instant;

/// How often each pair runs.
pub const PAIRS: usize = 5;

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// How many things were done.
    pub count: u64,
    /// Seconds by the clock.
    pub wall: f64,
    /// Seconds of the processor, of all threads.
    pub cpu: f64,
}

impl Run {
    /// Things a second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.wall
    }

    /// Microseconds of the processor for each thing.
    pub fn cost(&self) -> f64 {
        self.cpu * 1e6 / self.count as f64
    }

    /// The line by which a child process tells its run.
    pub fn tell(&self) {
        println!("run {} {} {}", self.count, self.wall, self.cpu);
    }

    /// The run that a child told.
    pub fn told(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("run ")?.split(' ');
        let mut next = || words.next()?.parse::<f64>().ok();
        Some(Self { count: next()? as u64, wall: next()?, cpu: next()? })
    }
}

/// Measures what `work` does; it says how many things that was.
pub fn measured(work: impl FnOnce() -> u64) -> Run {
    let (begun, before) = (Instant::now(), cpu_seconds());
    let count = work();
    Run { count, wall: begun.elapsed().as_secs_f64(), cpu: cpu_seconds() - before }
}

/// A runtime such as the server has.
pub fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Something to be measured.
pub type Measured<'a> = (&'a str, &'a mut dyn FnMut() -> Run);

/// Runs ours and its limits in turn and tells all runs, the medians, and ours as a share of each limit's rate.
pub fn compare(title: &str, mut sides: Vec<Measured<'_>>) {
    println!("\n{title}");
    let mut runs: Vec<Vec<Run>> = vec![Vec::new(); sides.len()];
    for _ in 0..PAIRS {
        for (side, runs) in sides.iter_mut().zip(&mut runs) {
            runs.push((side.1)());
        }
    }
    for ((name, _), runs) in sides.iter().zip(&runs) {
        let each: Vec<String> =
            runs.iter().map(|run| format!("{}/s {:.1} µs", short(run.rate()), run.cost())).collect();
        println!("  {name:34} {}", each.join(" | "));
    }
    let rate = |runs: &[Run]| median(runs.iter().map(Run::rate));
    let cost = |runs: &[Run]| median(runs.iter().map(Run::cost));
    for ((name, _), side) in sides.iter().zip(&runs) {
        println!(
            "  median {name:27} {:>9}/s {:>9.2} µs CPU each | ours is {:.2} of its rate, {:.2} of its CPU",
            short(rate(side)),
            cost(side),
            rate(&runs[0]) / rate(side),
            cost(&runs[0]) / cost(side)
        );
    }
}

fn short(rate: f64) -> String {
    if rate >= 100_000.0 { format!("{:.0}k", rate / 1e3) } else { format!("{rate:.0}") }
}

/// The one in the middle.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Which share of `values` is at most what is answered, e.g. 0.99.
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share) as usize]
}

/// Processor time of this process so far, in hundredths of a second.
pub fn cpu_seconds() -> f64 {
    cpu_seconds_of("self")
}

/// Processor time of a process so far.
pub fn cpu_seconds_of(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split_whitespace().collect();
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// Which benchmarks were asked for on the command line; all, if none was.
pub fn asked(name: &str) -> bool {
    let mut names = std::env::args().skip(1).filter(|arg| arg != "--bench").peekable();
    names.peek().is_none() || names.any(|asked| name.starts_with(asked.as_str()))
}
