//! Guessing a secret: after ten failures within a minute a client and address have to wait.
//!
//! Looked at before anything is hashed, so that guessing costs the guesser more than us.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Failures that a client and address may have within [`WINDOW`].
const FAILURES: usize = 10;
/// The time for which a failure counts.
const WINDOW: Duration = Duration::from_secs(60);
/// When there are this many, those whose failures no longer count are forgotten. Hashing is slower than a thousand
/// a minute, so there are never many more.
const MANY: usize = 4096;

type Key = ([u8; 16], IpAddr);

/// The failures of the last minute.
#[derive(Default)]
pub struct Throttle {
    failures: Mutex<HashMap<Key, VecDeque<Instant>>>,
}

fn key(client: &str, address: IpAddr) -> Key {
    let mut short = [0; 16];
    short.iter_mut().zip(Sha256::digest(client.as_bytes())).for_each(|(short, byte)| *short = byte);
    // An IPv6 host has a whole /64 to come from.
    let address = match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    };
    (short, address)
}

impl Throttle {
    fn failures(&self) -> MutexGuard<'_, HashMap<Key, VecDeque<Instant>>> {
        // Whole at every moment, so a panic elsewhere does not spoil it.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client may try from there.
    ///
    /// # Errors
    /// How long to wait.
    pub fn check(&self, client: &str, address: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        let mut all = self.failures();
        let Some(times) = all.get_mut(&key(client, address)) else { return Ok(()) };
        while times.front().is_some_and(|first| now - *first >= WINDOW) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= FAILURES => Err(WINDOW - (now - *first)),
            _ => Ok(()),
        }
    }

    /// The attempt failed.
    pub fn failed(&self, client: &str, address: IpAddr) {
        let now = Instant::now();
        let mut all = self.failures();
        if all.len() >= MANY {
            all.retain(|_, times| times.back().is_some_and(|last| now - *last < WINDOW));
        }
        all.entry(key(client, address)).or_default().push_back(now);
    }

    /// The attempt was good: the failures before it are forgotten.
    pub fn succeeded(&self, client: &str, address: IpAddr) {
        self.failures().remove(&key(client, address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ten_failures_a_minute_are_allowed_per_client_and_address() {
        let throttle = Throttle::default();
        let (here, there) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 1]));
        for _ in 0..FAILURES {
            assert!(throttle.check("shop", here).is_ok());
            throttle.failed("shop", here);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(throttle.check("shop", here), Err(Duration::from_secs(50)));
        assert!(throttle.check("shop", there).is_ok());
        assert!(throttle.check("other", here).is_ok());
        tokio::time::advance(Duration::from_secs(51)).await;
        assert!(throttle.check("shop", here).is_ok(), "the first is a minute old");
        throttle.failed("shop", here);
        throttle.failed("shop", here);
        assert!(throttle.check("shop", here).is_err());
        throttle.succeeded("shop", here);
        assert!(throttle.check("shop", here).is_ok());
    }
}
