//! Customers' events drawn from a small generator: uniform or skewed users, some types, a call action, a segment.
//!
//! One line in 1,000 is broken, in an attribute that no pattern reads.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What a file holds.
struct Shape {
    events: u64,
    users: u64,
    types: u64,
    skewed: bool,
    /// Of 100 events: abandoned, answered, inqueue.
    odds: [u64; 3],
}

/// The path of a file, which is made if it is not there.
pub fn file(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    if !path.exists() {
        std::fs::create_dir_all(folder).unwrap();
        let being_made = path.with_extension("being-made");
        write(&being_made, name);
        std::fs::rename(&being_made, &path).unwrap();
    }
    path
}

fn write(path: &Path, name: &str) {
    let even = Shape { events: 1_000_000, users: 100_000, types: 10, skewed: false, odds: [5, 5, 5] };
    let hot = Shape { events: 200_000, skewed: true, odds: [5, 40, 0], ..even };
    let shape = match name {
        "many.jsonl" => Shape { types: 1_000, ..even },
        "hot.jsonl" => hot,
        "hot25k.jsonl" => Shape { events: 25_000, ..hot },
        _ => even,
    };
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    match name {
        "wide.jsonl" => {
            for n in 0..1_000_000_u64 {
                writeln!(out, r#"{{"user":"c{n:07}","eventType":"opens","ts":{}}}"#, 1_700_000_000_000 + n)
                    .unwrap();
            }
        }
        _ => events(&shape, &mut out),
    }
    out.flush().unwrap();
}

fn events(shape: &Shape, out: &mut impl Write) {
    let mut dice = Dice(0x5eed);
    let weights: Vec<f64> = (1..=shape.users)
        .scan(0.0, |sum, rank| {
            *sum += 1.0 / rank as f64;
            Some(*sum)
        })
        .collect();
    let total = weights.last().copied().unwrap_or_default();
    let mut time = 1_700_000_000_000_u64;
    for line in 0..shape.events {
        let user = match shape.skewed {
            true => {
                let drawn = dice.share() * total;
                let rank = weights.partition_point(|sum| *sum < drawn) as u64;
                // Active users are spread over the names.
                rank.wrapping_mul(0x9e37_79b9) % shape.users
            }
            false => dice.below(shape.users),
        };
        let kind = match dice.below(shape.types + 2) {
            n if n < shape.types => format!("t{n}"),
            n if n == shape.types => "flcheck".into(),
            _ => "cnclticket".into(),
        };
        let [abandoned, answered, inqueue] = shape.odds;
        let action = match dice.below(100) {
            n if n < abandoned => "abandoned",
            n if n < abandoned + answered => "answered",
            n if n < abandoned + answered + inqueue => "inqueue",
            _ => "none",
        };
        let segment = match dice.below(100) {
            0..2 => "platinum",
            2..10 => "gold",
            _ => "none",
        };
        let amount = dice.below(1_000);
        time += 1 + dice.below(10);
        write!(out, r#"{{"user":"c{user:06}","eventType":"{kind}","CallAction":"{action}","#).unwrap();
        write!(out, r#""customerSegment":"{segment}","amount":"#).unwrap();
        match line % 1_000 {
            999 => out.write_all(BROKEN[(line / 1_000) as usize % BROKEN.len()]).unwrap(),
            _ => write!(out, "{amount}").unwrap(),
        }
        writeln!(out, r#","ts":{time}}}"#).unwrap();
    }
}

const BROKEN: [&[u8]; 6] = [b"05", b"1.", b"\"\\x\"", b"\"\xff\"", b"tru", b"[1,]"];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
