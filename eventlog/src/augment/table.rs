//! A CSV to look things up in: the text as it came, and where each key's row begins.
//!
//! Besides the text itself a row costs some 10 bytes; a lookup reads that one row. Which file is good was decided
//! when it was uploaded (`domain::augment::csv`).

use std::hash::{BuildHasher, RandomState};

use domain::augment::csv::{self, MARK, Scanner};
use domain::json::{Json, Object};
use hashbrown::HashTable;

/// A file that can be looked into.
pub struct Table {
    text: Vec<u8>,
    header: Vec<String>,
    /// Offsets of rows, by the hash of their keys. Random, so that no file can be made to collide.
    rows: HashTable<u32>,
    hasher: RandomState,
}

/// A table on its way.
pub(super) struct Builder {
    scanner: Scanner,
    table: Table,
}

impl Builder {
    /// Room for a file of that length and that many rows.
    pub(super) fn new(bytes: usize, rows: usize) -> Self {
        let table = Table {
            text: Vec::with_capacity(bytes),
            header: Vec::new(),
            rows: HashTable::with_capacity(rows),
            hasher: RandomState::new(),
        };
        Self { scanner: Scanner::default(), table }
    }

    /// Takes the next piece in.
    ///
    /// # Errors
    /// What is wrong with it: then it is not what was uploaded.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<(), csv::Error> {
        // The scanner does not count a mark of UTF-8 in its offsets.
        let marked = self.table.text.is_empty() && piece.starts_with(MARK);
        let table = &mut self.table;
        table.text.extend_from_slice(if marked { &piece[MARK.len()..] } else { piece });
        self.scanner.push(piece, |row| table.insert(row.key(), row.offset))
    }

    /// The table.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(super) fn end(self) -> Result<Table, csv::Error> {
        let Self { scanner, mut table } = self;
        let (header, _) = scanner.end(|row| table.insert(row.key(), row.offset))?;
        table.header = header;
        Ok(table)
    }
}

impl Table {
    /// About how many bytes it takes up.
    pub(super) fn weight(&self) -> usize {
        self.text.capacity() + self.rows.capacity() * 5
    }

    /// The attribute that is looked up.
    pub(super) fn attribute(&self) -> &str {
        self.header.first().map_or("", String::as_str)
    }

    /// What stands beside a key, by the names of the columns.
    pub(super) fn get(&self, key: &str) -> Option<Object> {
        let offset = self.rows.find(self.hasher.hash_one(key), |row| self.key_at(*row) == key)?;
        let names = self.header.iter().skip(1).cloned();
        Some(names.zip(self.row(*offset).into_iter().skip(1).map(Json::Text)).collect())
    }

    /// Of rows with one key the later counts.
    fn insert(&mut self, key: &str, offset: u64) {
        let hash = self.hasher.hash_one(key);
        // A file is not as long as that.
        let Ok(offset) = u32::try_from(offset) else { return };
        let (text, hasher) = (&self.text, &self.hasher);
        match self.rows.find_mut(hash, |row| key_at(text, *row) == key) {
            Some(row) => *row = offset,
            None => {
                self.rows.insert_unique(hash, offset, |row| hasher.hash_one(key_at(text, *row)));
            }
        }
    }

    fn key_at(&self, offset: u32) -> String {
        key_at(&self.text, offset)
    }

    fn row(&self, offset: u32) -> Vec<String> {
        row(&self.text, offset)
    }
}

fn row(text: &[u8], offset: u32) -> Vec<String> {
    text.get(offset as usize..).map(csv::row).unwrap_or_default()
}

fn key_at(text: &[u8], offset: u32) -> String {
    row(text, offset).into_iter().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str, piece: usize) -> Table {
        let mut builder = Builder::new(0, 0);
        text.as_bytes().chunks(piece).for_each(|piece| builder.push(piece).unwrap());
        builder.end().unwrap()
    }

    fn found(table: &Table, key: &str) -> Option<String> {
        table.get(key).map(|object| object.to_string())
    }

    #[test]
    fn the_row_of_a_key_is_found_and_a_later_one_wins() {
        let text = "\u{feff}segment,segment,of\nGold,Platinum,1\n\"Si\"\"lver\",\"x,\ny\",2\nGold,Diamond,3";
        for piece in [3, 5, 1_000] {
            let table = table(text, piece);
            assert_eq!(table.attribute(), "segment");
            assert_eq!(found(&table, "Gold").unwrap(), r#"{"segment":"Diamond","of":"3"}"#, "{piece}");
            assert_eq!(found(&table, "Si\"lver").unwrap(), r#"{"segment":"x,\ny","of":"2"}"#);
            assert_eq!(found(&table, "gold"), None);
            assert_eq!(found(&table, ""), None);
        }
    }

    #[test]
    fn every_one_of_many_rows_is_found() {
        let mut text = String::from("id,name\n");
        (0..50_000).for_each(|n| text.push_str(&format!("{n},name {n}\n")));
        let table = table(&text, 4_096);
        for n in (0..50_000).step_by(7) {
            assert_eq!(found(&table, &n.to_string()).unwrap(), format!(r#"{{"name":"name {n}"}}"#));
        }
        assert_eq!(found(&table, "50000"), None);
    }
}
