//! Customers' numbers, keys and last times, in little room: short keys lie in the entry itself.

use std::hint::black_box;

use super::batch::hash;

/// Every customer that was met, found by open addressing: the hashes are good ones, and a place is one word.
#[derive(Default)]
pub(super) struct Customers {
    /// A number and half of its key's hash, or 0: free. A power of two of them.
    places: Vec<u64>,
    list: Vec<Customer>,
    /// The keys that are too long for their entries.
    long: String,
}

struct Customer {
    last: i64,
    key: Key,
}

/// How many customers are made ready together.
pub(super) const TOGETHER: usize = 32;

/// A key of up to [`SHORT`] bytes, filled up with zeros; of a longer one, where it lies in `long`.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    len: u32,
    bytes: [u8; SHORT],
}

const SHORT: usize = 12;

impl Customers {
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Brings the entries of up to [`TOGETHER`] keys near, all at the same time; looking each up on its own would wait
    /// for one after the other.
    pub fn bring_near(&self, hashes: impl Iterator<Item = u64>) {
        let mut near = [0; TOGETHER];
        let mask = self.places.len().wrapping_sub(1);
        for (near, hash) in near.iter_mut().zip(hashes) {
            *near = self.places.get(start(hash) & mask).copied().unwrap_or(0);
        }
        let entries = near.iter().filter_map(|place| self.list.get(number(*place)?));
        black_box(entries.fold(0, |sum, customer| sum ^ customer.last));
    }

    /// A customer's number and the time of its event: time does not go backwards for a customer.
    pub fn event(&mut self, key: &str, hashed: u64, time: i64) -> (u32, i64) {
        if self.list.len() >= self.places.len() / 4 * 3 {
            self.grow();
        }
        let short = Key::short(key);
        let mask = self.places.len().wrapping_sub(1);
        let mut at = start(hashed) & mask;
        while let Some(found) = self.places.get(at).copied().and_then(|place| Some((place, number(place)?))) {
            let (place, number) = found;
            if place as u32 == hashed as u32
                && let Some(customer) = self.list.get_mut(number)
                && match &short {
                    Some(short) => customer.key == *short,
                    None => customer.key.text(&self.long) == Some(key),
                }
            {
                customer.last = customer.last.max(time);
                return (number as u32, customer.last);
            }
            at = (at + 1) & mask;
        }
        let number = self.list.len();
        if let Some(free) = self.places.get_mut(at) {
            *free = place(number, hashed);
        }
        let key = short.unwrap_or_else(|| Key::long(key, &mut self.long));
        self.list.push(Customer { last: time, key });
        (number as u32, time)
    }

    fn grow(&mut self) {
        let room = (self.places.len() * 2).max(1_024);
        self.places = Vec::new();
        self.places.resize(room, 0);
        for (number, customer) in self.list.iter().enumerate() {
            let hashed = hash(customer.key.text(&self.long).unwrap_or_default());
            let mut at = start(hashed) & (room - 1);
            while self.places.get(at).is_some_and(|place| *place != 0) {
                at = (at + 1) & (room - 1);
            }
            if let Some(free) = self.places.get_mut(at) {
                *free = place(number, hashed);
            }
        }
    }

    /// The key of a customer.
    pub fn key(&self, number: u32) -> &str {
        self.list.get(number as usize).and_then(|customer| customer.key.text(&self.long)).unwrap_or_default()
    }
}

/// Where a key is looked for first, before it is cut to the places that there are.
fn start(hash: u64) -> usize {
    (hash >> 32) as usize
}

fn place(number: usize, hash: u64) -> u64 {
    (number as u64 + 1) << 32 | hash & 0xffff_ffff
}

fn number(place: u64) -> Option<usize> {
    (place >> 32).checked_sub(1).map(|number| number as usize)
}

impl Key {
    fn short(key: &str) -> Option<Self> {
        let mut bytes = [0; SHORT];
        bytes.get_mut(..key.len())?.copy_from_slice(key.as_bytes());
        Some(Self { len: key.len() as u32, bytes })
    }

    fn long(key: &str, long: &mut String) -> Self {
        let mut bytes = [0; SHORT];
        let from = (long.len() as u64).to_le_bytes();
        bytes.iter_mut().zip(from).for_each(|(byte, of)| *byte = of);
        long.push_str(key);
        // A key is shorter than the longest line.
        Self { len: key.len() as u32, bytes }
    }

    fn text<'a>(&'a self, long: &'a str) -> Option<&'a str> {
        let len = self.len as usize;
        if let Some(bytes) = self.bytes.get(..len) {
            return std::str::from_utf8(bytes).ok();
        }
        let from = usize::try_from(u64::from_le_bytes(*self.bytes.first_chunk()?)).ok()?;
        long.get(from..from + len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_number_and_its_greatest_time() {
        let mut customers = Customers::default();
        let keys: Vec<String> = (0..5_000).map(|n| format!("{:>width$}", n, width = 4 + n % 20)).collect();
        for (number, key) in (0..).zip(&keys) {
            assert_eq!(customers.event(key, hash(key), 5), (number, 5));
        }
        for (number, key) in (0..).zip(&keys) {
            // However alike their hashes are.
            customers.bring_near(std::iter::once(hash(key)));
            assert_eq!(customers.event(key, hash(key), 3), (number, 5));
            assert_eq!(customers.key(number), key);
        }
        assert_eq!(customers.len(), keys.len());
        let alike: Vec<u32> = keys.iter().map(|key| customers.event(&format!("{key}x"), 7, 0).0).collect();
        assert_eq!(alike, (5_000..10_000).collect::<Vec<u32>>());
    }
}
