//! The matcher against the floor: W1–W5, the hot key and patterns that nothing concerns (docs/performance.md).
//!
//! Floor and matcher run in turn, each in a process of its own, five pairs a workload; all runs, the medians and the
//! ratios of CPU seconds are told. `cargo bench -p engine` runs everything, `cargo bench -p engine -- W1 hot` some of
//! it. Files are made once in the folder `CXENGAGE_BENCH_DATA` (default: one below the system's temporary folder);
//! a `base.jsonl`, `many.jsonl` or `hot.jsonl` that is there already is taken as it is.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod data;
mod floor;
mod patterns;

use std::path::{Path, PathBuf};
use std::process::Command;

use engine::backtest::{self, Options, input};

/// How often each pair runs.
const PAIRS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["floor", file] => tell(floor::read(Path::new(file))),
        ["match", name, jobs, file] => tell(matched(name, jobs.parse().unwrap(), Path::new(file))),
        names => compare(names),
    }
}

/// What a run came to.
#[derive(Clone, Copy)]
struct Run {
    cpu: f64,
    wall: f64,
    peak_mib: f64,
    count: u64,
}

/// A child's last words.
fn tell((count, wall): (u64, f64)) {
    println!("{} {wall} {} {count}", cpu_seconds(), peak_mib());
}

fn matched(name: &str, jobs: usize, file: &Path) -> (u64, f64) {
    let options = Options {
        patterns: patterns::of(name),
        key: "user".into(),
        time_field: "ts".into(),
        until: None,
        jobs,
    };
    let input = input::open(file).unwrap();
    let summary = backtest::run(&options, input, std::io::sink(), &mut |_| {}).unwrap();
    (summary.matches, summary.elapsed.as_secs_f64())
}

fn compare(names: &[&str]) {
    let folder = std::env::var_os("CXENGAGE_BENCH_DATA")
        .map_or_else(|| std::env::temp_dir().join("cxengage-bench"), PathBuf::from);
    println!(
        "workload  CPU s: floor, matcher (each of {PAIRS} pairs) | median floor, matcher, ratio | peak MiB | matches"
    );
    for name in patterns::NAMES {
        if names.is_empty() || names.contains(&name) {
            let file = data::file(&folder, patterns::file_of(name));
            pairs(name, &file);
        }
    }
}

fn pairs(name: &str, file: &Path) {
    let file = file.to_str().unwrap();
    let (workload, jobs) = name.split_once("/jobs").unwrap_or((name, "1"));
    let copies = jobs.parse().unwrap();
    let runs: Vec<(Run, Run)> = (0..PAIRS)
        .map(|_| (side_by_side(copies, &["floor", file]), child(&["match", workload, jobs, file])))
        .collect();
    print!("{name:9}");
    runs.iter().for_each(|(floor, ours)| print!(" {:.3},{:.3}", floor.cpu, ours.cpu));
    let floor = median(runs.iter().map(|(floor, _)| floor.cpu));
    let ours = median(runs.iter().map(|(_, ours)| ours.cpu));
    let peak = runs.iter().map(|(_, ours)| ours.peak_mib).fold(0.0, f64::max);
    let matches = runs[0].1.count;
    println!(" | {floor:.3} {ours:.3} {:.2} F | {peak:.0} | {matches}", ours / floor);
    if copies > 1 {
        let walls = runs.iter().map(|(floor, ours)| copies as f64 * ours.wall / floor.wall);
        println!("          wall: {:.2} of {copies} floors side by side, by event", 1.0 / median(walls));
    }
}

/// So many children at the same time: the CPU of one, the time of the longest.
fn side_by_side(copies: usize, args: &[&str]) -> Run {
    let runs: Vec<Run> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..copies).map(|_| scope.spawn(|| child(args))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let wall = runs.iter().map(|run| run.wall).fold(0.0, f64::max);
    Run { wall, ..runs[0] }
}

fn child(args: &[&str]) -> Run {
    let output = Command::new(std::env::current_exe().unwrap()).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    Run {
        cpu: words[0].parse().unwrap(),
        wall: words[1].parse().unwrap(),
        peak_mib: words[2].parse().unwrap(),
        count: words[3].parse().unwrap(),
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The CPU time of this process so far. The scheduler's own count knows nanoseconds but only of the main thread; the
/// process's, in hundredths of a second, is taken where other threads have worked.
fn cpu_seconds() -> f64 {
    let main = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    let main = main.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    let all = ticks / 100.0;
    if all > main + 0.02 { all } else { main }
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}
