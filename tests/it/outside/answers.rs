//! Answers from outside, one function each. The bodies are in `fixtures/outside`.

use flowswap_sim::FaultKind;
use serde_json::{Value, json};

pub(super) const PORTAL: &str = include_str!("../../../fixtures/outside/portal.html");
pub(super) const PROXY: &str = include_str!("../../../fixtures/outside/proxy.html");
pub(super) const BALANCER: &str = include_str!("../../../fixtures/outside/balancer.html");

/// An answer with these header lines.
pub(super) fn script(status: u16, headers: &[(&str, &str)], body: &str) -> FaultKind {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    FaultKind::Script { status, headers, body: body.to_owned(), after_commit: false, milliseconds: 0 }
}

/// The same answer, but the request is carried out first.
pub(super) fn committed(kind: FaultKind) -> FaultKind {
    match kind {
        FaultKind::Script { status, headers, body, milliseconds, .. } => {
            FaultKind::Script { status, headers, body, after_commit: true, milliseconds }
        }
        other => other,
    }
}

/// A JSON answer with a status.
pub(super) fn answer(status: u16, body: &Value) -> FaultKind {
    script(status, &[("content-type", "application/json")], &body.to_string())
}

/// A JSON answer with exactly this text.
pub(super) fn raw(status: u16, body: &str) -> FaultKind {
    script(status, &[("content-type", "application/json")], body)
}

/// A captive portal, or a maintenance page.
pub(super) fn portal() -> FaultKind {
    script(200, &[("content-type", "text/html; charset=utf-8"), ("server", "corporate-proxy")], PORTAL)
}

/// A filtering proxy.
pub(super) fn proxy() -> FaultKind {
    let headers =
        [("content-type", "text/html"), ("server", "corporate-proxy"), ("x-squid-error", "ERR_ACCESS_DENIED 0")];
    script(403, &headers, PROXY)
}

/// A load balancer without a route.
pub(super) fn balancer() -> FaultKind {
    script(404, &[("content-type", "text/html"), ("server", "awselb/2.0")], BALANCER)
}

/// A gateway without a route, which answers in JSON.
pub(super) fn json_balancer() -> FaultKind {
    answer(404, &json!({"message": "no Route matched with those values"}))
}

/// Okta's error object.
pub(super) fn okta(status: u16, code: &str, summary: &str, causes: &[&str]) -> FaultKind {
    let causes: Vec<Value> = causes.iter().map(|cause| json!({"errorSummary": cause})).collect();
    let body = json!({
        "errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oaeOutside", "errorCauses": causes,
    });
    let headers = [("content-type", "application/json"), ("x-okta-request-id", "reqOutside")];
    script(status, &headers, &body.to_string())
}

/// The token endpoint's error object.
pub(super) fn oauth(status: u16, error: &str, description: &str) -> FaultKind {
    answer(status, &json!({"error": error, "error_description": description}))
}

/// Replaces the member at a JSON pointer.
pub(super) fn edit(pointer: &str, value: Value) -> FaultKind {
    FaultKind::Edit { pointer: pointer.to_owned(), value: Some(value) }
}

/// Removes the member at a JSON pointer.
pub(super) fn without(pointer: &str) -> FaultKind {
    FaultKind::Edit { pointer: pointer.to_owned(), value: None }
}
