//! Rough input: whatever the bytes are, lines are counted or refused with their number, alike on any number of threads.

use std::io::{self, Read, Write};

use super::tests::{options, told, workload};
use super::*;

const PAIR: &str = r#"(within 1 hours (count 2 (event (= CallAction "abandoned"))))"#;

/// Gives out some bytes, then fails.
struct Breaks<'a>(&'a [u8]);

impl Read for Breaks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("the file has vanished")),
            read => Ok(read),
        }
    }
}

#[test]
fn input_that_breaks_off_is_told_with_the_last_line_that_was_read() {
    let (text, _) = workload(5_000, 50);
    for jobs in [1, 3] {
        for read in [0, 1, text.len() / 2, text.len()] {
            let error = run(&options(&[("p", PAIR)], jobs), Breaks(&text[..read]), io::sink(), &mut |_| {});
            let Err(Error::Input { line, error }) = error else { panic!("{error:?}") };
            let lines = text[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
            assert!(line <= lines && error.to_string().contains("vanished"), "{line} of {lines}");
        }
    }
}

#[test]
fn compressed_input_is_told_by_its_name_and_refused_where_it_is_cut() {
    let (text, _) = workload(20_000, 50);
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&text).unwrap();
    let packed = [
        ("e.gz", gzip.finish().unwrap()),
        ("e.zst", zstd::encode_all(&text[..], 1).unwrap()),
        ("e.jsonl", text),
    ];
    let options = options(&[("p", PAIR)], 1);
    let mut all = Vec::new();
    for (name, bytes) in &packed {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let mut out = Vec::new();
        let input = input::open(&path).unwrap();
        let (taken, mut before) = (input.taken(), 0);
        // What is taken is told in the file's own bytes, and as it goes.
        let mut show = |_| {
            assert!(taken.bytes() >= before && taken.bytes() > 0);
            before = taken.bytes();
        };
        run(&options, input, &mut out, &mut show).unwrap();
        assert_eq!((taken.bytes(), taken.size()), (bytes.len() as u64, Some(bytes.len() as u64)), "{name}");
        all.push(out);
        if *name != "e.jsonl" {
            std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            let cut = run(&options, input::open(&path).unwrap(), io::sink(), &mut |_| {});
            assert!(matches!(cut, Err(Error::Input { line: 1.., .. })), "{name}: {cut:?}");
        }
    }
    assert!(!all[0].is_empty() && all.iter().all(|out| *out == all[0]));
    assert!(input::open(&folder.path().join("nowhere.jsonl")).is_err());
    let folder = input::open(folder.path()).map(|input| run(&options, input, io::sink(), &mut |_| {}));
    assert!(matches!(folder, Err(_) | Ok(Err(Error::Input { line: 0, .. }))));
}

/// What is put in here and there: what is no UTF-8, no JSON, no line, no time, or too much of it.
fn rough() -> Vec<Vec<u8>> {
    let long = |size: usize| format!("{{\"user\":\"u1\",\"x\":\"{}\"}}\n", "y".repeat(size)).into_bytes();
    let utf16: Vec<u8> = "{\"user\":\"u\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        b"\xff\xfe".to_vec(),
        b"\xef\xbb\xbf{\"user\":\"u1\"}\n".to_vec(),
        b"{\"user\":\"\xc3\x28\"}\n".to_vec(),
        b"\0\0\0\n".to_vec(),
        b"\n\n\r\n".to_vec(),
        utf16,
        long(input::LONGEST_LINE - 30),
        long(input::LONGEST_LINE + 1),
        long(3 * input::LONGEST_LINE),
        b"[".repeat(100_000),
        b"{\"user\":".repeat(3_000),
        br#"{"user":"u1","ts":-9223372036854775808,"CallAction":"abandoned"}"#.to_vec(),
        b"\n{\"user\":\"u1\",\"ts\":9e999,\"CallAction\":\"abandoned\"}\n".to_vec(),
        b"{\"user\":\"u1\",\"ts\":\"2300-01-01T00:00:00Z\"}\n".to_vec(),
        b"{\"user\":1e400,\"ts\":1}\n{\"user\":{},\"ts\":1}\n{\"ts\":1,\"user\":null}\n".to_vec(),
    ]
}

#[test]
fn rough_bytes_are_counted_alike_on_any_number_of_threads() {
    let (text, _) = workload(3_000, 20);
    let rough = rough();
    let mut seed = 0x5eed_u64;
    let mut draw = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % bound
    };
    for round in 0..25 {
        let mut bytes = text.clone();
        for _ in 0..draw(6) {
            let at = draw(bytes.len());
            bytes.splice(at..at, rough[draw(rough.len())].iter().copied());
        }
        for _ in 0..draw(30) {
            let at = draw(bytes.len());
            bytes[at] ^= 1 << draw(8);
        }
        bytes.truncate(bytes.len() - draw(200));
        let ends = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let lines = ends + u64::from(bytes.last() != Some(&b'\n'));
        let (summary, out) = told(&options(&[("p", PAIR)], 1), &bytes, order::HELD).unwrap();
        assert_eq!(summary.events + summary.skipped, lines, "round {round}");
        for jobs in [2, 5] {
            let (again, same) = told(&options(&[("p", PAIR)], jobs), &bytes, order::HELD).unwrap();
            assert!(same == out, "round {round}, {jobs} jobs");
            assert_eq!(Summary { elapsed: summary.elapsed, ..again }, summary, "round {round}, {jobs} jobs");
        }
    }
}

#[test]
fn a_time_that_goes_backwards_counts_as_the_one_before_it() {
    let line = |user: &str, time: i64| {
        format!("{{\"user\":\"{user}\",\"CallAction\":\"abandoned\",\"ts\":{time}}}\n")
    };
    let hour = 3_600_000;
    // As if at one hour: the pair is within it. Another customer's time is their own.
    let text = [line("a", hour), line("b", 5), line("a", 0), line("b", hour + 6)].concat();
    let (_, out) = told(&options(&[("p", PAIR)], 1), text.as_bytes(), order::HELD).unwrap();
    assert_eq!(out, format!("{{\"pattern\":\"p\",\"key\":\"a\",\"at\":{hour},\"events\":[1,3]}}\n"));
}
