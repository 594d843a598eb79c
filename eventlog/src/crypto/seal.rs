//! XChaCha20-Poly1305 with a random nonce, and the derivation of one key from another. Pure but for the nonces.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The bytes of a key; wiped when they are let go of.
pub(super) type Secret = Zeroizing<[u8; 32]>;

const NONCE: usize = 24;

/// Seals: nonce, then ciphertext with its tag, after what `out` holds already. `bound` must be the same at the
/// opening.
pub(super) fn seal(key: &[u8; 32], bound: &[u8], clear: &[u8], mut out: Vec<u8>) -> Vec<u8> {
    let mut nonce = [0; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    let sealed = cipher
        .encrypt(XNonce::from_slice(&nonce), Payload { msg: clear, aad: bound })
        .expect("what fits into memory is short enough for the cipher");
    out.reserve_exact(NONCE + sealed.len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    out
}

/// Opens what [`seal`] made; `None` if the key, what is bound, or a single bit is another.
pub(super) fn open(key: &[u8; 32], bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE)?;
    let cipher = XChaCha20Poly1305::new(Key::from_slice(key));
    cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: ciphertext, aad: bound }).ok()
}

/// A fresh key.
pub(super) fn random() -> Secret {
    let mut key = Zeroizing::new([0; 32]);
    rand::rng().fill_bytes(&mut *key);
    key
}

/// HMAC-SHA-256.
pub(super) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> Secret {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// `parts` in one string of bytes from which they can be told apart again.
pub(super) fn bound(purpose: &str, parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(purpose.len() + parts.iter().map(|part| part.len() + 8).sum::<usize>());
    bytes.extend_from_slice(purpose.as_bytes());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}
