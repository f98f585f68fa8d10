//! The name of an identity. A state folder keeps it, so that several state folders of one user have different identities.

use std::{fmt, str::FromStr};

use base16ct::lower::encode_string as hex;
use sha2::{Digest, Sha256};

/// How many bytes of the digest are in the name: enough that the identities of one user never share one.
const LENGTH: usize = 8;

/// The name of an identity: 16 hexadecimal digits of a digest of its public keys.
///
/// It is not the public key itself: somebody who can write the state folder must not learn it, or could encrypt secrets of
/// their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityId(String);

/// The text is not 16 hexadecimal digits in lower case.
#[derive(Debug, thiserror::Error)]
#[error("it does not contain 16 hexadecimal digits")]
pub struct NotAnId;

impl IdentityId {
    pub(super) fn of(public_keys: &[String]) -> Self {
        Self(hex(&Sha256::digest(public_keys.join("\n"))[..LENGTH]))
    }
}

impl FromStr for IdentityId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_id = text.len() == 2 * LENGTH && text.bytes().all(is_digit);
        if is_id { Ok(Self(text.to_owned())) } else { Err(NotAnId) }
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
