//! Secrets and tokens: drawn from the system's random source, kept only as hashes.
//!
//! A client's secret is hashed with Argon2id, which takes memory and time on purpose: at most two at once, and a
//! bounded number waiting. A token has 256 random bits, so a plain hash is enough to find it by.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::body::apart;
use crate::http::problem::Problem;

/// Hashes at once.
const AT_ONCE: usize = 2;
/// Hashes at once and waiting.
const WAITING: usize = 64;
/// A hash that no secret has, for clients that are not known: they take as long as those that are.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$\
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Makes and verifies hashes of secrets, a few at a time.
#[derive(Clone)]
pub struct Secrets {
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { at_once: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::new(Semaphore::new(WAITING)) }
    }
}

/// 256 random bits in base64url: a new secret, or a new token.
///
/// # Errors
/// The system's random source fails.
pub fn draw() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The hash by which a token is found.
pub fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn argon2() -> Result<Argon2<'static>, String> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|error| error.to_string())?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a secret, in PHC form. Takes tens of milliseconds.
///
/// # Errors
/// The random source or the hash fails, in words.
pub fn hash_now(secret: &str) -> Result<String, String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| error.to_string())?;
    let hash = argon2()?.hash_password(secret.as_bytes(), &salt).map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

fn matches_now(secret: &str, hash: &str) -> Result<bool, String> {
    let hash = PasswordHash::new(hash).map_err(|error| error.to_string())?;
    match argon2()?.verify_password(secret.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(error) => Err(error.to_string()),
    }
}

/// The right to hash now. It goes with the work: a caller that goes away must not let one more hash begin.
pub struct Turn {
    _place: OwnedSemaphorePermit,
}

impl Secrets {
    /// Waits for a turn.
    ///
    /// # Errors
    /// 429 if too many wait already.
    pub async fn turn(&self) -> Result<Turn, Problem> {
        let Ok(_place) = self.waiting.try_acquire() else { return Err(Problem::too_many(1)) };
        let turn = self.at_once.clone().acquire_owned().await;
        turn.map(|place| Turn { _place: place }).map_err(|error| Problem::internal(error.to_string()))
    }
}

impl Turn {
    /// Hashes a secret, in PHC form.
    ///
    /// # Errors
    /// 500 if it fails.
    pub async fn hash(self, secret: String) -> Result<String, Problem> {
        self.take(move || hash_now(&secret)).await
    }

    /// Whether one of `secrets` is the one of `hash`; with no hash, that of nobody: false, after the same time.
    ///
    /// # Errors
    /// 500 if it fails.
    pub async fn verify(self, secrets: Vec<String>, hash: Option<String>) -> Result<bool, Problem> {
        self.take(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(NOBODY);
            let mut good = false;
            for secret in &secrets {
                good |= matches_now(secret, hash)?;
            }
            Ok(good && known)
        })
        .await
    }

    async fn take<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Result<T, Problem> {
        apart(move || {
            let result = work();
            drop(self);
            result
        })
        .await?
        .map_err(Problem::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_is_known_by_its_hash_and_nobody_has_one() {
        let secrets = Secrets::default();
        let secret = draw().unwrap();
        assert_eq!(secret.len(), 43);
        let hash = secrets.turn().await.unwrap().hash(secret.clone()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let verify = async |candidates: &[&str], hash: Option<&String>| {
            let candidates = candidates.iter().map(|c| (*c).to_owned()).collect();
            secrets.turn().await.unwrap().verify(candidates, hash.cloned()).await.unwrap()
        };
        assert!(verify(&[&secret], Some(&hash)).await);
        assert!(verify(&["raw", &secret], Some(&hash)).await);
        assert!(!verify(&["wrong"], Some(&hash)).await);
        assert!(!verify(&[&secret], None).await);
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_to_come_again() {
        let secrets = Secrets { waiting: Arc::new(Semaphore::new(0)), ..Secrets::default() };
        assert_eq!(secrets.turn().await.err().unwrap().status.as_u16(), 429);
    }
}
