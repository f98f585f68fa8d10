//! SSH signatures, as `ssh-keygen -Y sign` makes them (`PROTOCOL.sshsig` of OpenSSH).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents};
use ssh_key::{Algorithm, HashAlg, LineEnding, PublicKey, SshSig, public::KeyData};

/// The fewest bits of an RSA key.
const MIN_RSA_BITS: usize = 2048;

/// Why a signature is not good.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// It is not an SSH signature.
    #[error("it is not an SSH signature")]
    Malformed,
    /// It was made for something else.
    #[error("it was made for the namespace `{found}`, not for `{expected}`")]
    Namespace {
        /// The namespace in the signature.
        found: String,
        /// The namespace that counts.
        expected: &'static str,
    },
    /// Its algorithm is not supported, for example SHA-1 with RSA.
    #[error("its algorithm `{0}` is not supported; use Ed25519, ECDSA, RSA with SHA-2, or a security key")]
    Algorithm(String),
    /// Its RSA key has fewer than 2048 bits.
    #[error("its RSA key has fewer than {MIN_RSA_BITS} bits")]
    Short,
    /// Nobody touched the security key.
    #[error("nobody touched the security key when it signed; flowswap does not accept `no-touch-required`")]
    Untouched,
    /// It was made for other bytes, or by another key.
    #[error("it does not match what was signed: somebody changed the statement or the signature")]
    Forged,
}

/// The key that signed the bytes.
pub(crate) fn verify(namespace: &'static str, signed: &[u8], signature: &[u8]) -> Result<KeyData, SshError> {
    let signature = decode(namespace, signature)?;
    if signature.version() != SshSig::VERSION {
        return Err(SshError::Malformed);
    }
    let key = signature.public_key().clone();
    match &key {
        KeyData::Rsa(_) => verify_rsa(namespace, signed, &signature)?,
        KeyData::Ed25519(_) | KeyData::Ecdsa(_) | KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => {
            let is_security_key = matches!(key, KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_));
            if is_security_key && !was_touched(signature.signature_bytes()) {
                return Err(SshError::Untouched);
            }
            PublicKey::from(key.clone()).verify(namespace, signed, &signature).map_err(|_| SshError::Forged)?;
        }
        other => return Err(SshError::Algorithm(other.algorithm().to_string())),
    }
    Ok(key)
}

/// Whether a person was present: the lowest bit of the flags, which stand before the counter of four bytes (`PROTOCOL.u2f` of
/// OpenSSH). The signature covers them.
fn was_touched(signature: &[u8]) -> bool {
    let [.., flags, _, _, _, _] = signature else { return false };
    flags & 1 == 1
}

/// RSA as `ssh-keygen` signs with it: PKCS #1 v1.5 with SHA-2 (RFC 8332), and keys of at least 2048 bits.
fn verify_rsa(namespace: &str, signed: &[u8], signature: &SshSig) -> Result<(), SshError> {
    let KeyData::Rsa(key) = signature.public_key() else { return Err(SshError::Malformed) };
    let scheme = match signature.algorithm() {
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) } => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) } => &RSA_PKCS1_2048_8192_SHA512,
        other => return Err(SshError::Algorithm(other.to_string())),
    };
    let (Some(n), Some(e)) = (key.n.as_positive_bytes(), key.e.as_positive_bytes()) else {
        return Err(SshError::Malformed);
    };
    if n.len() * 8 < MIN_RSA_BITS {
        return Err(SshError::Short);
    }
    let message = SshSig::signed_data(namespace, signature.hash_alg(), signed).map_err(|_| SshError::Malformed)?;
    let key = RsaPublicKeyComponents { n, e };
    key.verify(scheme, &message, signature.signature_bytes()).map_err(|_| SshError::Forged)
}

/// The signature inside the armor that `ssh-keygen` prints.
///
/// # Errors
///
/// If the text is not such an armor, or what is inside is not a signature for the namespace.
pub fn unarmor(namespace: &'static str, text: &str) -> Result<crate::Signature, SshError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let body: String = lines.filter(|line| !line.starts_with("-----")).collect();
    let signature = STANDARD.decode(body).map_err(|_| SshError::Malformed)?;
    let parsed = decode(namespace, &signature)?;
    Ok(crate::Signature { key_id: fingerprint(parsed.public_key()), signature })
}

/// Characters in a line of the armor.
const ARMOR_WIDTH: usize = 70;

/// The armor that `ssh-keygen -Y verify` reads.
pub fn armor(signature: &[u8]) -> String {
    let mut text = "-----BEGIN SSH SIGNATURE-----\n".to_owned();
    for (index, c) in STANDARD.encode(signature).char_indices() {
        if index > 0 && index % ARMOR_WIDTH == 0 {
            text.push('\n');
        }
        text.push(c);
    }
    text + "\n-----END SSH SIGNATURE-----\n"
}

/// Goes through the armor, because that decoder refuses bytes after the signature.
fn decode(namespace: &'static str, signature: &[u8]) -> Result<SshSig, SshError> {
    let armored = armor(signature);
    let signature = SshSig::from_pem(&armored).map_err(|_| SshError::Malformed)?;
    // What is not written as OpenSSH writes it would not count there.
    if !signature.to_pem(LineEnding::LF).is_ok_and(|again| again.trim_end() == armored.trim_end()) {
        return Err(SshError::Malformed);
    }
    if signature.namespace() != namespace {
        return Err(SshError::Namespace { found: signature.namespace().to_owned(), expected: namespace });
    }
    Ok(signature)
}

/// The fingerprint as `ssh-keygen -l` prints it.
pub(crate) fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}
