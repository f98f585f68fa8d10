//! Turns the refusals of Cloud Identity Engine into errors of the contract.
//!
//! An error may have `success: true` in its body, and a 200 may have an error in its body (Directory Sync Service API). So
//! the status and `result` must be read together.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, HttpAnswer, HttpAsk, Intent};
use serde_json::Value;

/// Returns the `result` of an answer whose status and body both say success.
pub(crate) fn read_result(what: &str, ask: &HttpAsk, mut answer: HttpAnswer) -> Result<Value, Error> {
    let failed = answer.body["success"] == Value::Bool(false)
        || answer.body.pointer("/result/error").is_some()
        || answer.body.get("_errors").is_some();
    if answer.is_success() && !failed {
        return Ok(answer.body.get_mut("result").map(Value::take).unwrap_or_default());
    }
    Err(explain(what, ask, &answer))
}

/// The error for a refused token request.
pub(crate) fn explain_token(tsg_id: &str, ask: &HttpAsk, answer: &HttpAnswer) -> Error {
    let code = answer.body["error"].as_str();
    let words: Vec<_> = [code, answer.body["error_description"].as_str()].into_iter().flatten().collect();
    let reasons = if words.is_empty() { reasons(&answer.body) } else { vec![words.join(" ")] };
    if reasons.is_empty() && !says_enough(answer) {
        return foreign("issue a token", ask, answer);
    }
    let message = format!("palo alto networks refused to issue a token: {} {}", answer.status, reasons.join("; "));
    let hint = match (answer.status, code) {
        (_, Some("invalid_scope")) => Some(format!(
            "check `tsg_id`: the service account must belong to the tenant service group {tsg_id} or to a parent of it"
        )),
        (401 | 403, _) | (_, Some("invalid_client")) => Some(
            "check `client_id` and `client_secret`: they must be the service account's, not those of a client in Okta"
                .to_owned(),
        ),
        _ => None,
    };
    let kind = match (answer.status, code) {
        (_, Some("invalid_client" | "invalid_scope" | "unauthorized_client")) => ErrorKind::Auth,
        (status, _) => classify(status).0,
    };
    with_facts(Error::new(kind, message.trim_end()), ask, answer, hint.as_deref())
}

fn explain(what: &str, ask: &HttpAsk, answer: &HttpAnswer) -> Error {
    let reasons = reasons(&answer.body);
    if reasons.is_empty() && !says_enough(answer) {
        return foreign(what, ask, answer);
    }
    let colon = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    let (kind, hint) = classify(answer.status);
    let says_success = if answer.is_success() { " with an error in its result" } else { "" };
    let message = format!("the directory service refused to {what}: {}{says_success}{colon}", answer.status);
    let error = with_facts(Error::new(kind, message), ask, answer, hint);
    // A 4xx means that no work was done, except 408, which does not say.
    let is_refusal_before_work = !reasons.is_empty() && (400..500).contains(&answer.status) && answer.status != 408;
    if ask.intent == Intent::Mutate && !is_refusal_before_work { error.with_unknown_effect() } else { error }
}

/// The reasons in a refusal, in three known shapes: the interface's own `result`, its framework's `message`, and the `_errors`
/// of the gateway in front of it. Empty for any other shape.
fn reasons(body: &Value) -> Vec<String> {
    let one = body.pointer("/result/error/error-message").or_else(|| body.get("message")).and_then(Value::as_str);
    let of_gateway = body["_errors"].as_array().into_iter().flatten().map(|error| {
        let words = [&error["code"], &error["message"]].into_iter().filter_map(Value::as_str);
        let words: Vec<_> = words.collect();
        match &error["details"] {
            Value::Null => words.join(" "),
            Value::String(details) => format!("{} ({details})", words.join(" ")),
            details => match details["errorType"].as_str() {
                Some(kind) => format!("{} ({kind})", words.join(" ")),
                None => format!("{} ({details})", words.join(" ")),
            },
        }
    });
    one.map(str::to_owned).into_iter().chain(of_gateway).filter(|reason| !reason.is_empty()).collect()
}

/// Whether an answer without a reason can still be the interface's: it has `success`, or is a 5xx or a 408. A refused token (401)
/// and too many requests (429) need no reason.
fn says_enough(answer: &HttpAnswer) -> bool {
    answer.is_success()
        || answer.body["success"].is_boolean()
        || match answer.status {
            401 | 429 => answer.body.is_null(),
            status => status == 408 || status >= 500,
        }
}

/// The error for an answer that may not be the interface's: a proxy or a load balancer sends the same statuses.
fn foreign(what: &str, ask: &HttpAsk, answer: &HttpAnswer) -> Error {
    let message = format!(
        "something between this machine and the directory service may have answered the request to {what}: {} in an unknown \
         format",
        answer.status
    );
    let hint = "check `api_url`, `auth_url`, and the proxy";
    let error = with_facts(Error::new(ErrorKind::Unavailable, message), ask, answer, Some(hint));
    let error = error.with_context("answered_by", "foreign");
    if ask.intent == Intent::Mutate { error.with_unknown_effect() } else { error }
}

fn with_facts(mut error: Error, ask: &HttpAsk, answer: &HttpAnswer, hint: Option<&str>) -> Error {
    error = error
        .with_context("request", format!("{} {}", ask.method, ask.url))
        .with_context("status", answer.status.to_string());
    if let Some(id) = answer.body["_request_id"].as_str() {
        error.message.push_str(&format!(" (request {id})"));
        error = error.with_context("request_id", id);
    }
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn classify(status: u16) -> (ErrorKind, Option<&'static str>) {
    match status {
        401 => (ErrorKind::Auth, Some("check the service account and `api_url`: the service refused the token twice")),
        403 => (
            ErrorKind::Permission,
            Some(
                "give the service account at least the role View Only Administrator, and probably Superuser to replace a \
                 secret. By the description of roles, a Deployment Administrator may not query users and groups",
            ),
        ),
        404 | 410 => (ErrorKind::NotFound, None),
        405 | 501 => (ErrorKind::Unsupported, None),
        408 => (ErrorKind::TimedOut, None),
        409 | 412 | 423 => (ErrorKind::Conflict, None),
        429 => {
            (ErrorKind::RateLimited, Some("lower the concurrency; the vendor does not publish the interface's limits"))
        }
        500.. => (ErrorKind::Unavailable, None),
        _ => (ErrorKind::Invalid, None),
    }
}

/// Turns an error with its hint into failed evidence.
pub(crate) fn as_evidence(check: &str, error: Error) -> Evidence {
    let hint = error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    let request_id = error.context.get("request_id").cloned();
    Evidence::new(check, EvidenceResult::Fail, format!("{}{hint}", error.message)).by_request(request_id)
}
