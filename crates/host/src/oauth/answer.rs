//! What a token endpoint answers (RFC 6749 section 5). Pure.

use std::{collections::BTreeSet, time::Duration};

use flowswap_contract::{Error, ErrorKind, HttpAnswer, OAuthClient};
use flowswap_engine::Secret;
use serde::Deserialize;

/// The header with the nonce for the next proofs (RFC 9449 section 8).
pub(super) const NONCE: &str = "dpop-nonce";

/// What to do after an answer.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Use the token.
    Granted(Grant),
    /// Ask again, with a proof of possession.
    WantsProof,
    /// Ask again, with the nonce of the answer.
    WantsNonce,
    /// Give up.
    Refused(Error),
}

/// A token, as the server describes it.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) token: Secret,
    pub(super) is_bound: bool,
    pub(super) lifetime: Option<Duration>,
}

#[derive(Deserialize)]
struct Success {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
    scope: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

/// Reads the answer to a request for a token of this client.
pub(super) fn read(client: &OAuthClient, host: &str, with_proof: bool, answer: HttpAnswer) -> Verdict {
    if answer.is_success() {
        let grant = serde_json::from_value(answer.body).map_err(|_| {
            let message =
                format!("the answer of {host} to a request for a token is not one of OAuth 2.0, with `access_token` and `token_type`");
            Error::new(ErrorKind::Invalid, message)
        });
        return match grant.and_then(|success| accept(client, host, with_proof, success)) {
            Ok(grant) => Verdict::Granted(grant),
            Err(error) => Verdict::Refused(error),
        };
    }
    let refusal: Option<Refusal> = serde_json::from_value(answer.body.clone()).ok();
    match refusal.as_ref().map(|refusal| refusal.error.as_str()) {
        // A client that sent no proof yet learns in this way that it needs one. Okta answers with the first.
        Some("invalid_dpop_proof" | "use_dpop_nonce") if !with_proof && client.dpop != Some(false) => {
            Verdict::WantsProof
        }
        Some("use_dpop_nonce") if with_proof && answer.header(NONCE).is_some() => Verdict::WantsNonce,
        _ => Verdict::Refused(explain(client, host, &answer, refusal)),
    }
}

fn accept(client: &OAuthClient, host: &str, with_proof: bool, success: Success) -> Result<Grant, Error> {
    let invalid = |what: &str| Error::new(ErrorKind::Invalid, format!("{host} granted {what}"));
    let is_bound = match success.token_type.to_ascii_lowercase().as_str() {
        "dpop" if with_proof => true,
        "dpop" => return Err(invalid("a token that is bound to a key, although flowswap named none")),
        "bearer" if client.dpop == Some(true) => {
            let message = format!(
                "{host} granted a token that is bound to no key: the client {} does not use DPoP",
                client.client_id
            );
            let hint = "require DPoP for the app, or remove `dpop` from the configuration";
            return Err(Error::new(ErrorKind::Config, message).with_hint(hint).with_context("dpop", "not accepted"));
        }
        "bearer" => false,
        _ => return Err(invalid("a token of a type that flowswap does not know")),
    };
    let token = Secret::new(success.access_token);
    if token.expose().is_empty() || !token.expose().chars().all(|c| c.is_ascii_graphic()) {
        return Err(invalid("a token with characters that a header cannot hold"));
    }
    // Without the member, the token has what was asked for (RFC 6749 section 5.1).
    if let Some(granted) = &success.scope {
        let granted: BTreeSet<&str> = granted.split_whitespace().collect();
        let missing: Vec<&str> =
            client.scopes.iter().map(String::as_str).filter(|scope| !granted.contains(scope)).collect();
        if !missing.is_empty() {
            return Err(lacks(client, host, &missing));
        }
    }
    Ok(Grant { token, is_bound, lifetime: success.expires_in.map(Duration::from_secs) })
}

/// Okta grants the scopes that a client has, and leaves out the others without an error.
fn lacks(client: &OAuthClient, host: &str, missing: &[&str]) -> Error {
    let missing = missing.join(" ");
    let message = format!("{host} did not grant the client {} the scope {missing}", client.client_id);
    Error::new(ErrorKind::Permission, message).with_context("missing_scopes", missing)
}

fn explain(client: &OAuthClient, host: &str, answer: &HttpAnswer, refusal: Option<Refusal>) -> Error {
    let Some(Refusal { error, error_description }) = refusal else {
        let kind = match answer.status {
            429 => ErrorKind::RateLimited,
            500.. => ErrorKind::Unavailable,
            401 => ErrorKind::Auth,
            403 => ErrorKind::Permission,
            404 => ErrorKind::NotFound,
            _ => ErrorKind::Invalid,
        };
        let message = format!("{host} answered {} to a request for a token", answer.status);
        return Error::new(kind, message).with_context("status", answer.status.to_string());
    };
    let kind = match error.as_str() {
        "invalid_scope" | "consent_required" | "access_denied" | "insufficient_scope" => ErrorKind::Permission,
        "invalid_client" | "unauthorized_client" | "invalid_dpop_proof" | "use_dpop_nonce" => ErrorKind::Auth,
        _ if answer.status == 429 => ErrorKind::RateLimited,
        _ if answer.status >= 500 => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    let description = error_description.unwrap_or_default();
    let described = [error.as_str(), description.trim_end_matches('.')].join(": ");
    let described = described.trim_end_matches(": ");
    let message = format!("{host} refused a token to the client {}: {described}", client.client_id);
    Error::new(kind, message)
        .with_context("oauth_error", error)
        .with_context("oauth_error_description", description)
        .with_context("scopes", client.scopes.join(" "))
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use flowswap_contract::{ClientProof, Handle};
    use serde_json::{Value, json};

    use super::*;

    /// Whatever a server answers, flowswap goes on only with a token that it can send, and no error shows a token.
    #[test]
    fn no_answer_confuses_it() {
        let seed = fastrand::u64(..);
        println!("seed: {seed}");
        let mut rng = Rng::with_seed(seed);
        let secret = Handle::new("acme/provider/client_secret");
        let proof = ClientProof::ClientSecretBasic { secret };
        let mut seen = [0; 4];
        for _ in 0..20_000 {
            let client = OAuthClient {
                token_url: "https://x.test/token".to_owned(),
                client_id: "0oa1".to_owned(),
                proof: proof.clone(),
                scopes: vec!["okta.apps.read".to_owned()],
                dpop: *rng.choice(&[None, Some(true), Some(false)]).unwrap(),
            };
            let with_proof = client.dpop != Some(false) && rng.bool();
            let status = *rng.choice(&[200, 200, 400, 401, 403, 429, 503]).unwrap();
            let answer =
                HttpAnswer { status, headers: random_headers(&mut rng), body: random_body(&mut rng), attempts: 1 };
            let given = answer.clone();
            let place = match read(&client, "x.test", with_proof, answer) {
                Verdict::Granted(grant) => {
                    assert!(status == 200 && (with_proof || !grant.is_bound), "{given:?}");
                    assert!(grant.is_bound || client.dpop != Some(true), "{given:?}");
                    assert!(http::HeaderValue::from_str(grant.token.expose()).is_ok(), "{given:?}");
                    0
                }
                Verdict::WantsProof => {
                    assert!(!with_proof && client.dpop != Some(false), "{given:?}");
                    1
                }
                Verdict::WantsNonce => {
                    assert!(with_proof && given.header(NONCE).is_some(), "{given:?}");
                    2
                }
                Verdict::Refused(error) => {
                    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
                    3
                }
            };
            seen[place] += 1;
        }
        println!("{seen:?}");
        assert!(seen.into_iter().all(|count| count > 100), "{seen:?}");
    }

    fn random_headers(rng: &mut Rng) -> Vec<(String, String)> {
        let nonce = rng.choice(&[None, Some("n-1"), Some("é"), Some("")]).unwrap();
        nonce.map(|nonce| (NONCE.to_owned(), nonce.to_owned())).into_iter().collect()
    }

    fn random_body(rng: &mut Rng) -> Value {
        let value = |rng: &mut Rng, usual: Value| match rng.u8(..12) {
            0 => Value::Null,
            1 => json!(-1),
            2 => json!("canary\r\nx: y"),
            3 => json!({ "canary": [] }),
            4 => json!(""),
            _ => usual,
        };
        if rng.u8(..10) == 0 {
            return value(rng, json!("canary"));
        }
        let kind = *rng.choice(&["Bearer", "dpop", "DPoP", "mac"]).unwrap();
        let error = *rng.choice(&["invalid_dpop_proof", "use_dpop_nonce", "invalid_client", "x"]).unwrap();
        let mut body = json!({
            "access_token": value(rng, json!("canary-token")),
            "token_type": value(rng, json!(kind)),
            "expires_in": value(rng, json!(3600)),
            "error": if rng.u8(..5) == 0 { json!({ "code": error }) } else { json!(error) },
        });
        if rng.bool() {
            body["scope"] = value(rng, json!("okta.apps.read okta.logs.read"));
        }
        body
    }
}
