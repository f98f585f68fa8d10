//! To whom secrets are encrypted: public keys of age and of SSH.

use std::fmt;
use std::str::FromStr;

use age::ssh::{self, ParseRecipientKeyError};
use age::x25519;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD as STANDARD, BASE64_STANDARD_NO_PAD as STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

/// A public key. Anybody can encrypt to it, and only its owner can decrypt.
#[derive(Clone)]
pub struct Recipient {
    key: Key,
    /// What follows an SSH key in its line, such as the owner's address.
    comment: String,
}

#[derive(Clone)]
enum Key {
    X25519(x25519::Recipient),
    Ssh(ssh::Recipient),
}

/// The text is not a public key to which secrets can be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum RecipientError {
    /// It is a private key.
    #[error("it is a private key")]
    Private,
    /// It is an SSH key of another type. Those of security keys cannot decrypt.
    #[error("`{0}` is not `ssh-ed25519` or `ssh-rsa`")]
    Type(String),
    /// An RSA key of this size is not secure, or needs too long.
    #[error("an RSA key must have 2048 to 4096 bits")]
    Size,
    /// It is something else.
    #[error("it is neither `age1…` nor a line of an SSH public key")]
    Unknown,
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        let text = text.trim();
        if text.starts_with("AGE-SECRET-KEY-") || text.starts_with("-----BEGIN") {
            return Err(RecipientError::Private);
        }
        if text.starts_with("age1") {
            let key = text.parse().map_err(|_| RecipientError::Unknown)?;
            return Ok(Self { key: Key::X25519(key), comment: String::new() });
        }
        let mut words = text.split_whitespace();
        let (Some(kind), Some(blob)) = (words.next(), words.next()) else { return Err(RecipientError::Unknown) };
        let key = format!("{kind} {blob}").parse().map_err(|error| match error {
            ParseRecipientKeyError::Unsupported(kind) => RecipientError::Type(kind),
            ParseRecipientKeyError::RsaModulusTooLarge | ParseRecipientKeyError::RsaModulusTooSmall => {
                RecipientError::Size
            }
            _ if kind.starts_with("sk-") || kind.starts_with("ecdsa-") => RecipientError::Type(kind.to_owned()),
            _ => RecipientError::Unknown,
        })?;
        Ok(Self { key: Key::Ssh(key), comment: words.collect::<Vec<_>>().join(" ") })
    }
}

impl Recipient {
    pub(super) fn as_age(&self) -> &(dyn age::Recipient + Send + Sync) {
        match &self.key {
            Key::X25519(key) => key,
            Key::Ssh(key) => key,
        }
    }

    /// The public key as age and SSH write it, without a comment.
    pub fn public_key(&self) -> String {
        match &self.key {
            Key::X25519(key) => key.to_string(),
            Key::Ssh(key) => key.to_string(),
        }
    }

    /// By what a file names this key if the key opens it: the first four bytes of the SHA-256 of an SSH key (age-encryption.org/v1).
    /// `None` for a key of age, which no file names.
    pub fn tag(&self) -> Option<String> {
        let Key::Ssh(key) = &self.key else { return None };
        let line = key.to_string();
        let blob = STANDARD.decode(line.split(' ').nth(1)?).ok()?;
        Some(STANDARD_NO_PAD.encode(&Sha256::digest(blob)[..4]))
    }

    /// What follows the key in its line, such as the owner's address. Empty for a key of age.
    pub fn comment(&self) -> &str {
        &self.comment
    }
}

impl From<x25519::Recipient> for Recipient {
    fn from(key: x25519::Recipient) -> Self {
        Self { key: Key::X25519(key), comment: String::new() }
    }
}

impl From<ssh::Recipient> for Recipient {
    fn from(key: ssh::Recipient) -> Self {
        Self { key: Key::Ssh(key), comment: String::new() }
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        self.public_key() == other.public_key()
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_text_is_a_key_or_says_why_not() {
        let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
        let age = x25519::Identity::generate();
        let table = [
            (age.to_public().to_string(), "ok: "),
            (format!("  ssh-ed25519 {blob} ada@example.com  "), "ok: ada@example.com"),
            (format!("ssh-ed25519 {blob}"), "ok: "),
            ("age1x".to_owned(), "neither"),
            ("AGE-SECRET-KEY-1XYZ".to_owned(), "private"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(), "private"),
            ("sk-ssh-ed25519@openssh.com AAAA".to_owned(), "`sk-ssh-ed25519@openssh.com` is not"),
            ("ecdsa-sha2-nistp256 AAAA".to_owned(), "`ecdsa-sha2-nistp256` is not"),
            ("ssh-ed25519".to_owned(), "neither"),
            ("ssh-ed25519 AAAA".to_owned(), "neither"),
            (String::new(), "neither"),
        ];
        for (text, expected) in table {
            let seen = match text.parse::<Recipient>() {
                Ok(recipient) => format!("ok: {}", recipient.comment()),
                Err(error) => error.to_string(),
            };
            assert!(seen.contains(expected), "{text}: {seen}");
        }
    }
}
