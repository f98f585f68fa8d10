//! The two kinds of JWT that a client sends: an assertion that it is itself (RFC 7523), and a proof that it has the key to which
//! a token is bound (RFC 9449).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{key::SigningKey, material::KeyError};

/// How far back assertions and proofs are dated: a server refuses one from its future, and its clock may be a little behind.
const BEHIND: SignedDuration = SignedDuration::from_secs(30);

/// How long an assertion is valid. Okta takes up to an hour (developer.okta.com, "Build a JWT for client authentication").
const LIFETIME: SignedDuration = SignedDuration::from_mins(5);

#[derive(Serialize)]
struct Header<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
    alg: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwk: Option<PublicJwk>,
}

/// The public half of a key on P-256 (RFC 7518, section 6.2.1).
#[derive(Serialize)]
struct PublicJwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    y: String,
}

#[derive(Serialize)]
struct AssertionClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
}

#[derive(Serialize)]
struct ProofClaims<'a> {
    htm: &'a str,
    htu: &'a str,
    iat: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// What a client assertion says.
pub(crate) struct Assertion<'a> {
    /// The client.
    pub(crate) client_id: &'a str,
    /// The token endpoint.
    pub(crate) audience: &'a str,
    /// The id of the key at the server, if it has one.
    pub(crate) key_id: Option<&'a str>,
}

/// What a proof says.
pub(crate) struct Proof<'a> {
    /// The method of the request.
    pub(crate) method: &'a str,
    /// Its URL. The proof names it without query and fragment.
    pub(crate) url: &'a Url,
    /// The token that the request carries.
    pub(crate) token: Option<&'a str>,
    /// What the server asked for.
    pub(crate) nonce: Option<&'a str>,
}

impl Assertion<'_> {
    /// Signs it. `id` must be new each time, because a server takes it once.
    pub(crate) fn sign(&self, key: &SigningKey, now: Timestamp, id: &str) -> Result<String, KeyError> {
        let kid = self.key_id.or(key.id());
        let header = Header { typ: None, alg: key.algorithm().name(), kid, jwk: None };
        let iat = issued_at(now);
        let (iss, exp) = (self.client_id, iat + LIFETIME.as_secs());
        sign(key, &header, &AssertionClaims { iss, sub: iss, aud: self.audience, iat, exp, jti: id })
    }
}

impl Proof<'_> {
    /// Signs it. `id` must be new each time.
    pub(crate) fn sign(&self, key: &SigningKey, now: Timestamp, id: &str) -> Result<String, KeyError> {
        let [x, y] = key.p256_coordinates().ok_or(KeyError::Kind)?.map(|number| BASE64URL.encode(number));
        let jwk = PublicJwk { kty: "EC", crv: "P-256", x, y };
        let header = Header { typ: Some("dpop+jwt"), alg: key.algorithm().name(), kid: None, jwk: Some(jwk) };
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        let ath = self.token.map(|token| BASE64URL.encode(Sha256::digest(token)));
        let claims =
            ProofClaims { htm: self.method, htu: url.as_str(), iat: issued_at(now), jti: id, ath, nonce: self.nonce };
        sign(key, &header, &claims)
    }
}

fn issued_at(now: Timestamp) -> i64 {
    (now - BEHIND).as_second()
}

/// The compact serialization of a JWS (RFC 7515, section 7.1).
fn sign(key: &SigningKey, header: &Header<'_>, claims: &impl Serialize) -> Result<String, KeyError> {
    let part = |value: Result<Vec<u8>, serde_json::Error>| {
        value.map(|bytes| BASE64URL.encode(bytes)).map_err(|_| KeyError::Form)
    };
    let signed = format!("{}.{}", part(serde_json::to_vec(header))?, part(serde_json::to_vec(claims))?);
    let signature = key.sign(signed.as_bytes())?;
    Ok(format!("{signed}.{}", BASE64URL.encode(signature)))
}
