//! The names that lines have, and which came after which.

use rustc_hash::FxHashMap;

use super::Kind;
use super::cursor::word;

/// What every line begins with.
pub(super) const FIRST: usize = 0;

/// How many different names are kept, and the longest, in words. Others are read anew each time.
const KEPT: usize = 1_024;
const WORDS: usize = 4;

/// Names as they were met.
#[derive(Debug)]
pub(super) struct Tokens {
    /// The first two stand for the beginning of a line and for a name that is not kept.
    list: Vec<Token>,
    numbers: FxHashMap<Box<str>, usize>,
    /// The places of the members that may be asked for.
    members: FxHashMap<Box<str>, usize>,
}

/// Stands for a name that is not kept.
const OTHER: usize = 1;

#[derive(Clone, Debug, Default)]
struct Token {
    /// The name in quotes with its colon, and its length in bytes.
    words: [u64; WORDS],
    len: usize,
    member: Option<usize>,
    /// What came after it.
    next: usize,
}

impl Tokens {
    pub fn new(members: FxHashMap<&str, usize>) -> Self {
        let members = members.into_iter().map(|(name, place)| (name.into(), place)).collect();
        Self { list: vec![Token::default(); 2], numbers: FxHashMap::default(), members }
    }

    /// The name that stands at a place, its member and its end, if it is the one that came after `last` before.
    #[inline]
    pub fn guess(&self, last: usize, bytes: &[u8], at: usize) -> Option<(usize, Option<usize>, usize)> {
        let next = self.list.get(last)?.next;
        let token = self.list.get(next)?;
        token.stands_at(bytes, at).then_some((next, token.member, at + token.len))
    }

    /// The place of a name among the members, if it is one that may be asked for.
    pub fn member(&self, token: usize) -> Option<usize> {
        self.list.get(token)?.member
    }

    /// Notes that a name came after `last`.
    pub fn learn(&mut self, last: usize, name: &str, kind: Kind) -> usize {
        let token = match self.numbers.get(name) {
            Some(known) => *known,
            None => self.keep(name, kind),
        };
        if token == OTHER
            && let Some(other) = self.list.get_mut(OTHER)
        {
            other.member = self.members.get(name).copied();
        }
        if let Some(last) = self.list.get_mut(last) {
            last.next = token;
        }
        token
    }

    fn keep(&mut self, name: &str, kind: Kind) -> usize {
        let quoted = format!("\"{name}\":");
        if kind != Kind::Plain || quoted.len() > WORDS * 8 || self.list.len() == KEPT {
            return OTHER;
        }
        let mut words = [0; WORDS];
        for (word, chunk) in words.iter_mut().zip(quoted.as_bytes().chunks(8)) {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(chunk).for_each(|(byte, of)| *byte = *of);
            *word = u64::from_le_bytes(bytes);
        }
        let token = Token { words, len: quoted.len(), member: self.members.get(name).copied(), next: FIRST };
        self.numbers.insert(name.into(), self.list.len());
        self.list.push(token);
        self.list.len() - 1
    }
}

impl Token {
    #[inline]
    fn stands_at(&self, bytes: &[u8], mut at: usize) -> bool {
        let mut left = self.len;
        for expected in self.words {
            // Close to the end of the text nothing is guessed.
            let Some(word) = word(bytes, at) else { return false };
            if left <= 8 {
                // The two that stand for no name have no length.
                return left > 0 && (word ^ expected) << (64 - 8 * left) == 0;
            }
            if word != expected {
                return false;
            }
            (left, at) = (left - 8, at + 8);
        }
        false
    }
}
