//! What flowswap signs, verified by a library that neither flowswap nor the simulator uses, and with each kind of key.

use std::{collections::HashSet, fs};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use flowswap_sim::{Exchange, ServiceAppChange};
use jsonwebtoken::{Algorithm, DecodingKey, Header, TokenData, Validation, decode, decode_header, jwk::Jwk};
use p521::ecdsa::{Signature, VerifyingKey, signature::Verifier};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{BOUND, PLAIN, change_app, configure, lab};
use crate::support::Lab;

fn header<'e>(exchange: &'e Exchange, name: &str) -> Option<&'e str> {
    exchange.request_headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn field(exchange: &Exchange, name: &str) -> Option<String> {
    let fields = form_urlencoded::parse(&exchange.request_body);
    fields.into_iter().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// The claims of a JWT that the holder of the key signed, and nobody else.
#[track_caller]
fn verify(jwt: &str, key: &Jwk) -> (Header, Value) {
    let header = decode_header(jwt).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    // The clock of the world moves in these tests.
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let decoded: TokenData<Value> = decode(jwt, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap();
    let (signed, signature) = jwt.rsplit_once('.').unwrap();
    let mut forged = BASE64URL.decode(signature).unwrap();
    forged[7] ^= 1;
    let forged = format!("{signed}.{}", BASE64URL.encode(forged));
    assert!(decode::<Value>(&forged, &DecodingKey::from_jwk(key).unwrap(), &validation).is_err());
    (header, decoded.claims)
}

/// What one process sent with success.
struct Sent {
    assertions: Vec<(Header, Value)>,
    proofs: usize,
}

/// Checks every assertion and every proof in the traffic (RFC 7523 section 3, RFC 9449 section 4.3).
fn verify_traffic(lab: &Lab, key: &Value) -> Sent {
    let key: Jwk = serde_json::from_value(key.clone()).unwrap();
    let (mut ids, mut keys, mut sent) = (HashSet::new(), HashSet::new(), Sent { assertions: Vec::new(), proofs: 0 });
    for exchange in lab.sim.traffic().iter().filter(|exchange| exchange.status == Some(200)) {
        let is_token_request = exchange.path_and_query == "/oauth2/v1/token";
        // The port is in the `Host` header, as a server sees it.
        let url = format!("https://{}{}", header(exchange, "host").unwrap(), exchange.path_and_query);
        if let Some(assertion) = field(exchange, "client_assertion") {
            let (header, claims) = verify(&assertion, &key);
            let [issued, expires] = ["iat", "exp"].map(|claim| claims[claim].as_i64().unwrap());
            assert_eq!((&claims["aud"], expires - issued), (&json!(url), 300));
            assert_eq!(claims["iss"], claims["sub"]);
            assert!(ids.insert(claims["jti"].as_str().unwrap().to_owned()), "an assertion was used twice");
            assert_eq!(header.jwk, None);
            sent.assertions.push((header, claims));
        }
        let Some(proof) = header(exchange, "dpop") else { continue };
        let shown = decode_header(proof).unwrap().jwk.unwrap();
        let (named, claims) = verify(proof, &shown);
        assert_eq!((named.typ.as_deref(), named.alg, named.kid), (Some("dpop+jwt"), Algorithm::ES256, None));
        assert!(ids.insert(claims["jti"].as_str().unwrap().to_owned()), "a proof was used twice");
        assert_eq!(claims["htm"], exchange.method);
        assert_eq!(claims["htu"], url.split('?').next().unwrap());
        let token = header(exchange, "authorization").and_then(|value| value.strip_prefix("DPoP "));
        match token {
            Some(token) => assert_eq!(claims["ath"], BASE64URL.encode(Sha256::digest(token))),
            None => assert!(is_token_request && claims.get("ath").is_none() && claims["nonce"].is_string()),
        }
        keys.insert(serde_json::to_string(&shown).unwrap());
        sent.proofs += 1;
    }
    assert!(keys.len() <= 1, "a process has one key for its proofs");
    sent
}

#[test]
fn an_independent_library_verifies_each_assertion_and_each_proof() {
    for (admin, has_proofs) in [(PLAIN, false), (BOUND, true)] {
        let lab = lab(admin);
        lab.run(&["check", "acme"]).expect(0);
        let tenant = &lab.sim.tenants()[0];
        let sent = verify_traffic(&lab, &serde_json::from_str(&tenant.service_app.private_key).unwrap());
        // One token for each kind of request.
        assert!(sent.assertions.len() >= 3, "{}", sent.assertions.len());
        assert_eq!(sent.proofs > sent.assertions.len(), has_proofs, "{}", sent.proofs);
        for (header, claims) in sent.assertions {
            assert_eq!(header.kid.as_ref(), Some(&tenant.service_app.key_id));
            assert_eq!(claims["iss"], tenant.service_app.client_id);
        }
    }
}

/// Okta documents these algorithms for client assertions. `check` passes with each, and the library agrees.
#[test]
fn every_kind_of_key_that_okta_takes_works() {
    let fixture = |name: &str| -> Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/keys");
        serde_json::from_str(&fs::read_to_string(format!("{folder}/{name}.jwk")).unwrap()).unwrap()
    };
    for (name, algorithm) in
        [("rsa", "RS256"), ("rsa", "RS384"), ("rsa", "RS512"), ("p256", "ES256"), ("p384", "ES384"), ("p521", "ES512")]
    {
        let lab = lab(PLAIN);
        let (tenant, private) = (&lab.sim.tenants()[0], fixture(name));
        let mut public = private.clone();
        for member in ["d", "p", "q", "dp", "dq", "qi"] {
            public.as_object_mut().unwrap().remove(member);
        }
        change_app(&lab, ServiceAppChange { public_key: Some(public.clone()), ..Default::default() });
        fs::write(lab.path("tokens/acme.jwk"), private.to_string()).unwrap();
        configure(&lab, &format!("key_id = \"{}\"\nalgorithm = \"{algorithm}\"", tenant.service_app.key_id));
        lab.run(&["check", "acme"]).expect(0);
        if algorithm == "ES512" {
            verify_es512(&lab, &public);
            continue;
        }
        let sent = verify_traffic(&lab, &public);
        assert!(!sent.assertions.is_empty());
        assert!(sent.assertions.iter().all(|(header, _)| format!("{:?}", header.alg) == algorithm), "{algorithm}");
    }
}

/// The library does not know ES512. This one does, and agrees with the example of the standard (RFC 7515, appendix A.4).
fn verify_es512(lab: &Lab, key: &Value) {
    let number = |name: &str| BASE64URL.decode(key[name].as_str().unwrap()).unwrap();
    let key = VerifyingKey::from_sec1_bytes(&[vec![4], number("x"), number("y")].concat()).unwrap();
    let is_signed = |jws: &str| {
        let (signed, signature) = jws.rsplit_once('.').unwrap();
        let signature = Signature::from_slice(&BASE64URL.decode(signature).unwrap()).unwrap();
        key.verify(signed.as_bytes(), &signature).is_ok()
    };
    let standard = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn";
    assert!(is_signed(standard));
    assert!(!is_signed(&standard.replace("UGF5", "UGF4")));
    let traffic = lab.sim.traffic();
    let assertions: Vec<String> = traffic.iter().filter_map(|sent| field(sent, "client_assertion")).collect();
    assert!(!assertions.is_empty());
    for assertion in assertions {
        assert!(is_signed(&assertion));
        let header: Value =
            serde_json::from_slice(&BASE64URL.decode(assertion.split('.').next().unwrap()).unwrap()).unwrap();
        assert_eq!(header["alg"], "ES512");
    }
}
