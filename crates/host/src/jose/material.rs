//! What a private key is made of. Libraries do the cryptography.

use ring::{rand::SystemRandom, signature};

use super::algorithm::Algorithm;

/// A key of a kind that Okta takes.
pub(super) enum Material {
    Rsa(Box<signature::RsaKeyPair>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

/// Why a text is no key to sign with. Never contains the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("is empty")]
    Empty,
    #[error("is a public key or a certificate, and only a private key can sign")]
    Public,
    #[error("is encrypted, and flowswap cannot ask for its passphrase here")]
    Encrypted,
    #[error("is in the form of OpenSSH")]
    OpenSsh,
    #[error("is neither PEM nor a JWK")]
    Form,
    #[error("is PEM that cannot be read")]
    Pem,
    #[error("is a JWK that {0}")]
    Jwk(&'static str),
    #[error("is neither an RSA key of 2048 to 8192 bits nor an EC key of P-256, P-384, or P-521")]
    Kind,
    #[error("is a file with several private keys")]
    Several,
    #[error("is a JWK that `alg` or `use` does not let sign client assertions")]
    Purpose,
    #[error("is damaged: its numbers do not fit together")]
    Damaged,
    #[error("is {0}, which cannot sign {1}")]
    Algorithm(&'static str, Algorithm),
}

impl Material {
    pub(super) fn usual(&self) -> Algorithm {
        match self {
            Self::Rsa(_) => Algorithm::Rs256,
            Self::P256(_) => Algorithm::Es256,
            Self::P384(_) => Algorithm::Es384,
            Self::P521(_) => Algorithm::Es512,
        }
    }

    pub(super) fn signs(&self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa(_) => algorithm.padding().is_some(),
            Self::P256(_) | Self::P384(_) | Self::P521(_) => algorithm == self.usual(),
        }
    }

    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "an RSA key",
            Self::P256(_) => "an EC key of P-256",
            Self::P384(_) => "an EC key of P-384",
            Self::P521(_) => "an EC key of P-521",
        }
    }

    /// The signature over these bytes.
    pub(super) fn sign(&self, algorithm: Algorithm, bytes: &[u8]) -> Result<Vec<u8>, KeyError> {
        use p256::ecdsa::signature::Signer;
        // The libraries check what they sign, so that a damaged key is not given away.
        let failed = || KeyError::Damaged;
        Ok(match self {
            Material::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let padding = algorithm.padding().ok_or_else(failed)?;
                key.sign(padding, &SystemRandom::new(), bytes, &mut signature).map_err(|_| failed())?;
                signature
            }
            Material::P256(key) => {
                let signature: p256::ecdsa::Signature = key.try_sign(bytes).map_err(|_| failed())?;
                signature.to_bytes().to_vec()
            }
            Material::P384(key) => {
                let signature: p384::ecdsa::Signature = key.try_sign(bytes).map_err(|_| failed())?;
                signature.to_bytes().to_vec()
            }
            Material::P521(key) => {
                let signature: p521::ecdsa::Signature = key.try_sign(bytes).map_err(|_| failed())?;
                signature.to_bytes().to_vec()
            }
        })
    }
}

pub(super) fn rsa(key: Result<signature::RsaKeyPair, ring::error::KeyRejected>) -> Option<Material> {
    key.ok().map(|key| Material::Rsa(Box::new(key)))
}

/// The key that could be read, if one could.
pub(super) fn elliptic(
    p256: Option<p256::SecretKey>,
    p384: Option<p384::SecretKey>,
    p521: Option<p521::SecretKey>,
) -> Option<Material> {
    let p256 = p256.map(|key| Material::P256(key.into()));
    let p384 = || p384.map(|key| Material::P384(key.into()));
    let p521 = || {
        let bytes = p521?.to_bytes();
        p521::ecdsa::SigningKey::from_bytes(&bytes).ok().map(Material::P521)
    };
    p256.or_else(p384).or_else(p521)
}
