//! Turns Okta's refusals into errors of the contract, by status, `errorCode`, and `www-authenticate`.
//!
//! Only `errorCode` is for programs; `errorSummary` may change or be translated (Okta API errors).

use flowswap_contract::{Auth, Error, ErrorKind, HttpAnswer, HttpAsk, Intent};

use crate::{
    api::{REQUEST_ID, SERVICES},
    service_app,
};

/// Turns a non-2xx answer into an error. `what` completes "okta refused to …".
pub(crate) fn explain(what: &str, ask: &HttpAsk, answer: &HttpAnswer) -> Error {
    let code = error_code(answer);
    let missing_scope = missing_scope(answer);
    let (kind, message, hint) = if is_from_okta(ask, answer) {
        let (kind, hint) = classify(ask, answer.status, code, missing_scope.as_deref());
        let mut message = format!("okta refused to {what}: {}", answer.status);
        for word in code.map(str::to_owned).into_iter().chain(summaries(answer)) {
            message.push(' ');
            message.push_str(&word);
        }
        (kind, message, hint)
    } else {
        let message = format!(
            "something between this machine and okta answered the request to {what}: {} without an okta error",
            answer.status
        );
        let hint = "check the proxy, portal, or load balancer between this machine and the org";
        (ErrorKind::Unavailable, message, Some(hint.to_owned()))
    };
    let mut error = Error::new(kind, message).with_context("request", format!("{} {}", ask.method, ask.url));
    if !is_from_okta(ask, answer) {
        error = error.with_context("answered_by", "foreign");
    }
    // A 4xx from Okta means that nothing was done. After any other failure, something may have been done.
    if ask.intent == Intent::Mutate && !(is_from_okta(ask, answer) && is_refusal_before_work(answer.status)) {
        error = error.with_unknown_effect();
    }
    if let Some(hint) = hint {
        error = error.with_hint(hint);
    }
    let facts = [
        ("error_code", code),
        ("error_id", answer.body["errorId"].as_str()),
        ("request_id", answer.header(REQUEST_ID)),
        ("missing_scope", missing_scope.as_deref()),
    ];
    for (key, value) in facts {
        if let Some(value) = value {
            error = error.with_context(key, value);
        }
    }
    error.with_context("status", answer.status.to_string())
}

/// Whether the refusal comes from Okta. Its refusals have Okta's or OAuth's error object, or an empty body and the header that says
/// what is missing (RFC 6750 §3). Every answer from Okta names the request.
pub(crate) fn is_from_okta(ask: &HttpAsk, answer: &HttpAnswer) -> bool {
    let names_its_request = answer.header(REQUEST_ID).is_some();
    // Many gateways write `error` too. It is OAuth's only at an endpoint that issues tokens.
    let is_oauth_code = |code: &str| names_its_request || OAUTH_CODES.contains(&code);
    // The API answers so to a proof of possession that it does not take.
    let is_about_proof =
        matches!(ask.auth, Some(Auth::Client(_))) && error_code(answer).is_some_and(|code| PROOF_CODES.contains(&code));
    let is_of_token = ask.url.contains("/oauth2/") && answer.body["error"].as_str().is_some_and(is_oauth_code);
    let is_oauth_error = is_of_token || is_about_proof;
    let is_error_object = answer.body["errorCode"].is_string() || is_oauth_error;
    let challenges = answer.header("www-authenticate").is_some_and(|header| !header.starts_with("Basic"));
    is_error_object || (answer.body.is_null() && (names_its_request || challenges))
}

/// The codes of a token endpoint (RFC 6749 §5.2, RFC 9449, Okta OAuth 2.0 error codes).
const OAUTH_CODES: [&str; 13] = [
    "access_denied",
    "client_credentials_self_scope_requested",
    "consent_required",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "use_dpop_nonce",
];

/// The codes of a refused proof of possession (RFC 9449 §12.2).
const PROOF_CODES: [&str; 2] = ["invalid_dpop_proof", "use_dpop_nonce"];

