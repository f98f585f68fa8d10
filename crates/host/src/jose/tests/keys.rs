//! Private keys in every form, and what they sign. `ring` checks the signatures of the other libraries.

use base64::{Engine, engine::general_purpose::STANDARD};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::json;

use super::*;
use crate::jose::{Algorithm, KeyError, SigningKey};

/// An element of DER (X.690): the identifier, the length, and the content.
fn der(identifier: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut element = vec![identifier];
    if content.len() < 128 {
        element.push(content.len().try_into().unwrap());
    } else {
        element.push(0x80 | u8::try_from(length.len()).unwrap());
        element.extend(length);
    }
    element.extend(content);
    element
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let is_high = bytes.first().is_some_and(|byte| *byte >= 0x80);
    der(0x02, &[if is_high { &[0][..] } else { &[] }, bytes].concat())
}

/// RFC 8017, appendix A.1.2.
fn pkcs1() -> Vec<u8> {
    let jwk = rsa();
    let numbers = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(|member| integer(&number(&jwk, member)));
    der(0x30, &[integer(&[0]), numbers.concat()].concat())
}

/// RFC 5915, without the curve: PKCS #8 names it.
fn sec1(jwk: &Value, curve: Option<&[u8]>) -> Vec<u8> {
    let curve = curve.map(|oid| der(0xa0, oid)).unwrap_or_default();
    der(0x30, &[integer(&[1]), der(0x04, &number(jwk, "d")), curve].concat())
}

/// RFC 5208.
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    der(0x30, &[integer(&[0]), der(0x30, algorithm), der(0x04, key)].concat())
}

fn pem(label: &str, der: &[u8]) -> String {
    let lines: Vec<String> =
        STANDARD.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

// Object identifiers: rsaEncryption, ecPublicKey, and the curves P-256, P-384, and P-521.
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];

fn point(jwk: &Value) -> Vec<u8> {
    [vec![4], number(jwk, "x"), number(jwk, "y")].concat()
}

fn verify(algorithm: &'static dyn VerificationAlgorithm, jwk: &Value, signature: &[u8]) {
    UnparsedPublicKey::new(algorithm, point(jwk)).verify(b"signed", signature).unwrap();
}

#[test]
fn a_key_in_every_form_signs_in_the_same_name() {
    let forms = |jwk: &Value, curve: &[u8]| {
        let algorithm = [EC, curve].concat();
        [
            jwk.to_string(),
            pem("EC PRIVATE KEY", &sec1(jwk, Some(curve))),
            pem("PRIVATE KEY", &pkcs8(&algorithm, &sec1(jwk, None))),
        ]
    };
    for text in forms(&p256(), P256) {
        let key = SigningKey::read(&text, None).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Es256, "{text}");
        verify(&signature::ECDSA_P256_SHA256_FIXED, &p256(), &key.sign(b"signed").unwrap());
    }
    for text in forms(&p384(), P384) {
        let key = SigningKey::read(&text, None).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Es384, "{text}");
        verify(&signature::ECDSA_P384_SHA384_FIXED, &p384(), &key.sign(b"signed").unwrap());
    }
    for text in forms(&p521(), P521) {
        use p521::ecdsa::signature::Verifier;
        let key = SigningKey::read(&text, None).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Es512, "{text}");
        let signature = p521::ecdsa::Signature::from_slice(&key.sign(b"signed").unwrap()).unwrap();
        let public = p521::ecdsa::VerifyingKey::from_sec1_bytes(&point(&p521())).unwrap();
        public.verify(b"signed", &signature).unwrap();
    }
    let rsa_forms = [rsa().to_string(), pem("RSA PRIVATE KEY", &pkcs1()), pem("PRIVATE KEY", &pkcs8(RSA, &pkcs1()))];
    for text in rsa_forms {
        let public = RsaPublicKeyComponents { n: number(&rsa(), "n"), e: number(&rsa(), "e") };
        for (algorithm, check) in [
            (Algorithm::Rs256, &signature::RSA_PKCS1_2048_8192_SHA256),
            (Algorithm::Rs384, &signature::RSA_PKCS1_2048_8192_SHA384),
            (Algorithm::Rs512, &signature::RSA_PKCS1_2048_8192_SHA512),
            (Algorithm::Ps256, &signature::RSA_PSS_2048_8192_SHA256),
        ] {
            let key = SigningKey::read(&format!("\u{feff}\n{text}\n"), Some(algorithm)).unwrap();
            public.verify(check, b"signed", &key.sign(b"signed").unwrap()).unwrap();
        }
        assert_eq!(SigningKey::read(&text, None).unwrap().algorithm(), Algorithm::Rs256);
    }
}

/// RFC 7515, appendix A.2: a signature by others.
#[test]
fn the_signature_of_the_standard_is_made() {
    let signed = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = SigningKey::read(&rsa().to_string(), None).unwrap().sign(signed.as_bytes()).unwrap();
    let expected = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    assert_eq!(BASE64URL.encode(signature), expected);
}

