//! The hash chain. Each record's hash covers the hash before it, so a changed, dropped, or moved record is detected.
//!
//! It covers the hash of the body, and not the body itself. So a copy of the chain without some bodies, such as an export for an auditor,
//! still shows that each record is in its place. Before format 4 it covered the body.

use std::fmt;

use base16ct::lower::encode_string as hex;
use flowswap_engine::Position;
use sha2::{Digest, Sha256};

/// The hash of a record.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Hash([u8; 32]);

impl Hash {
    /// The bytes that the table stores.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the last record, or 0 if there is no record.
    pub seq: u64,
    /// The epoch of the last record's writer.
    pub epoch: u64,
    pub hash: Hash,
}

impl Head {
    /// The head of an empty chain.
    pub(crate) const START: Self = Self { seq: 0, epoch: 0, hash: Hash([0; 32]) };

    /// The place of the head, as the engine knows it.
    pub(crate) fn position(self) -> Position {
        Position { seq: self.seq, hash: self.hash.0 }
    }

    /// The head after one more record. The hash is SHA-256 over the previous hash, the record number as 8 bytes in
    /// big-endian order, and the SHA-256 of the body, which contains the epoch.
    pub(crate) fn extend(self, epoch: u64, body: &[u8]) -> Self {
        self.extend_over(epoch, Hash::of(body).bytes())
    }

    /// The head after one more record of a version before format 4. No body is as short as a hash, so the two rules never agree.
    pub(crate) fn extend_before_format_4(self, epoch: u64, body: &[u8]) -> Self {
        self.extend_over(epoch, body)
    }

    fn extend_over(self, epoch: u64, rest: &[u8]) -> Self {
        let seq = self.seq + 1;
        let digest =
            Sha256::new().chain_update(self.hash.0).chain_update(seq.to_be_bytes()).chain_update(rest).finalize();
        Self { seq, epoch, hash: Hash(digest.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Old journals must stay readable, so the hash rule must never change unnoticed. The expected values come from an
    /// independent implementation, Python's hashlib.
    #[test]
    fn the_hash_rules_never_change() {
        let first = Head::START.extend_before_format_4(0, b"{}");
        assert_eq!(first.hash.to_string(), "1bad765d926feacace97a8ddcd329a1f4254c208affc1ba86b3c7d59e8fba83e");
        let second = first.extend_before_format_4(1, b"{\"a\":1}");
        assert_eq!(second.hash.to_string(), "7a13b149b86f0920731da4731bbef5ed7b8eb1934e3bf922ac8d32655cde1ee6");
        let third = second.extend(1, b"{\"a\":1}");
        assert_eq!(third.hash.to_string(), "62bbee55c0cde939dfeb4568489d6b7296aed1c0129a33b0457dd16249550b8e");
    }
}