/// Okta's `errorCode`, or the `error` of RFC 6749 §5.2.
pub(crate) fn error_code(answer: &HttpAnswer) -> Option<&str> {
    answer.body["errorCode"].as_str().or_else(|| answer.body["error"].as_str())
}

/// Okta's explanation, in any language: the summary and all causes.
fn summaries(answer: &HttpAnswer) -> Vec<String> {
    let summary = answer.body["errorSummary"].as_str().or_else(|| answer.body["error_description"].as_str());
    let header = answer.header("www-authenticate").and_then(|header| quoted(header, "error_description"));
    let causes = answer.body["errorCauses"].as_array().into_iter().flatten();
    let causes: Vec<_> = causes.filter_map(|cause| cause["errorSummary"].as_str()).collect();
    let causes = (!causes.is_empty()).then(|| format!("({})", causes.join("; ")));
    summary.or(header).map(str::to_owned).into_iter().chain(causes).collect()
}

fn quoted<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split_once(&format!("{name}=\"")).and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value)
}

/// Whether the status means that no work was done. 408 is a 4xx that does not say so.
fn is_refusal_before_work(status: u16) -> bool {
    (400..500).contains(&status) && status != 408
}

fn classify(
    ask: &HttpAsk,
    status: u16,
    code: Option<&str>,
    missing_scope: Option<&str>,
) -> (ErrorKind, Option<String>) {
    let hint = |text: &str| Some(text.to_owned());
    let is_app = matches!(ask.auth, Some(Auth::Client(_)));
    match (status, code) {
        (403, _) if missing_scope.is_some_and(|scope| !scope.is_empty()) => {
            let scope = missing_scope.unwrap_or_default();
            (ErrorKind::Permission, Some(format!("grant the scope {scope} to the client")))
        }
        (403, _) if missing_scope.is_some() => (ErrorKind::Permission, hint("grant the client the scope of this call")),
        (401, Some("E0000015")) => {
            (ErrorKind::Unsupported, hint("ask Okta whether the org has a license for this feature"))
        }
        (401 | 403, _) if ask.auth.is_none() && ask.url.contains("/.well-known/") => {
            (ErrorKind::Permission, hint("check the proxy: okta shows this to anybody, without a credential"))
        }
        (401, Some("invalid_client")) => (ErrorKind::Auth, None),
        (400 | 401, Some(code)) if PROOF_CODES.contains(&code) => (ErrorKind::Auth, hint(service_app::PROOF)),
        (401, _) if is_app => (ErrorKind::Auth, hint("check that the service app is active in Okta")),
        (401, _) => (
            ErrorKind::Auth,
            hint(
                "create a new API token. This one is wrong, revoked, or unused for 30 days, or its administrator was deactivated",
            ),
        ),
        (403, Some("E0000056" | "E0000143")) if ask.method == "DELETE" => {
            (ErrorKind::Conflict, hint("deactivate the app before you delete it"))
        }
        (403, Some("E0000005")) => (ErrorKind::Auth, hint("check `credential`: okta sees no valid session")),
        (403, Some("E0000056" | "E0000143")) => (ErrorKind::Conflict, None),
        (403, _) if is_app => (ErrorKind::Permission, hint(service_app::ROLE)),
        (403, _) if ask.intent == Intent::Mutate => (
            ErrorKind::Permission,
            hint(if ask.url.contains(SERVICES) {
                "use a super administrator's token: no other role may create and delete integrations"
            } else {
                "use a token whose admin has a role that may change this"
            }),
        ),
        (403, _) => (ErrorKind::Permission, hint("use a token whose admin has a role that may read this")),
        (404 | 410, _) => (ErrorKind::NotFound, None),
        (405 | 501, _) => (ErrorKind::Unsupported, None),
        (409 | 412 | 423, _) => (ErrorKind::Conflict, None),
        (429, _) => (
            ErrorKind::RateLimited,
            hint("lower `concurrency` under `[run]`, or raise the token's share of the rate limit in Okta"),
        ),
        (503, Some("E0000010")) => (ErrorKind::Unavailable, hint("try again later: okta is in read-only mode")),
        (408, _) => (ErrorKind::TimedOut, None),
        (500.., _) => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Invalid, None),
    }
}

