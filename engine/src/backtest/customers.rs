//! Customers' numbers, keys and last times, in little room: short keys lie in the entry itself.

use hashbrown::HashTable;

use super::batch::hash;

/// Every customer that was met.
#[derive(Default)]
pub(super) struct Customers {
    /// Numbers, found by keys.
    numbers: HashTable<u32>,
    list: Vec<Customer>,
    /// The keys that are too long for their entries.
    long: String,
}

struct Customer {
    last: i64,
    key: Key,
}

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

    /// A customer's number and the time of its event: time does not go backwards for a customer.
    pub fn event(&mut self, key: &str, hashed: u64, time: i64) -> (u32, i64) {
        let short = Key::short(key);
        let Self { numbers, list, long } = self;
        let same = |number: &u32| {
            list.get(*number as usize).is_some_and(|customer| match &short {
                Some(short) => customer.key == *short,
                None => customer.key.text(long) == Some(key),
            })
        };
        if let Some(number) = numbers.find(hashed, same).copied()
            && let Some(customer) = list.get_mut(number as usize)
        {
            customer.last = customer.last.max(time);
            return (number, customer.last);
        }
        let number = u32::try_from(list.len()).unwrap_or(u32::MAX);
        let key = short.unwrap_or_else(|| Key::long(key, long));
        list.push(Customer { last: time, key });
        numbers.insert_unique(hashed, number, |number| {
            hash(list.get(*number as usize).and_then(|customer| customer.key.text(long)).unwrap_or_default())
        });
        (number, time)
    }

    /// The key of a customer.
    pub fn key(&self, number: u32) -> &str {
        self.list.get(number as usize).and_then(|customer| customer.key.text(&self.long)).unwrap_or_default()
    }
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
