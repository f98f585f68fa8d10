//! A private key as a JWK (RFC 7517, RFC 7518 section 6).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use ring::{
    rsa::{KeyPairComponents, PublicKeyComponents},
    signature::RsaKeyPair,
};
use serde::Deserialize;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::{
    algorithm::Algorithm,
    material::{KeyError, Material, elliptic, rsa},
};

/// The members that matter here. All numbers are base64url.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
}

/// The key, and the algorithm and the id that it names.
pub(super) fn read(text: &str) -> Result<(Material, Option<Algorithm>, Option<String>), KeyError> {
    // Not the error of the parser: it may repeat the text.
    let jwk: Jwk = match serde_json::from_str(text) {
        Ok(jwk) => jwk,
        Err(_) if text.contains("\"keys\"") => return Err(KeyError::Jwk("is a set: take one key out of `keys`")),
        Err(_) => return Err(KeyError::Jwk("is not JSON with a `kty`, whose members are texts")),
    };
    if !matches!(jwk.kty.as_str(), "RSA" | "EC") {
        return Err(KeyError::Kind);
    }
    if jwk.d.is_none() {
        return Err(KeyError::Public);
    }
    if jwk.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
        return Err(KeyError::Purpose);
    }
    let algorithm = match jwk.alg.as_deref() {
        None => None,
        Some(name) => Some(Algorithm::named(name).ok_or(KeyError::Purpose)?),
    };
    let material = match jwk.kty.as_str() {
        "RSA" => jwk.rsa()?,
        "EC" => jwk.elliptic()?,
        _ => return Err(KeyError::Kind),
    };
    Ok((material, algorithm, jwk.kid.clone()))
}

impl Jwk {
    fn rsa(&self) -> Result<Material, KeyError> {
        let number = |member: &Option<String>| decode(member.as_deref());
        let parts = [&self.n, &self.e, &self.d, &self.p, &self.q, &self.dp, &self.dq, &self.qi].map(number);
        let [Some(n), Some(e), Some(d), Some(p), Some(q), Some(dp), Some(dq), Some(qi)] = &parts else {
            return Err(KeyError::Jwk("lacks one of `n`, `e`, `d`, `p`, `q`, `dp`, `dq`, and `qi`"));
        };
        let components = KeyPairComponents {
            public_key: PublicKeyComponents { n: &**n, e: &**e },
            d: &**d,
            p: &**p,
            q: &**q,
            dP: &**dp,
            dQ: &**dq,
            qInv: &**qi,
        };
        rsa(RsaKeyPair::from_components(&components)).ok_or(KeyError::Kind)
    }

    fn elliptic(&self) -> Result<Material, KeyError> {
        let d = decode(self.d.as_deref()).ok_or(KeyError::Jwk("has a `d` that is not base64url"))?;
        let material = match self.crv.as_deref() {
            Some("P-256") => elliptic(p256::SecretKey::from_slice(&d).ok(), None, None),
            Some("P-384") => elliptic(None, p384::SecretKey::from_slice(&d).ok(), None),
            Some("P-521") => elliptic(None, None, p521::SecretKey::from_slice(&d).ok()),
            _ => return Err(KeyError::Kind),
        };
        material.ok_or(KeyError::Jwk("has a `d` that is no key of its curve"))
    }
}

fn decode(text: Option<&str>) -> Option<Zeroizing<Vec<u8>>> {
    BASE64URL.decode(text?.trim_end_matches('=')).ok().map(Zeroizing::new)
}
