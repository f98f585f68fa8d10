//! The private key of an OAuth client, and the signatures that it makes (RFC 7518).

use std::fmt;

use p256::pkcs8::DecodePrivateKey;
use ring::signature;
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};

use super::{
    algorithm::Algorithm,
    jwk,
    material::{KeyError, Material, elliptic, rsa},
};

/// A private key that signs.
pub(crate) struct SigningKey {
    material: Material,
    algorithm: Algorithm,
    /// The `kid` that the key itself names. Only a JWK can.
    id: Option<String>,
}

impl SigningKey {
    /// Reads a private key: PEM (PKCS #1, PKCS #8, or SEC 1), or a JWK (RFC 7517) as Okta's console shows it once. Without an
    /// `algorithm`, it is the one of the JWK, or the usual one of the kind of key.
    ///
    /// # Errors
    ///
    /// If the text is no private key of a kind that Okta takes, or the key cannot sign by the algorithm.
    pub(crate) fn read(text: &str, algorithm: Option<Algorithm>) -> Result<Self, KeyError> {
        // Some editors begin a file with a mark.
        let text = text.trim_start_matches('\u{feff}').trim();
        let (material, named, id) = match text.chars().next() {
            None => return Err(KeyError::Empty),
            Some('{') => jwk::read(text)?,
            Some(_) => (read_pem(text)?, None, None),
        };
        let algorithm = algorithm.or(named).unwrap_or(material.usual());
        if !material.signs(algorithm) {
            return Err(KeyError::Algorithm(material.describe(), algorithm));
        }
        Ok(Self { material, algorithm, id })
    }

    /// A new key for proofs of possession. Okta takes ES256 for these (developer.okta.com, "Configure OAuth 2.0 Demonstrating
    /// Proof-of-Possession").
    ///
    /// # Errors
    ///
    /// If the system gives no random numbers.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        loop {
            let mut bytes = zeroize::Zeroizing::new([0; 32]);
            getrandom::fill(bytes.as_mut())?;
            // Nearly every number is a key of this curve.
            if let Ok(key) = p256::ecdsa::SigningKey::from_slice(bytes.as_ref()) {
                return Ok(Self { material: Material::P256(key), algorithm: Algorithm::Es256, id: None });
            }
        }
    }

    /// The `alg` of what it signs.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` that the key names.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The coordinates of a public key on P-256, for the `jwk` of a proof.
    pub(crate) fn p256_coordinates(&self) -> Option<[Vec<u8>; 2]> {
        let Material::P256(key) = &self.material else { return None };
        let point = key.verifying_key().to_encoded_point(false);
        Some([point.x()?.to_vec(), point.y()?.to_vec()])
    }

    /// The signature of a JWS (RFC 7515) over these bytes: for elliptic curves, both numbers one after the other.
    ///
    /// # Errors
    ///
    /// If the library cannot sign.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.material.sign(self.algorithm, bytes)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

fn read_pem(text: &str) -> Result<Material, KeyError> {
    let begins = |label: &str| text.contains(&format!("-----BEGIN {label}-----"));
    if begins("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(KeyError::Encrypted);
    }
    if begins("OPENSSH PRIVATE KEY") {
        return Err(KeyError::OpenSsh);
    }
    let count = |label: &&str| text.matches(&format!("-----BEGIN {label}-----")).count();
    let private: usize = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"].iter().map(count).sum();
    if private > 1 {
        return Err(KeyError::Several);
    }
    if private == 0 {
        let is_public = ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"].iter().any(|label| begins(label));
        return Err(if is_public { KeyError::Public } else { KeyError::Form });
    }
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::Pem)?;
    if !is_whole(key.secret_der()) {
        return Err(KeyError::Pem);
    }
    let material = match key {
        PrivateKeyDer::Pkcs1(der) => rsa(signature::RsaKeyPair::from_der(der.secret_pkcs1_der())),
        PrivateKeyDer::Sec1(der) => {
            let der = der.secret_sec1_der();
            elliptic(
                p256::SecretKey::from_sec1_der(der).ok(),
                p384::SecretKey::from_sec1_der(der).ok(),
                p521::SecretKey::from_sec1_der(der).ok(),
            )
        }
        PrivateKeyDer::Pkcs8(der) => {
            let der = der.secret_pkcs8_der();
            rsa(signature::RsaKeyPair::from_pkcs8(der)).or_else(|| {
                elliptic(
                    p256::SecretKey::from_pkcs8_der(der).ok(),
                    p384::SecretKey::from_pkcs8_der(der).ok(),
                    p521::SecretKey::from_pkcs8_der(der).ok(),
                )
            })
        }
        _ => None,
    };
    material.ok_or(KeyError::Kind)
}

/// Whether as many bytes follow as the key says (X.690 §8.1.3). Without some of its lines, a key is shorter.
fn is_whole(der: &[u8]) -> bool {
    let [0x30, length, rest @ ..] = der else { return false };
    let digits = usize::from(length & 0x7f);
    if *length < 0x80 {
        return rest.len() == digits;
    }
    let Some((stated, content)) = rest.split_at_checked(digits) else { return false };
    stated.iter().fold(0_usize, |number, byte| number.saturating_mul(256).saturating_add((*byte).into()))
        == content.len()
}
