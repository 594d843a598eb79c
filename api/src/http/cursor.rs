//! Cursors: where the next page of a list begins, as an opaque word that only this system can make.
//!
//! A position tells how busy all tenants together are, so it is hidden; and a cursor of one tenant or list means
//! nothing in another, so it is bound to them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::ids::{Position, TenantId};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::problem::Problem;

/// Makes and reads cursors.
pub struct Cursors {
    key: [u8; 32],
}

/// How many bytes of a cursor authenticate it.
const TAG: usize = 8;

impl Cursors {
    /// Cursors under a key; all servers of a system share it.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    fn hash(&self, purpose: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        // Total: HMAC takes keys of any length.
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key).expect("HMAC takes any key");
        mac.update(purpose);
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn tag(&self, tenant: &TenantId, list: &str, position: Position) -> [u8; TAG] {
        let hash =
            self.hash(b"tag", &[tenant.as_str().as_bytes(), list.as_bytes(), &position.0.to_le_bytes()]);
        first(&hash)
    }

    /// The cursor of a position in a tenant's list.
    pub fn write(&self, tenant: &TenantId, list: &str, position: Position) -> String {
        let tag = self.tag(tenant, list, position);
        let hidden = position.0.to_le_bytes();
        let mask: [u8; 8] = first(&self.hash(b"mask", &[&tag]));
        let mut bytes = tag.to_vec();
        bytes.extend(hidden.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position of a cursor.
    ///
    /// # Errors
    /// 400 for what is no cursor of that tenant's list.
    pub fn read(&self, tenant: &TenantId, list: &str, cursor: &str) -> Result<Position, Problem> {
        let open = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (tag, hidden) = bytes.split_at_checked(TAG)?;
            let hidden: [u8; 8] = hidden.try_into().ok()?;
            let mask: [u8; 8] = first(&self.hash(b"mask", &[tag]));
            let mut plain = [0; 8];
            for (plain, (byte, mask)) in plain.iter_mut().zip(hidden.iter().zip(mask)) {
                *plain = byte ^ mask;
            }
            let position = Position(u64::from_le_bytes(plain));
            let good = subtle::ConstantTimeEq::ct_eq(&self.tag(tenant, list, position)[..], tag);
            bool::from(good).then_some(position)
        };
        open().ok_or_else(|| Problem::bad_field("before", "has to be the `next` of an answer of this list"))
    }
}

fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(hash).for_each(|(byte, hash)| *byte = *hash);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_own_list_of_its_own_tenant_only() {
        let cursors = Cursors::new([7; 32]);
        let (a, b) = (TenantId::from("a"), TenantId::from("b"));
        let cursor = cursors.write(&a, "audit", Position(12_345));
        assert_eq!(cursors.read(&a, "audit", &cursor).unwrap(), Position(12_345));
        let other_key = Cursors::new([8; 32]).write(&a, "audit", Position(12_345));
        let mut bent = cursor.clone().into_bytes();
        bent[15] ^= 1;
        let bent = String::from_utf8(bent).unwrap();
        for bad in ["", "x", "%%%", "12345", &"A".repeat(22), &other_key, &bent] {
            assert!(cursors.read(&a, "audit", bad).is_err(), "{bad}");
        }
        assert!(cursors.read(&b, "audit", &cursor).is_err());
        assert!(cursors.read(&a, "reactions", &cursor).is_err());
    }
}
