//! Signed JSON (RFC 7515) as a client sends it, and its verification: by `ring`, which knows no P-521, or by `p521`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use p521::ecdsa::signature::Verifier as _;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A JWS whose signature was not checked yet.
pub(crate) struct Jws<'t> {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: &'t str,
    signature: Vec<u8>,
}

impl<'t> Jws<'t> {
    /// Reads the compact form. `None` for any other text.
    pub(crate) fn parse(text: &'t str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decode = |part: &str| serde_json::from_slice(&BASE64URL.decode(part).ok()?).ok();
        Some(Self {
            header: decode(header)?,
            claims: decode(claims)?,
            signed,
            signature: BASE64URL.decode(signature).ok()?,
        })
    }

    pub(crate) fn algorithm(&self) -> &str {
        self.header["alg"].as_str().unwrap_or_default()
    }

    /// A claim that is a text.
    pub(crate) fn text(&self, claim: &str) -> &str {
        self.claims[claim].as_str().unwrap_or_default()
    }

    /// A claim that is a time in seconds.
    pub(crate) fn seconds(&self, claim: &str) -> Option<i64> {
        self.claims[claim].as_i64()
    }

    /// Whether the holder of this public key signed it.
    pub(crate) fn is_signed_by(&self, jwk: &Value) -> bool {
        let bytes = |member: &str| BASE64URL.decode(jwk[member].as_str().unwrap_or_default()).unwrap_or_default();
        let point = || [vec![4], bytes("x"), bytes("y")].concat();
        let elliptic = |algorithm: &'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(algorithm, point()).verify(self.signed.as_bytes(), &self.signature).is_ok()
        };
        let p521 = || {
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point()).ok()?;
            let signature = p521::ecdsa::Signature::from_slice(&self.signature).ok()?;
            key.verify(self.signed.as_bytes(), &signature).ok()
        };
        let rsa = |algorithm: &'static signature::RsaParameters| {
            let key = RsaPublicKeyComponents { n: bytes("n"), e: bytes("e") };
            key.verify(algorithm, self.signed.as_bytes(), &self.signature).is_ok()
        };
        match (jwk["kty"].as_str(), self.algorithm()) {
            (Some("EC"), "ES256") => elliptic(&signature::ECDSA_P256_SHA256_FIXED),
            (Some("EC"), "ES384") => elliptic(&signature::ECDSA_P384_SHA384_FIXED),
            (Some("EC"), "ES512") => p521().is_some(),
            (Some("RSA"), "RS256") => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            (Some("RSA"), "RS384") => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            (Some("RSA"), "RS512") => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            _ => false,
        }
    }
}

/// The thumbprint of a public key on an elliptic curve (RFC 7638).
pub(crate) fn thumbprint(jwk: &Value) -> String {
    let text = |member: &str| jwk[member].as_str().unwrap_or_default();
    let canonical = format!(
        "{{\"crv\":\"{}\",\"kty\":\"{}\",\"x\":\"{}\",\"y\":\"{}\"}}",
        text("crv"),
        text("kty"),
        text("x"),
        text("y")
    );
    hash(&canonical)
}

/// SHA-256 in base64url, as in `ath`.
pub(crate) fn hash(text: &str) -> String {
    BASE64URL.encode(Sha256::digest(text))
}
