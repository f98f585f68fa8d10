//! The administrator's own app for API services: a client that authenticates by a signed assertion, and whose tokens may be bound
//! to a key (developer.okta.com, "Implement OAuth for Okta with a service app" and "Configure OAuth 2.0 Demonstrating
//! Proof-of-Possession"). The texts are those of Okta's list of OAuth 2.0 errors.

use std::collections::{BTreeSet, HashSet};
use std::iter;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use http::{HeaderName, StatusCode};
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Call;
use super::jose::{Jws, hash, thumbprint};
use super::refusal::Refusal;
use crate::ids::Mint;

/// The scopes that flowswap needs (plugins/okta/README.md).
const SCOPES: [&str; 7] = [
    "okta.appGrants.read",
    "okta.apps.manage",
    "okta.apps.read",
    "okta.logs.read",
    "okta.oauthIntegrations.manage",
    "okta.oauthIntegrations.read",
    "okta.roles.read",
];

/// How an assertion may be signed, except by a client secret (developer.okta.com, "Build a JWT for client authentication").
const ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];
/// How long an assertion may be valid (developer.okta.com, "Build a JWT for client authentication").
const LONGEST: i64 = 60 * 60;
/// How old a proof may be (Okta OAuth 2.0 errors, `invalid_dpop_proof_jwt_too_old`).
const OLDEST_PROOF: i64 = 5 * 60;
/// How far a clock may be off. No public source has Okta's number.
const LEEWAY: i64 = 5;

/// The app of one org.
#[derive(Debug)]
pub(crate) struct ServiceApp {
    pub(crate) client_id: String,
    pub(crate) key_id: String,
    /// The private key as the administrator got it, a JWK.
    pub(crate) private_key: String,
    public_key: Value,
    pub(crate) scopes: BTreeSet<String>,
    /// Whether it has an administrator role. Without one, its scopes permit nothing.
    pub(crate) has_role: bool,
    /// Whether its tokens must be bound to a key. The Admin Console switches it on for new apps.
    dpop: bool,
    is_active: bool,
    /// Whether the request comes from a network that the app permits.
    is_in_zone: bool,
    /// The ids of assertions and proofs that were used.
    used: HashSet<String>,
    nonce: String,
}

/// What becomes different of an app. What is not named stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceAppChange {
    /// Whether the app is active.
    pub is_active: Option<bool>,
    /// Whether its tokens must be bound to a key.
    pub dpop: Option<bool>,
    /// Whether it has an administrator role.
    pub has_role: Option<bool>,
    /// Whether it permits the network that requests come from.
    pub is_in_zone: Option<bool>,
    /// The id of its public key.
    pub key_id: Option<String>,
    /// Its public key, a JWK.
    pub public_key: Option<Value>,
}

/// A token request that may go on.
pub(crate) struct Authenticated {
    pub(crate) client_id: String,
    pub(crate) scopes: Vec<String>,
    /// The thumbprint of the key to which the token will be bound.
    pub(crate) bound_to: Option<String>,
}

impl ServiceApp {
    /// The app of an org. Where the administrator uses an API token, it has no key yet, so nobody can act as it.
    pub(crate) fn build(seed: u64, org: &str, has_key: bool, dpop: bool) -> Self {
        let mut mint = Mint::new(seed, &format!("service-app/{org}"));
        let (client_id, key_id, nonce) = (mint.id("0oa"), mint.id("kid"), mint.token("nonce-"));
        let (public_key, private_key) =
            if has_key { make_keys(&mut mint, &key_id) } else { (Value::Null, String::new()) };
        Self {
            client_id,
            key_id,
            private_key,
            public_key,
            scopes: SCOPES.map(str::to_owned).into(),
            has_role: true,
            dpop,
            is_active: true,
            is_in_zone: true,
            used: HashSet::new(),
            nonce,
        }
    }

    /// Changes it. Its tokens stay valid.
    pub(crate) fn apply(&mut self, change: ServiceAppChange) {
        let ServiceAppChange { is_active, dpop, has_role, is_in_zone, key_id, public_key } = change;
        self.is_active = is_active.unwrap_or(self.is_active);
        self.dpop = dpop.unwrap_or(self.dpop);
        self.has_role = has_role.unwrap_or(self.has_role);
        self.is_in_zone = is_in_zone.unwrap_or(self.is_in_zone);
        self.key_id = key_id.unwrap_or_else(|| std::mem::take(&mut self.key_id));
        self.public_key = public_key.unwrap_or_else(|| self.public_key.take());
    }
}

/// A key on P-256, as a public and as a private JWK. It takes much longer than the rest of an org.
fn make_keys(mint: &mut Mint, key_id: &str) -> (Value, String) {
    // Nearly every number is a key of the curve.
    let key = iter::repeat_with(|| p256::SecretKey::from_slice(&mint.secret().as_bytes()[..32])).find_map(Result::ok);
    let key = key.expect("one of endless numbers is a key");
    let point = key.public_key().to_encoded_point(false);
    let number =
        |bytes: Option<&p256::FieldBytes>| BASE64URL.encode(bytes.map(|bytes| bytes.to_vec()).unwrap_or_default());
    let public_key =
        json!({ "kty": "EC", "crv": "P-256", "x": number(point.x()), "y": number(point.y()), "kid": key_id });
    let mut private_key = public_key.clone();
    private_key["d"] = BASE64URL.encode(key.to_bytes()).into();
    (public_key, private_key.to_string())
}

