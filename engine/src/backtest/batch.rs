//! Events of some lines, reduced to what matching needs, side by side.

use std::hash::{BuildHasher, Hasher};

use rustc_hash::FxBuildHasher;

use crate::matching::{Met, Touched};

/// Events in the order of their lines.
#[derive(Default)]
pub(super) struct Batch {
    keys: String,
    pub touched: Touched,
    events: Vec<Event>,
}

struct Event {
    line: u64,
    time: i64,
    hash: u64,
    /// Where its key ends, and what it touches: it begins where those of the event before end.
    key_end: usize,
    touched_end: usize,
}

/// An event as matching sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanned<'a> {
    pub line: u64,
    pub key: &'a str,
    /// [`hash`] of the key.
    pub hash: u64,
    pub time: i64,
    pub touched: &'a [(u32, Met)],
}

/// What a key is found by.
pub(super) fn hash(key: &str) -> u64 {
    let mut hasher = FxBuildHasher.build_hasher();
    hasher.write(key.as_bytes());
    hasher.finish()
}

impl Batch {
    /// Takes everything out, keeping the room.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.touched.clear();
        self.events.clear();
    }

    /// Adds an event, after what it touches has been added to `touched`.
    pub fn push(&mut self, line: u64, key: &str, hash: u64, time: i64) {
        self.keys.push_str(key);
        let (key_end, touched_end) = (self.keys.len(), self.touched.len());
        self.events.push(Event { line, time, hash, key_end, touched_end });
    }

    /// The hashes of the keys of events from a place on.
    pub fn hashes(&self, from: usize) -> impl Iterator<Item = u64> {
        self.events.get(from..).unwrap_or_default().iter().map(|event| event.hash)
    }

    /// The events.
    pub fn iter(&self) -> impl Iterator<Item = Scanned<'_>> {
        let (mut key, mut touched) = (0, 0);
        self.events.iter().map(move |event| {
            let scanned = Scanned {
                line: event.line,
                key: self.keys.get(key..event.key_end).unwrap_or_default(),
                hash: event.hash,
                time: event.time,
                touched: self.touched.get(touched..event.touched_end).unwrap_or_default(),
            };
            (key, touched) = (event.key_end, event.touched_end);
            scanned
        })
    }
}
