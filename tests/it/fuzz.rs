//! Every door that takes texts, against texts that nobody would write: a bounded time with one seed here, the whole
//! corpus each time; longer with `CXENGAGE_FUZZ_SECONDS` and other seeds with `CXENGAGE_FUZZ_SEED` (`tests/run
//! --full`), or with libFuzzer: `cargo +nightly fuzz run when` in the workspace's folder.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use system_tests::fuzz::TARGETS;
use system_tests::fuzz::mutate::mutated;
use system_tests::property::dice::Dice;

/// What no input may take, on a machine that does nothing else.
const SLOWEST: Duration = Duration::from_secs(1);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(kind).join(target)
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder("corpus", target)).expect("a corpus");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("read")).collect()
}

/// Puts an input where it can be looked at, and says where.
fn keep(target: &str, input: &[u8]) -> PathBuf {
    let to = folder("artifacts", target);
    std::fs::create_dir_all(&to).expect("made");
    let name = input.iter().fold(0u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    let file = to.join(format!("{name:016x}"));
    std::fs::write(&file, input).expect("written");
    file
}

#[expect(clippy::print_stderr, reason = "a measurement is shown where the harness of cargo shows it")]
fn report(line: &str) {
    eprintln!("{line}");
}

#[test]
fn no_text_makes_a_door_panic_or_hang() {
    let seconds = number("CXENGAGE_FUZZ_SECONDS", 4);
    let seed = number("CXENGAGE_FUZZ_SEED", 1);
    for (name, door) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has a corpus");
        let mut dice = Dice::new(seed);
        let (mut runs, mut slowest) = (0u64, (Duration::ZERO, Vec::new()));
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut fixed = corpus.clone().into_iter();
        while Instant::now() < end || fixed.len() > 0 {
            let input = fixed.next().unwrap_or_else(|| mutated(&mut dice, &corpus));
            let begun = Instant::now();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| door(&input))) {
                report(&format!("{name}, seed {seed}, run {runs}: {}", keep(name, &input).display()));
                resume_unwind(panic);
            }
            runs += 1;
            let took = begun.elapsed();
            if took > slowest.0 {
                slowest = (took, input);
            }
        }
        report(&format!(
            "{name}: seed {seed}, {runs} runs, slowest {:?} ({} bytes)",
            slowest.0,
            slowest.1.len()
        ));
        if slowest.0 > SLOWEST {
            // Others may have had the machine: it has to be slow by itself.
            let begun = Instant::now();
            door(&slowest.1);
            let took = begun.elapsed();
            assert!(took <= SLOWEST, "{name}: {took:?} for {}", keep(name, &slowest.1).display());
        }
    }
}
