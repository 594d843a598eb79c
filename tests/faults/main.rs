//! The fault proofs: the real binary with faults on order (`cxengage-with-faults`), killed, cut off and damaged, and
//! an audit with books of its own. `tests/run` builds that binary first.

mod absent;
mod apart;
mod audit;
mod book;
mod campaign;
mod checkpoint;
mod clock;
mod damage;
mod disk;
mod full;
mod keys;
mod kills;
mod load;
mod power;
mod servers;
mod walls;

/// The seed of this run: `CXENGAGE_SEED`, or the time.
fn seed() -> u64 {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros() as u64);
    set("CXENGAGE_SEED").unwrap_or(now)
}

/// A number from the environment.
fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Figures, for whoever reads the log of a run.
#[expect(clippy::print_stderr, reason = "a run tells its seed and figures")]
fn tell(figures: &str) {
    eprintln!("{figures}");
}
