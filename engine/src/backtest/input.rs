//! Events' bytes: opened, decompressed, and cut into blocks of whole lines.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{Error, Progress};

/// The longest line that is an event, in bytes.
pub const LONGEST_LINE: usize = 256 * 1024;

/// About how much is handed on at a time: little enough to stay in a core's cache.
const BLOCK: usize = 128 * 1024;

/// Events' bytes, decompressed as they are read.
pub struct Input {
    bytes: Box<dyn Read + Send>,
    taken: Taken,
}

/// How much of a file has been taken, as it lies on the disk.
#[derive(Clone, Debug)]
pub struct Taken {
    bytes: Arc<AtomicU64>,
    size: Option<u64>,
}

impl Taken {
    /// Its bytes so far: compressed ones, if it is compressed.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// All that it has; nothing is known of a pipe's.
    pub fn size(&self) -> Option<u64> {
        self.size
    }
}

/// What is read on its way out of a file, counted.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

impl Input {
    /// How much of the file has been taken, now and while it is read.
    pub fn taken(&self) -> Taken {
        self.taken.clone()
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

/// Opens a file of events; `-` is standard input. `.gz` and `.zst` are decompressed.
///
/// # Errors
/// The operating system's.
pub fn open(path: &Path) -> io::Result<Input> {
    let counter = Arc::new(AtomicU64::new(0));
    if path == Path::new("-") {
        let bytes = Box::new(Counted(io::stdin(), counter.clone()));
        return Ok(Input { bytes, taken: Taken { bytes: counter, size: None } });
    }
    let file = File::open(path)?;
    let size = Some(file.metadata()?).filter(|metadata| metadata.is_file()).map(|metadata| metadata.len());
    let file = Counted(file, counter.clone());
    let bytes: Box<dyn Read + Send> = match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some("zst") => Box::new(zstd::Decoder::new(file)?),
        _ => Box::new(file),
    };
    Ok(Input { bytes, taken: Taken { bytes: counter, size } })
}

/// Lines that follow one another.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Whole lines, each but perhaps the file's last ended by a line feed.
    Lines {
        /// The number of the first, from 1.
        first: u64,
        /// Their bytes.
        bytes: Vec<u8>,
    },
    /// A line that is too long to be kept.
    TooLong(u64),
}

/// Cuts what is read into blocks, holding no more than a block and a line.
pub(super) struct Blocks<R> {
    input: R,
    /// What has been read and not been handed on: the beginning of a line.
    rest: Vec<u8>,
    /// The room of blocks that are done with.
    spare: Vec<Vec<u8>>,
    read: Progress,
    /// Whether the line in hand is too long and is passed over.
    passing: bool,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            rest: Vec::new(),
            spare: Vec::new(),
            read: Progress::default(),
            passing: false,
            ended: false,
        }
    }

    pub fn progress(&self) -> Progress {
        self.read
    }

    /// Takes back the room of a block that is done with.
    pub fn recycle(&mut self, bytes: Vec<u8>) {
        self.spare.push(bytes);
    }

    /// The next block.
    pub fn next(&mut self) -> Result<Option<Block>, Error> {
        if self.passing && !self.pass()? {
            return Ok(None);
        }
        while !self.ended && (self.rest.len() < BLOCK || self.is_short_of_an_end()) {
            self.fill()?;
        }
        if self.rest.is_empty() {
            return Ok(None);
        }
        let whole = match memchr::memrchr(b'\n', &self.rest) {
            Some(end) => end + 1,
            None if self.ended => self.rest.len(),
            None => 0,
        };
        if whole > 0 {
            return Ok(Some(self.take(whole)));
        }
        // More than an event may have without a line's end: what is left of it is passed over.
        self.passing = true;
        self.read.lines += 1;
        Ok(Some(Block::TooLong(self.read.lines)))
    }

    fn is_short_of_an_end(&self) -> bool {
        self.rest.len() <= LONGEST_LINE && memchr::memrchr(b'\n', &self.rest).is_none()
    }

    fn take(&mut self, whole: usize) -> Block {
        let mut rest = self.spare.pop().unwrap_or_default();
        rest.clear();
        rest.reserve(BLOCK * 2);
        rest.extend_from_slice(&self.rest[whole..]);
        let mut bytes = std::mem::replace(&mut self.rest, rest);
        bytes.truncate(whole);
        let first = self.read.lines + 1;
        let ends = memchr::memchr_iter(b'\n', &bytes).count();
        self.read.lines += ends as u64 + u64::from(bytes.last() != Some(&b'\n'));
        Block::Lines { first, bytes }
    }

    /// Drops what belongs to the line in hand; whether there is more after it.
    fn pass(&mut self) -> Result<bool, Error> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.rest) {
                self.rest.drain(..=end);
                self.passing = false;
                return Ok(true);
            }
            self.rest.clear();
            if self.ended {
                return Ok(false);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        let before = self.rest.len();
        let step = &mut (&mut self.input).take((BLOCK / 2) as u64);
        let read = loop {
            match step.read_to_end(&mut self.rest) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let line = self.read.lines;
        read.map_err(|error| Error::Input { line, error })?;
        let got = self.rest.len() - before;
        self.ended = got == 0;
        self.read.bytes += got as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives out what it has a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(self.0.len()).min(buffer.len());
            buffer[..step].copy_from_slice(&self.0[..step]);
            self.0 = &self.0[step..];
            Ok(step)
        }
    }

    #[test]
    fn lines_keep_their_numbers_around_one_without_end() {
        let long = vec![b'x'; 3 * BLOCK];
        let text = [b"one\ntwo\n", &long[..], b"\nfour\nfive"].concat();
        for drip in [7_000, 100_000, text.len()] {
            let mut blocks = Blocks::new(Drip(&text, drip));
            let (mut lines, mut too_long) = (Vec::new(), Vec::new());
            while let Some(block) = blocks.next().unwrap() {
                match block {
                    Block::TooLong(line) => too_long.push(line),
                    Block::Lines { first, bytes } => {
                        assert!(bytes.len() <= LONGEST_LINE + BLOCK);
                        let text = String::from_utf8(bytes).unwrap();
                        lines.extend((first..).zip(text.lines().map(str::to_owned).collect::<Vec<_>>()));
                    }
                }
            }
            let expected = [(1, "one"), (2, "two"), (4, "four"), (5, "five")];
            assert_eq!(lines, expected.map(|(n, text)| (n, text.to_owned())));
            assert_eq!((too_long, blocks.progress().bytes), (vec![3], text.len() as u64));
        }
    }
}
