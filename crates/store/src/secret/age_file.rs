//! One secret in an age file: encrypts and decrypts it.

use std::io::{self, Read, Write};

use age::{DecryptError, Decryptor, Encryptor, x25519};
use flowswap_engine::Secret;

use super::identity::Identity;

/// Why a secret could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CustodyError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("its file is encrypted to another identity")]
    OtherIdentity,
    #[error("its file is damaged")]
    Damaged,
}

/// The keys to which secrets are encrypted.
#[derive(Debug)]
pub(super) struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    pub(super) fn of(identity: &Identity) -> Self {
        Self(identity.recipients())
    }

    pub(super) fn encrypt(&self, secret: &Secret) -> io::Result<Vec<u8>> {
        let recipients = self.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut content = Vec::new();
        let mut writer = encryptor.wrap_output(&mut content)?;
        writer.write_all(secret.expose().as_bytes())?;
        writer.finish()?;
        Ok(content)
    }
}

pub(super) fn decrypt(content: &[u8], identity: &Identity) -> Result<Secret, CustodyError> {
    let decryptor = Decryptor::new_buffered(content).map_err(|_| CustodyError::Damaged)?;
    let mut reader = decryptor.decrypt(identity.keys()).map_err(|error| match error {
        DecryptError::NoMatchingKeys => CustodyError::OtherIdentity,
        _ => CustodyError::Damaged,
    })?;
    // The plain text is shorter than the encrypted one, so the buffer never grows and leaves no copy in memory.
    let mut plain = String::with_capacity(content.len());
    reader.read_to_string(&mut plain).map_err(|_| CustodyError::Damaged)?;
    Ok(Secret::new(plain))
}
