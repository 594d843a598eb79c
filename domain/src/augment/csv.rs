//! CSV as RFC 4180 has it, strictly, as it comes in: a row at a time, in constant memory.
//!
//! What two programs could read in two ways is refused with its line: a quote in the middle of a field, text after a
//! closing one, a row with more or fewer fields than the header. Blank lines are passed over, and lines may end in LF
//! alone. Read next: [`Scanner`] (a whole file), [`row`] (one row of a file that is known to be good).

/// The longest row, in bytes of its fields.
pub const ROW_BYTES: usize = 64 * 1024;

/// The most columns.
pub const COLUMNS: usize = 1_000;

/// The most rows below the header.
pub const ROWS: u64 = 10_000_000;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Error {
    /// The line, from 1.
    pub line: u64,
    /// What was found and what was expected.
    pub message: String,
}

/// A row below the header.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Where it begins in the file, in bytes; a mark of UTF-8 before all is not counted.
    pub offset: u64,
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Row<'a> {
    /// Its first field.
    pub fn key(&self) -> &'a str {
        self.ends.first().and_then(|end| self.text.get(..*end)).unwrap_or_default()
    }
}

/// Reads a file piece by piece.
#[derive(Default)]
pub struct Scanner {
    fields: Splitter,
    header: Option<Vec<String>>,
    rows: u64,
    /// How much of a [`MARK`] has come at the beginning; all of it: that is over.
    marked: usize,
    /// Bytes taken in, the mark not counted.
    at: u64,
    /// Where the current row began.
    begun: u64,
    /// Lines that have ended.
    lines: u64,
    /// The line on which the current row began, or its quote was opened.
    row_line: u64,
}

/// The three bytes with which some programs mark a file as UTF-8.
pub const MARK: &[u8; 3] = b"\xef\xbb\xbf";

