//! What the refusals of Cloud Identity Engine mean, one error of the contract each.
//!
//! `success: true` stands in the body of errors, too, and an error can stand in the body of a 200 (Directory Sync Service
//! API): only the status and `result` together tell.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent};
use serde_json::Value;

/// The `result` of an answer that is a success in every respect.
pub(crate) fn read_result(what: &str, ask: &HttpAsk, mut answer: HttpAnswer) -> Result<Value, Error> {
    let failed = answer.body["success"] == Value::Bool(false) || answer.body.pointer("/result/error").is_some();
    if answer.is_success() && !failed {
        return Ok(answer.body.get_mut("result").map(Value::take).unwrap_or_default());
    }
    Err(explain(what, ask, &answer))
}

/// The error of a token request that was refused.
pub(crate) fn explain_token(tsg_id: &str, ask: &HttpAsk, answer: &HttpAnswer) -> Error {
    let code = answer.body["error"].as_str();
    let words: Vec<_> = [code, answer.body["error_description"].as_str()].into_iter().flatten().collect();
    let mut message = format!("palo alto networks refused to issue a token: {}", answer.status);
    for word in words {
        message.push_str(&format!(" {word}"));
    }
    let hint = match (answer.status, code) {
        (_, Some("invalid_scope")) => Some(format!(
            "the service account must belong to the tenant service group {tsg_id}, or to one above it; look at `tsg_id`"
        )),
        (401 | 403, _) | (_, Some("invalid_client")) => Some(
            "look at `client_id` and `client_secret`: those of the service account, not of Okta's client".to_owned(),
        ),
        _ => None,
    };
    let kind = match (answer.status, code) {
        (_, Some("invalid_client" | "invalid_scope" | "unauthorized_client")) => ErrorKind::Auth,
        (status, _) => classify(status).0,
    };
    with_facts(Error::new(kind, message), ask, answer, hint.as_deref())
}

fn explain(what: &str, ask: &HttpAsk, answer: &HttpAnswer) -> Error {
    let reason = answer.body.pointer("/result/error/error-message").or_else(|| answer.body.get("message"));
    let colon = reason.and_then(Value::as_str).map(|reason| format!(": {reason}")).unwrap_or_default();
    let (kind, hint) = classify(answer.status);
    let says_success = if answer.is_success() { " with an error in its result" } else { "" };
    let message = format!("the directory service refused to {what}: {}{says_success}{colon}", answer.status);
    let error = with_facts(Error::new(kind, message), ask, answer, hint);
    // A 4xx was refused before work, but for 408, which does not say.
    let is_refusal_before_work = (400..500).contains(&answer.status) && answer.status != 408;
    if ask.intent == Intent::Mutate && !is_refusal_before_work { error.with_unknown_effect() } else { error }
}

fn with_facts(error: Error, ask: &HttpAsk, answer: &HttpAnswer, hint: Option<&str>) -> Error {
    let error = error
        .with_context("request", format!("{} {}", ask.method, ask.url))
        .with_context("status", answer.status.to_string());
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn classify(status: u16) -> (ErrorKind, Option<&'static str>) {
    match status {
        401 => (ErrorKind::Auth, Some("the token was refused twice; look at the service account and at `api_url`")),
        403 => (
            ErrorKind::Permission,
            Some(
                "the service account needs the role View Only Administrator at least, and presumably Superuser to \
                 replace a secret; a Deployment Administrator may not query users and groups by the description of roles",
            ),
        ),
        404 | 410 => (ErrorKind::NotFound, None),
        405 | 501 => (ErrorKind::Unsupported, None),
        408 => (ErrorKind::TimedOut, None),
        409 | 412 | 423 => (ErrorKind::Conflict, None),
        429 => (ErrorKind::RateLimited, Some("lower the concurrency; the interface's limits are published nowhere")),
        500.. => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Invalid, None),
    }
}

/// An error as evidence that something fails, with its hint.
pub(crate) fn as_evidence(check: &str, error: Error) -> Evidence {
    let hint = error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    Evidence::new(check, EvidenceResult::Fail, format!("{}{hint}", error.message))
}