#[test]
fn what_is_no_private_key_is_refused_with_a_reason_and_never_shown() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut jwk = rsa();
        change(&mut jwk);
        jwk.to_string()
    };
    let short = |jwk: &mut Value| jwk["n"] = "AQAB".into();
    let rows = [
        (" \n".to_owned(), KeyError::Empty),
        ("canary-0f3e".to_owned(), KeyError::Form),
        (pem("PUBLIC KEY", b"canary-0f3e"), KeyError::Public),
        (pem("CERTIFICATE", b"canary-0f3e"), KeyError::Public),
        (pem("ENCRYPTED PRIVATE KEY", b"canary-0f3e"), KeyError::Encrypted),
        (pem("RSA PRIVATE KEY", b"x").replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n"), KeyError::Encrypted),
        (pem("OPENSSH PRIVATE KEY", b"canary-0f3e"), KeyError::OpenSsh),
        (pem("PRIVATE KEY", b"canary-0f3e"), KeyError::Pem),
        (pem("PRIVATE KEY", &pkcs8(RSA, b"canary-0f3e")[..20]), KeyError::Pem),
        (pem("PRIVATE KEY", &pkcs8(RSA, b"canary-0f3e")), KeyError::Kind),
        ("-----BEGIN PRIVATE KEY-----\ncanary 0f3e".to_owned(), KeyError::Pem),
        ("{canary-0f3e".to_owned(), KeyError::Jwk("is not JSON with a `kty`, whose members are texts")),
        ([pem("PRIVATE KEY", b"x"), pem("EC PRIVATE KEY", b"canary-0f3e")].concat(), KeyError::Several),
        (with(&|jwk| jwk["use"] = "enc".into()), KeyError::Purpose),
        (json!({ "kty": "oct", "k": "canary-0f3e" }).to_string(), KeyError::Kind),
        (json!({ "keys": [rsa()] }).to_string(), KeyError::Jwk("is a set: take one key out of `keys`")),
        (with(&|jwk| drop(jwk.as_object_mut().unwrap().remove("d"))), KeyError::Public),
        (
            with(&|jwk| drop(jwk.as_object_mut().unwrap().remove("qi"))),
            KeyError::Jwk("lacks one of `n`, `e`, `d`, `p`, `q`, `dp`, `dq`, and `qi`"),
        ),
        (with(&short), KeyError::Kind),
        (with(&|jwk| jwk["kty"] = "oct".into()), KeyError::Kind),
        (with(&|jwk| jwk["alg"] = "HS256".into()), KeyError::Purpose),
        (with(&|jwk| jwk["alg"] = "ES256".into()), KeyError::Algorithm("an RSA key", Algorithm::Es256)),
    ];
    for (text, expected) in rows {
        let error = SigningKey::read(&text, None).unwrap_err();
        assert_eq!(error, expected, "{text}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    let named = SigningKey::read(&with(&|jwk| jwk["kid"] = "of-jwk".into()), None).unwrap();
    assert_eq!((named.id(), format!("{named:?}").as_str()), (Some("of-jwk"), "SigningKey { algorithm: Rs256, .. }"));
    let error = SigningKey::read(&p256().to_string(), Some(Algorithm::Rs256)).unwrap_err();
    assert_eq!(error.to_string(), "is an EC key of P-256, which cannot sign RS256");
}

/// Damaged texts are refused or are other keys. Nothing panics, and no error shows a part of the text.
#[test]
fn a_damaged_key_is_refused_and_never_shown() {
    let seed = fastrand::u64(..);
    println!("seed: {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let [of_p256, of_p521] = [([EC, P256].concat(), p256()), ([EC, P521].concat(), p521())]
        .map(|(algorithm, jwk)| pem("PRIVATE KEY", &pkcs8(&algorithm, &sec1(&jwk, None))));
    let texts = [
        rsa().to_string(),
        p384().to_string(),
        pem("RSA PRIVATE KEY", &pkcs1()),
        pem("EC PRIVATE KEY", &sec1(&p384(), Some(P384))),
        of_p256,
        of_p521,
    ];
    let (mut refused, mut read) = (0, 0);
    for _ in 0..3_000 {
        let text = rng.choice(&texts).unwrap();
        let mut bytes = text.clone().into_bytes();
        for _ in 0..rng.usize(..4) {
            let place = rng.usize(..bytes.len());
            match rng.u8(..4) {
                0 => drop(bytes.remove(place)),
                1 => bytes.insert(place, rng.u8(..)),
                2 => bytes.truncate(place.max(8)),
                _ => bytes[place] = rng.u8(..),
            }
        }
        let damaged = String::from_utf8_lossy(&bytes).into_owned();
        match SigningKey::read(&damaged, None) {
            Ok(key) => {
                read += 1;
                assert!(matches!(key.sign(b"signed"), Ok(_) | Err(KeyError::Damaged)), "{damaged}");
            }
            Err(error) => {
                refused += 1;
                let shown = format!("{error} {error:?}");
                let secret = &number(&rsa(), "d");
                for part in [BASE64URL.encode(secret), STANDARD.encode(secret), damaged] {
                    let part: String = part.chars().skip(40).take(12).collect();
                    assert!(part.len() < 12 || !shown.contains(&part), "{shown}");
                }
            }
        }
    }
    assert!(read > 300 && refused > 300, "{read} read, {refused} refused");
}
