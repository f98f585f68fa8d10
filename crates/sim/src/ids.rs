//! Made-up ids, secrets, and tokens. Each depends on the seed and on its purpose. So equal seeds give equal worlds, and no
//! two objects share a value.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

const BASE62: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A source of values for one part of the world. A counter makes every value different.
#[derive(Clone, Debug)]
pub(crate) struct Mint {
    scope: String,
    count: u64,
}

impl Mint {
    pub(crate) fn new(seed: u64, scope: &str) -> Self {
        Self { scope: format!("{seed}/{scope}"), count: 0 }
    }

    /// An Okta-like id of 20 characters, such as `0oa…` (app, integration), `ocs…` (secret), or `00u…` (user).
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        let bytes = self.bytes(prefix);
        let tail = bytes.iter().map(|byte| BASE62[usize::from(byte % 62)] as char);
        prefix.chars().chain(tail).take(20).collect()
    }

    /// A client secret: 64 characters of `[A-Za-z0-9_-]`, as in recordings of the Okta management API.
    pub(crate) fn secret(&mut self) -> String {
        let mut bytes = self.bytes("secret").to_vec();
        bytes.extend_from_slice(&self.bytes("secret"));
        URL_SAFE_NO_PAD.encode(&bytes[..48])
    }

    /// An opaque token.
    pub(crate) fn token(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(self.bytes(prefix)))
    }

    /// An id in the form of a UUID, like the id of a directory.
    pub(crate) fn uuid(&mut self) -> String {
        let bytes = self.bytes("uuid");
        Uuid::from_bytes(std::array::from_fn(|i| bytes[i])).to_string()
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bytes = self.bytes("number");
        let number = u64::from_le_bytes(std::array::from_fn(|i| bytes[i]));
        usize::try_from(number % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// The items in another order.
    pub(crate) fn shuffle<T: Clone>(&mut self, items: &[T]) -> Vec<T> {
        let mut shuffled = items.to_vec();
        for last in (1..shuffled.len()).rev() {
            let other = self.below(last + 1);
            shuffled.swap(last, other);
        }
        shuffled
    }

    fn bytes(&mut self, what: &str) -> [u8; 32] {
        self.count += 1;
        Sha256::digest(format!("{}/{what}/{}", self.scope, self.count)).into()
    }
}

/// Okta's `secret_hash`: the first half of the SHA-256, in URL-safe base64 without padding. Okta does not promise this,
/// but it is true for every recorded secret.
pub(crate) fn hash_secret(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(secret)[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_values_and_no_value_twice() {
        let (mut a, mut b, mut c) = (Mint::new(7, "org"), Mint::new(7, "org"), Mint::new(8, "org"));
        let first = a.id("0oa");
        assert_eq!(first, b.id("0oa"));
        assert_ne!(first, c.id("0oa"));
        assert_ne!(first, a.id("0oa"));
        assert_eq!((first.len(), a.secret().len()), (20, 64));
    }

    #[test]
    fn a_secret_is_hashed_like_at_okta() {
        // SHA-256 of the empty string is e3b0c442 98fc1c14 9afbf4c8 996fb924 …
        assert_eq!(hash_secret(""), "47DEQpj8HBSa-_TImW-5JA");
    }
}