/// The scope that a 403 with `insufficient_scope` (RFC 6750 §3.1) requires; empty if the header names no scope.
/// Okta sends such an answer without a body.
fn missing_scope(answer: &HttpAnswer) -> Option<String> {
    let header = answer.header_values("www-authenticate").find(|h| h.contains("insufficient_scope"))?;
    Some(quoted(header, "scope").unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use flowswap_contract::Effect;
    use serde_json::{Value, json};

    use super::*;

    const NO_SCOPE: &str = r#"Bearer authorization_uri="https://x/oauth2/v1/authorize", realm="https://x", scope="okta.groups.read", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="/api/v1/groups""#;

    fn okta_error(code: &str) -> Value {
        json!({"errorCode": code, "errorSummary": "Une phrase.", "errorLink": code, "errorId": "oae1", "errorCauses": []})
    }

    fn answer(status: u16, headers: &[(&str, &str)], body: Value) -> HttpAnswer {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        HttpAnswer { status, headers, body, attempts: 1 }
    }

    #[test]
    fn refusals_have_kind_effect_and_code() {
        use Effect::{None as Nothing, Unknown};
        use ErrorKind::*;
        let table: [(u16, Value, ErrorKind, Effect); 25] = [
            (400, okta_error("E0000001"), Invalid, Nothing),
            (401, okta_error("E0000011"), Auth, Nothing),
            (401, okta_error("E0000004"), Auth, Nothing),
            (401, okta_error("E0000015"), Unsupported, Nothing),
            (401, json!({"error": "invalid_client", "error_description": "bad"}), Auth, Nothing),
            (403, okta_error("E0000005"), Auth, Nothing),
            (403, okta_error("E0000006"), Permission, Nothing),
            (403, okta_error("E0000056"), Conflict, Nothing),
            (403, Value::Null, Permission, Nothing),
            (404, okta_error("E0000007"), NotFound, Nothing),
            (405, okta_error("E0000022"), Unsupported, Nothing),
            (408, Value::Null, TimedOut, Unknown),
            (409, okta_error("E0000195"), Conflict, Nothing),
            (411, Value::Null, Invalid, Nothing),
            (411, json!("Length Required"), Unavailable, Unknown),
            (404, json!({"message": "no route"}), Unavailable, Unknown),
            (403, json!({"Message": "Forbidden"}), Unavailable, Unknown),
            (423, okta_error("E0000001"), Conflict, Nothing),
            (429, okta_error("E0000047"), RateLimited, Nothing),
            (302, Value::Null, Invalid, Unknown),
            (500, okta_error("E0000009"), Unavailable, Unknown),
            (501, okta_error("E0000060"), Unsupported, Unknown),
            (502, json!("<html>bad gateway</html>"), Unavailable, Unknown),
            (503, okta_error("E0000010"), Unavailable, Unknown),
            (504, Value::Null, Unavailable, Unknown),
        ];
        for (status, body, kind, effect) in table {
            let code = body["errorCode"].as_str().or(body["error"].as_str()).map(str::to_owned);
            let answer = answer(status, &[(REQUEST_ID, "req1")], body);
            let url = "https://x/oauth2/v1/token";
            let mutation = explain("make it", &HttpAsk::new(Intent::Mutate, "POST", url), &answer);
            assert_eq!((mutation.kind, mutation.effect), (kind, effect), "{status} {code:?}");
            assert_eq!(mutation.context.get("error_code"), code.as_ref(), "{status}");
            assert_eq!(mutation.context["request_id"], "req1");
            let is_from_okta = !mutation.context.contains_key("answered_by");
            assert_eq!(
                mutation.message.starts_with(&format!("okta refused to make it: {status}")),
                is_from_okta,
                "{mutation}"
            );
            assert_eq!(
                mutation.message.starts_with("something between this machine and okta answered"),
                !is_from_okta,
                "{mutation}"
            );
            let read = explain("see it", &HttpAsk::new(Intent::Read, "GET", url), &answer);
            assert_eq!((read.kind, read.effect), (kind, Nothing), "a read of {status} {code:?}");
        }
    }

    /// Gateways send refusals with a member `error` too.
    #[test]
    fn an_oauth_error_counts_as_oktas_only_at_a_token_endpoint() {
        for (path, expected) in [("/oauth2/v1/token", ErrorKind::Permission), ("/api/v1/logs", ErrorKind::Unavailable)]
        {
            let ask = HttpAsk::new(Intent::Read, "GET", format!("https://x{path}"));
            let error = explain("see it", &ask, &answer(403, &[], json!({"error": "access_denied"})));
            assert_eq!(error.kind, expected, "{path}: {}", error.message);
            for word in ["Forbidden", "forbidden"] {
                let error = explain("see it", &ask, &answer(403, &[], json!({"error": word})));
                assert_eq!(error.kind, ErrorKind::Unavailable, "{path}: {}", error.message);
            }
        }
    }

    #[test]
    fn a_missing_scope_and_a_missing_role_are_distinguished() {
        let ask = HttpAsk::new(Intent::Read, "GET", "https://x/api/v1/groups");
        let scope = explain("list groups", &ask, &answer(403, &[("www-authenticate", NO_SCOPE)], Value::Null));
        assert_eq!(scope.kind, ErrorKind::Permission);
        assert_eq!(scope.context["missing_scope"], "okta.groups.read");
        assert_eq!(scope.hint.as_deref(), Some("grant the scope okta.groups.read to the client"));
        let role = explain("list groups", &ask, &answer(403, &[], okta_error("E0000006")));
        assert_eq!(role.kind, ErrorKind::Permission);
        assert!(!role.context.contains_key("missing_scope"));
        assert!(role.hint.unwrap().contains("role"));
    }

    #[test]
    fn no_header_and_no_body_confuse_it() {
        let seed = fastrand::u64(..);
        println!("seed: {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let pieces =
            ["Bearer ", "DPoP ", "scope=\"", "okta.apps.read", "\"", ", ", "error=\"insufficient_scope\"", "=", "é"];
        let codes = ["E0000006", "E0000011", "invalid_client", "use_dpop_nonce", "", "x"];
        let mut scopes = 0;
        for _ in 0..20_000 {
            let header: String = (0..rng.usize(..8)).map(|_| *rng.choice(&pieces).unwrap()).collect();
            let status = *rng.choice(&[400, 401, 403, 404, 408, 429, 500]).unwrap();
            let code = *rng.choice(&codes).unwrap();
            let body = rng
                .choice(&[Value::Null, okta_error(code), json!({ "error": code }), json!([code]), json!(code)])
                .cloned();
            let ask = HttpAsk::new(Intent::Mutate, "POST", "https://x/api/v1/apps");
            let error = explain("x", &ask, &answer(status, &[("www-authenticate", &header)], body.unwrap()));
            // Only Okta's own words say that nothing was done.
            let is_foreign = error.context.contains_key("answered_by");
            assert!(!is_foreign || error.effect == Effect::Unknown, "{header} {error:?}");
            // A scope is named as the header names it.
            if let Some(scope) = error.context.get("missing_scope").filter(|scope| !scope.is_empty()) {
                assert!(header.contains(&format!("scope=\"{scope}\"")), "{header} {error:?}");
                scopes += 1;
            }
        }
        assert!(scopes > 100, "{scopes}");
    }
}
