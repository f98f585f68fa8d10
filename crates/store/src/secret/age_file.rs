//! One secret in an age file: encrypts and decrypts it, and binds it to its handle.
//!
//! The encrypted content is the mark [`BOUND`], the handle, the byte [`END`], and the secret. age authenticates all of it.
//! So a file that somebody moves or swaps without decrypting it still names its own handle, and is refused under another.
//!
//! Earlier versions encrypted only the secret. Such a file cannot pass for a bound one or the other way round: it is UTF-8
//! text, and [`END`], with which every bound content begins, is in no UTF-8 text (RFC 3629 §1).

use std::io::{self, Read, Write};

use age::{DecryptError, Decryptor, Encryptor};
use flowswap_engine::{Handle, Secret};
use zeroize::Zeroizing;

use super::identity::Identity;
use super::recipient::Recipient;

/// How content that is bound to a handle begins. It has a version, so that an unknown one is recognized.
const BOUND: &[u8] = b"\xffflowswap-secret-v1\xff";
/// Ends the handle.
const END: u8 = 0xff;

/// Why a secret could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CustodyError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("its file is encrypted to another identity")]
    OtherIdentity,
    #[error("its file is that of another secret, `{0}`: somebody moved or swapped files of the secret store")]
    OtherHandle(Handle),
    #[error("its file is damaged, or a later version of flowswap wrote it")]
    Damaged,
}

/// A secret from an age file.
pub(super) struct Opened {
    pub(super) secret: Secret,
    /// Whether the file names its handle. Files of earlier versions do not.
    pub(super) is_bound: bool,
}

/// The keys to which secrets are encrypted.
#[derive(Debug)]
pub(super) struct Recipients(Vec<Recipient>);

impl Recipients {
    /// Those of the identity itself, without which flowswap could not open what it wrote, and others.
    pub(super) fn new(identity: &Identity, others: &[Recipient]) -> Self {
        Self(identity.recipients_with(others))
    }

    pub(super) fn all(&self) -> &[Recipient] {
        &self.0
    }

    pub(super) fn encrypt(&self, handle: &Handle, secret: &Secret) -> io::Result<Vec<u8>> {
        let recipients = self.0.iter().map(|recipient| recipient.as_age() as &dyn age::Recipient);
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut content = Vec::new();
        let mut writer = encryptor.wrap_output(&mut content)?;
        for part in [BOUND, handle.as_str().as_bytes(), &[END], secret.expose().as_bytes()] {
            writer.write_all(part)?;
        }
        writer.finish()?;
        Ok(content)
    }
}

/// How many keys open a file: the stanzas of its header (age-encryption.org/v1). Others that age adds mean nothing.
pub(super) fn count_recipients(content: &[u8]) -> usize {
    let header = content.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    header.filter(|line| line.starts_with(b"-> X25519 ") || line.starts_with(b"-> ssh-")).count()
}

/// The tags of the SSH keys that open a file. Nothing in a file names the keys of age that open it.
pub(super) fn ssh_tags(content: &[u8]) -> Vec<String> {
    let header = content.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    let stanzas = header.filter_map(|line| str::from_utf8(line).ok()?.strip_prefix("-> ssh-"));
    stanzas.filter_map(|stanza| Some(stanza.split(' ').nth(1)?.to_owned())).collect()
}

/// Decrypts the file that has the name of this handle. Fails if it is the file of another one.
pub(super) fn decrypt(content: &[u8], handle: &Handle, identity: &Identity) -> Result<Opened, CustodyError> {
    let decryptor = Decryptor::new_buffered(content).map_err(|_| CustodyError::Damaged)?;
    let mut reader = decryptor.decrypt(identity.keys()).map_err(|error| match error {
        DecryptError::NoMatchingKeys => CustodyError::OtherIdentity,
        _ => CustodyError::Damaged,
    })?;
    // The plain text is shorter than the encrypted one, so the buffer never grows and leaves no copy in memory.
    let mut plain = Zeroizing::new(Vec::with_capacity(content.len()));
    reader.read_to_end(&mut plain).map_err(|_| CustodyError::Damaged)?;
    unbind(&plain, handle)
}

/// Takes the secret out of the decrypted content.
fn unbind(plain: &[u8], handle: &Handle) -> Result<Opened, CustodyError> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| CustodyError::Damaged);
    let Some(bound) = plain.strip_prefix(BOUND) else {
        return Ok(Opened { secret: Secret::new(text(plain)?), is_bound: false });
    };
    let mut parts = bound.splitn(2, |byte| *byte == END);
    let (Some(own), Some(secret)) = (parts.next(), parts.next()) else { return Err(CustodyError::Damaged) };
    let own = Handle::new(text(own)?);
    if own != *handle {
        return Err(CustodyError::OtherHandle(own));
    }
    Ok(Opened { secret: Secret::new(text(secret)?), is_bound: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(plain: &[u8], handle: &str) -> Result<(String, bool), String> {
        let opened = unbind(plain, &Handle::new(handle));
        opened.map(|opened| (opened.secret.expose().to_owned(), opened.is_bound)).map_err(|error| error.to_string())
    }

    #[test]
    fn bound_content_opens_only_under_its_own_handle() {
        let bound = b"\xffflowswap-secret-v1\xffacme/key\xffvalue";
        assert_eq!(open(bound, "acme/key"), Ok(("value".to_owned(), true)));
        for other in ["globex/key", "acme/ke", "acme/key2", "", "acme/key\u{ff}value"] {
            let error = open(bound, other).unwrap_err();
            assert!(error.starts_with("its file is that of another secret, `acme/key`"), "{error}");
        }
    }

    #[test]
    fn content_of_an_earlier_version_is_the_secret_itself() {
        for plain in
            ["", "value", "flowswap-secret-v1\nacme/key\nvalue", "\u{ff}flowswap-secret-v1\u{ff}acme/key\u{ff}v"]
        {
            assert_eq!(open(plain.as_bytes(), "globex/key"), Ok((plain.to_owned(), false)), "{plain}");
        }
    }

    #[test]
    fn other_content_is_refused_and_never_taken_for_that_of_an_earlier_version() {
        let bound = b"\xffflowswap-secret-v1\xffacme/key\xffvalue";
        let without_secret = bound.len() - b"\xffvalue".len();
        let cuts = (1..=without_secret).map(|length| bound[..length].to_vec());
        let others =
            [&b"\xffflowswap-secret-v2\xffacme/key\xffvalue"[..], b"\xffflowswap-secret-v1\xffacme/key\xffva\xff"];
        for plain in cuts.chain(others.map(<[u8]>::to_vec)) {
            let error = open(&plain, "acme/key").unwrap_err();
            assert!(error.starts_with("its file is damaged"), "{plain:?}: {error}");
        }
    }
}
