//! The order of the output: held in memory up to a bound, beyond it in sorted temporary files that are merged.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};

use serde::Serialize;

use super::Error;
use crate::matching::Found;

/// How many bytes of matches are held in memory.
pub(super) const HELD: usize = 64 * 1024 * 1024;

/// A match as it waits for its turn. The order of the fields is the order of the output; a pattern's place is the rank
/// of its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Held {
    at: i64,
    pattern: u32,
    key: Box<str>,
    events: Vec<u64>,
}

impl Held {
    pub fn new(found: Found, pattern: u32, key: &str) -> Self {
        Self { at: found.at, pattern, key: key.into(), events: found.witness }
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.events.len() * size_of::<u64>()
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.at.to_le_bytes())?;
        out.write_all(&self.pattern.to_le_bytes())?;
        out.write_all(&(self.key.len() as u64).to_le_bytes())?;
        out.write_all(self.key.as_bytes())?;
        out.write_all(&(self.events.len() as u64).to_le_bytes())?;
        self.events.iter().try_for_each(|event| out.write_all(&event.to_le_bytes()))
    }

    fn read(input: &mut impl Read) -> io::Result<Self> {
        let at = i64::from_le_bytes(bytes(input)?);
        let pattern = u32::from_le_bytes(bytes(input)?);
        let mut key = String::new();
        let length = u64::from_le_bytes(bytes(input)?);
        if input.take(length).read_to_string(&mut key)? as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let events = u64::from_le_bytes(bytes(input)?);
        let events = (0..events).map(|_| Ok(u64::from_le_bytes(bytes(input)?))).collect::<io::Result<_>>()?;
        Ok(Self { at, pattern, key: key.into(), events })
    }
}

fn bytes<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Matches in no order yet, and how many bytes of them may be held.
pub(super) struct Order {
    held: Vec<Held>,
    size: usize,
    limit: usize,
    spilled: Vec<Run>,
}

/// A sorted file.
struct Run {
    file: File,
    matches: u64,
}

impl Order {
    pub fn new(limit: usize) -> Self {
        Self { held: Vec::new(), size: 0, limit, spilled: Vec::new() }
    }

    pub fn hold(&mut self, held: Held) -> Result<(), Error> {
        self.size += held.size();
        self.held.push(held);
        if self.size > self.limit { self.spill().map_err(Error::Spill) } else { Ok(()) }
    }

    /// Sorts what is held in memory.
    pub fn sort(&mut self) {
        self.held.sort_unstable();
    }

    fn spill(&mut self) -> io::Result<()> {
        self.sort();
        let mut out = BufWriter::new(tempfile::tempfile()?);
        self.held.iter().try_for_each(|held| held.write(&mut out))?;
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.spilled.push(Run { file, matches: self.held.len() as u64 });
        self.held.clear();
        self.size = 0;
        Ok(())
    }

    fn into_sources(mut self) -> Vec<Source> {
        self.sort();
        let memory = Source::Memory(self.held.into_iter());
        let files = self.spilled.into_iter().map(|run| Source::File(BufReader::new(run.file), run.matches));
        files.chain([memory]).collect()
    }
}

/// Sorted matches.
enum Source {
    Memory(std::vec::IntoIter<Held>),
    File(BufReader<File>, u64),
}

impl Source {
    fn next(&mut self) -> io::Result<Option<Held>> {
        match self {
            Self::Memory(held) => Ok(held.next()),
            Self::File(_, 0) => Ok(None),
            Self::File(file, left) => {
                *left -= 1;
                Held::read(file).map(Some)
            }
        }
    }
}

/// A line of the output.
#[derive(Serialize)]
struct Line<'a> {
    pattern: &'a str,
    key: &'a str,
    at: i64,
    events: &'a [u64],
}

/// Writes all matches in order; how many there were. `ids` are the patterns' by rank.
pub(super) fn write(orders: Vec<Order>, ids: &[&str], out: &mut impl Write) -> Result<u64, Error> {
    let mut sources: Vec<Source> = orders.into_iter().flat_map(Order::into_sources).collect();
    let mut heads = BinaryHeap::with_capacity(sources.len());
    for (number, source) in sources.iter_mut().enumerate() {
        heads.extend(source.next().map_err(Error::Spill)?.map(|held| Reverse((held, number))));
    }
    let mut out = BufWriter::new(out);
    let mut written = 0;
    while let Some(Reverse((held, number))) = heads.pop() {
        let line = Line {
            pattern: ids.get(held.pattern as usize).copied().unwrap_or_default(),
            key: &held.key,
            at: held.at,
            events: &held.events,
        };
        serde_json::to_writer(&mut out, &line).map_err(|e| Error::Output(e.into()))?;
        out.write_all(b"\n").map_err(Error::Output)?;
        written += 1;
        if let Some(source) = sources.get_mut(number) {
            heads.extend(source.next().map_err(Error::Spill)?.map(|held| Reverse((held, number))));
        }
    }
    out.flush().map_err(Error::Output)?;
    Ok(written)
}
