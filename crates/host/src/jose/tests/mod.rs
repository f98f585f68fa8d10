//! Published keys, and how to read what was signed.

mod keys;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde_json::Value;

/// The RSA key of RFC 7515, appendix A.2. It is published, so it protects nothing.
pub(crate) fn rsa() -> Value {
    serde_json::from_str(include_str!("../../../../../fixtures/keys/rsa.jwk")).unwrap()
}

/// The key on P-256 of RFC 7515, appendix A.3.
pub(crate) fn p256() -> Value {
    serde_json::from_str(include_str!("../../../../../fixtures/keys/p256.jwk")).unwrap()
}

/// A key on P-384, whose number counts from 1 to 48.
pub(crate) fn p384() -> Value {
    serde_json::from_str(include_str!("../../../../../fixtures/keys/p384.jwk")).unwrap()
}

/// The key on P-521 of RFC 7515, appendix A.4.
pub(crate) fn p521() -> Value {
    serde_json::from_str(include_str!("../../../../../fixtures/keys/p521.jwk")).unwrap()
}

/// A number of a JWK.
pub(crate) fn number(jwk: &Value, member: &str) -> Vec<u8> {
    BASE64URL.decode(jwk[member].as_str().unwrap()).unwrap()
}

/// The header and the claims of a JWT.
pub(crate) fn decode(jwt: &str) -> [Value; 2] {
    let parts: Vec<&str> = jwt.split('.').collect();
    assert_eq!(parts.len(), 3, "{jwt}");
    [0, 1].map(|part| serde_json::from_slice(&BASE64URL.decode(parts[part]).unwrap()).unwrap())
}