impl Scanner {
    /// Takes the next piece in; `see` is shown each row below the header.
    ///
    /// # Errors
    /// What is wrong, with its line. The scanner is of no more use then.
    pub fn push(&mut self, piece: &[u8], mut see: impl FnMut(Row<'_>)) -> Result<(), Error> {
        for &byte in piece {
            match MARK.get(self.marked) {
                Some(&mark) if mark == byte => self.marked += 1,
                // What only began like a mark is part of the text.
                Some(_) => {
                    for &held in &MARK[..std::mem::replace(&mut self.marked, MARK.len())] {
                        self.take(held, &mut see)?;
                    }
                    self.take(byte, &mut see)?;
                }
                None => self.take(byte, &mut see)?,
            }
        }
        Ok(())
    }

    fn take(&mut self, byte: u8, see: &mut impl FnMut(Row<'_>)) -> Result<(), Error> {
        if self.fields.is_fresh() {
            (self.begun, self.row_line) = (self.at, self.lines + 1);
        }
        let line = self.lines + 1;
        let complete = self.fields.take(byte).map_err(|message| at(line, message))?;
        self.at += 1;
        if byte == b'\n' {
            self.lines += 1;
        }
        if complete { self.row(see) } else { Ok(()) }
    }

    /// Ends the file: its header, and how many rows came.
    ///
    /// # Errors
    /// It ends in the middle of a row, or has no header.
    pub fn end(mut self, mut see: impl FnMut(Row<'_>)) -> Result<(Vec<String>, u64), Error> {
        match self.fields.end() {
            Ok(true) => self.row(&mut see)?,
            Ok(false) => {}
            Err(message) => return Err(at(self.row_line, message)),
        }
        let none = || at(1, "the file is empty; its first line has to name the columns".into());
        Ok((self.header.take().ok_or_else(none)?, self.rows))
    }

    /// A row is complete: the header at first, then the others.
    fn row(&mut self, see: &mut impl FnMut(Row<'_>)) -> Result<(), Error> {
        let line = self.row_line;
        let text = self.fields.text().map_err(|message| at(line, message))?;
        let ends = &self.fields.ends;
        match &self.header {
            None => {
                let names: Vec<String> = slices(text, ends).map(str::to_owned).collect();
                check_header(&names).map_err(|message| at(line, message))?;
                self.header = Some(names);
            }
            Some(header) if header.len() != ends.len() => {
                let (found, wanted) = (counted(ends.len()), counted(header.len()));
                return Err(at(line, format!("{found} found where the header has {wanted}")));
            }
            Some(_) if self.rows == ROWS => {
                return Err(at(line, format!("a file has at most {ROWS} rows")));
            }
            Some(_) => {
                self.rows += 1;
                see(Row { offset: self.begun, text, ends });
            }
        }
        self.fields.clear();
        Ok(())
    }
}

fn at(line: u64, message: String) -> Error {
    Error { line, message }
}

fn counted(fields: usize) -> String {
    if fields == 1 { "1 field".to_owned() } else { format!("{fields} fields") }
}

/// Names are not empty and, but for the first column's, not repeated.
fn check_header(names: &[String]) -> Result<(), String> {
    if let Some(n) = names.iter().position(String::is_empty) {
        return Err(format!("column {} has no name", n + 1));
    }
    let mut seen = std::collections::HashSet::new();
    match names.iter().skip(1).find(|name| !seen.insert(*name)) {
        Some(twice) => Err(format!("two columns are called {twice:?}")),
        None => Ok(()),
    }
}

/// The fields of the row at the beginning of `text`, which comes from a file that is known to be good.
pub fn row(text: &[u8]) -> Vec<String> {
    let mut fields = Splitter::default();
    for &byte in text {
        match fields.take(byte) {
            Ok(false) => {}
            Ok(true) => break,
            Err(_) => return Vec::new(),
        }
    }
    // A last line may do without its end.
    if fields.end().is_err() {
        return Vec::new();
    }
    fields.text().map(|text| slices(text, &fields.ends).map(str::to_owned).collect()).unwrap_or_default()
}

/// The parts of `text` that end there.
fn slices<'a>(text: &'a str, ends: &'a [usize]) -> impl Iterator<Item = &'a str> {
    let begins = std::iter::once(0).chain(ends.iter().copied());
    begins.zip(ends).map(|(begin, end)| text.get(begin..*end).unwrap_or_default())
}

/// Where in a row the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// At the beginning of a field.
    #[default]
    Begin,
    /// In a field without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote between quotes: the closing one, or the first of two.
    Closed,
    /// After a CR outside quotes.
    Return,
    /// After a CR on a line without anything.
    Blank,
    /// After the end of a row.
    Over,
}

/// Splits one row into its fields, quotes taken off.
#[derive(Default)]
struct Splitter {
    place: Place,
    /// The fields so far, one after the other.
    text: Vec<u8>,
    /// Where in `text` each of them ends.
    ends: Vec<usize>,
}

impl Splitter {
    /// Whether nothing of a row has come yet.
    fn is_fresh(&self) -> bool {
        self.place == Place::Begin && self.ends.is_empty()
    }

    fn clear(&mut self) {
        self.place = Place::Begin;
        self.text.clear();
        self.ends.clear();
    }

    /// Takes a byte in; whether the row is complete with it. After that: [`clear`](Self::clear).
    fn take(&mut self, byte: u8) -> Result<bool, String> {
        if byte == 0 {
            return Err("a NUL character is not text".into());
        }
        self.place = match (self.place, byte) {
            (Place::Return, b'\n') => return Ok(self.over()),
            (Place::Blank, b'\n') => Place::Begin,
            (Place::Return | Place::Blank, _) => {
                return Err("a carriage return without a line feed after it".into());
            }
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Quoted, _) => self.add(byte, Place::Quoted),
            (Place::Begin, b'"') => Place::Quoted,
            (Place::Closed, b'"') => self.add(byte, Place::Quoted),
            (_, b',') => {
                self.ends.push(self.text.len());
                Place::Begin
            }
            (Place::Begin, b'\r') if self.ends.is_empty() => Place::Blank,
            (_, b'\r') => Place::Return,
            // A line without anything is no row.
            (Place::Begin, b'\n') if self.ends.is_empty() => Place::Begin,
            (_, b'\n') => return Ok(self.over()),
            (Place::Closed, _) => {
                return Err("text after a closing quote; a quote between quotes is written twice".into());
            }
            (Place::Plain, b'"') => {
                return Err("a quote in the middle of a field; put the whole field in quotes and write the \
                            quote twice"
                    .into());
            }
            (Place::Begin | Place::Plain | Place::Over, _) => self.add(byte, Place::Plain),
        };
        if self.text.len() > ROW_BYTES {
            return Err(format!("a row has at most {ROW_BYTES} bytes; is a quote not closed?"));
        }
        if self.ends.len() >= COLUMNS {
            return Err(format!("a row has at most {COLUMNS} columns"));
        }
        Ok(false)
    }

    fn add(&mut self, byte: u8, place: Place) -> Place {
        self.text.push(byte);
        place
    }

    fn over(&mut self) -> bool {
        self.ends.push(self.text.len());
        self.place = Place::Over;
        true
    }

    /// The text ends here; whether that ends a row.
    fn end(&mut self) -> Result<bool, String> {
        match self.place {
            Place::Over => Ok(false),
            Place::Begin if self.ends.is_empty() => Ok(false),
            Place::Quoted => Err("a quote is opened in this row and never closed".into()),
            Place::Return | Place::Blank => Err("a carriage return without a line feed after it".into()),
            Place::Begin | Place::Plain | Place::Closed => Ok(self.over()),
        }
    }

    /// The fields as text.
    fn text(&self) -> Result<&str, String> {
        let not_utf8 = |_| "a field is not UTF-8".to_owned();
        let text = std::str::from_utf8(&self.text).map_err(not_utf8)?;
        // Two halves of a character in two fields are none.
        match self.ends.iter().all(|end| text.is_char_boundary(*end)) {
            true => Ok(text),
            false => Err("a field is not UTF-8".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