/// Checks the assertion of a token request, and its proof if the app needs one.
pub(crate) fn authenticate(call: &mut Call<'_>, assertion: &str) -> Result<Authenticated, Refusal> {
    let (now, endpoint) = (call.now.as_second(), format!("{}/oauth2/v1/token", call.request.base()));
    let app = &mut call.org.service_app;
    let jws = Jws::parse(assertion).ok_or_else(|| unauthenticated("The parsing of the client_assertion failed."))?;
    if jws.text("iss") != app.client_id || !app.is_active {
        return Err(unauthenticated("The issuer claim for client_assertion is not a valid client_id."));
    }
    if jws.text("sub") != app.client_id {
        return Err(unauthenticated("The subject claim for client_assertion is not a valid client_id."));
    }
    if !ALGORITHMS.contains(&jws.algorithm()) {
        return Err(unauthenticated("The client_assertion JWT signature algorithm is invalid."));
    }
    // With one key, the app needs no `kid`.
    if jws.header["kid"].as_str().is_some_and(|kid| kid != app.key_id) {
        return Err(unauthenticated("The client_assertion JWT kid is invalid."));
    }
    if !jws.is_signed_by(&app.public_key) {
        return Err(unauthenticated("The client_assertion signature is invalid."));
    }
    if jws.text("aud") != endpoint {
        return Err(unauthenticated(
            "The audience claim for client_assertion must be the endpoint invoked for the request.",
        ));
    }
    let expires = jws.seconds("exp");
    let expires = expires
        .ok_or_else(|| unauthenticated("The client_assertion must contain the 'exp' claim as seconds since epoch."))?;
    if expires + LEEWAY <= now {
        return Err(unauthenticated("The client_assertion token is expired."));
    }
    if expires > now + LONGEST + LEEWAY {
        return Err(unauthenticated("The client_assertion token has an expiration too far into the future."));
    }
    if jws.seconds("iat").is_some_and(|issued| issued > now + LEEWAY) {
        return Err(unauthenticated("The client_assertion token must be issued before the current time."));
    }
    if jws.text("jti").is_empty() || !app.used.insert(jws.text("jti").to_owned()) {
        return Err(unauthenticated("The client_assertion token has already been used."));
    }
    if !app.is_in_zone {
        let text = "The client is outside of the client's permitted network zones.";
        return Err(Refusal::oauth(StatusCode::FORBIDDEN, "access_denied", text));
    }
    let (client_id, scopes) = (app.client_id.clone(), app.scopes.iter().cloned().collect());
    let bound_to = if app.dpop { Some(check_proof(call, None)?) } else { None };
    Ok(Authenticated { client_id, scopes, bound_to })
}

/// Checks the proof of possession of a request (RFC 9449 section 4.3). Returns the thumbprint of its key. A proof for a resource
/// names the token and needs no nonce.
pub(crate) fn check_proof(call: &mut Call<'_>, token: Option<&str>) -> Result<String, Refusal> {
    let (now, request) = (call.now.as_second(), call.request);
    let wrong = |text: &str| Refusal::oauth(StatusCode::BAD_REQUEST, "invalid_dpop_proof", text);
    let proof = request.header(HeaderName::from_static("dpop"));
    let proof = proof.ok_or_else(|| wrong("The DPoP proof JWT header is missing."))?;
    let jws = Jws::parse(proof).ok_or_else(|| wrong("The DPoP proof JWT cannot be parsed."))?;
    if jws.header["typ"] != "dpop+jwt" {
        return Err(wrong("'typ' must be 'dpop+jwt' in the DPoP proof JWT."));
    }
    let jwk = &jws.header["jwk"];
    if jwk.get("d").is_some() || !jws.is_signed_by(jwk) {
        return Err(wrong("The DPoP proof JWT signature is invalid."));
    }
    if jws.text("htm") != request.method.as_str() {
        return Err(wrong("'htm' claim in the DPoP proof JWT is invalid."));
    }
    if jws.text("htu") != format!("{}{}", request.base(), request.path) {
        return Err(wrong("'htu' claim in the DPoP proof JWT is invalid."));
    }
    let issued = jws.seconds("iat").ok_or_else(|| wrong("'iat' claim in the DPoP proof JWT is invalid."))?;
    if issued > now + LEEWAY {
        return Err(wrong("The DPoP proof JWT is issued in the future."));
    }
    if issued < now - OLDEST_PROOF - LEEWAY {
        return Err(wrong("The DPoP proof JWT is issued more than five minutes in the past."));
    }
    let app = &mut call.org.service_app;
    match token {
        Some(token) if jws.text("ath") != hash(token) => {
            return Err(wrong("'ath' claim in the DPoP proof does not match the presented access_token."));
        }
        None if jws.text("nonce") != app.nonce => return Err(Refusal::UseNonce { nonce: app.nonce.clone() }),
        _ => {}
    }
    if jws.text("jti").is_empty() || !app.used.insert(jws.text("jti").to_owned()) {
        return Err(wrong("The DPoP proof JWT has already been used."));
    }
    Ok(thumbprint(jwk))
}

fn unauthenticated(description: &str) -> Refusal {
    Refusal::oauth(StatusCode::UNAUTHORIZED, "invalid_client", description)
}
