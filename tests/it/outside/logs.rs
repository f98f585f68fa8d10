//! Rows in which the System Log does not show what flowswap needs: a refusal, silence, or an unreadable time.

use serde_json::json;

use super::{
    answers::{edit, okta, portal, proxy, raw},
    row::{
        Row,
        Stage::{Applied, New},
        at, row,
    },
};

const LOGS: &str = "{org} /api/v1/logs";
const DETECT: &[&str] = &["detect", "{tenant}"];
const FINALIZE: &[&str] = &["finalize", "{tenant}", "--yes"];

const REFUSED_LEGACY: &str = include_str!("../../../fixtures/outside/refused-legacy.json");
const REFUSED_SERVICE: &str = include_str!("../../../fixtures/outside/refused-service.json");
const BAD_CREDENTIALS: &str = include_str!("../../../fixtures/outside/bad-credentials.json");
const GRANTED_LEGACY: &str = include_str!("../../../fixtures/outside/granted-legacy.json");

pub(super) fn rows() -> Vec<Row> {
    let of_legacy = |body: &str| at("GET", LOGS, raw(200, body)).query("{legacy-client}");
    let of_service = |body: &str| at("GET", LOGS, raw(200, body)).query("{client}");
    let stuck = |name, why, fault| {
        row(name, why, Applied, FINALIZE).fault(fault).code(3).never_says(&["{tenant}: retired"]).state("stuck")
    };
    let kept = |name, why, fault| {
        row(name, why, Applied, FINALIZE).fault(fault).code(4).never_says(&["{tenant}: retired"]).state("soaking")
    };
    // The first look at the org shows nothing, so nothing begins.
    let unread = |name, why, fault| {
        row(name, why, Applied, FINALIZE).fault(fault).code(4).never_says(&["{tenant}: retired"]).state("swapped")
    };
    vec![
        row("detect: okta refuses the directory's refresh token", "okta support, invalid_refresh_token", New, DETECT)
            .fault(of_legacy(REFUSED_LEGACY))
            .says(&["blocked", "legacy-token-refused"])
            .code(4),
        row("detect: the legacy client is in use", "public test data of a log connector", New, DETECT)
            .fault(of_legacy(GRANTED_LEGACY))
            .says(&["ready"]),
        stuck("finalize: okta refuses the new client", "elastic/detection-rules", of_service(REFUSED_SERVICE))
            .says(&["no_matching_scope"]),
        stuck("finalize: wrong credentials of the new client", "okta's event types", of_service(BAD_CREDENTIALS))
            .says(&["credentials"]),
        kept("finalize: the new client is silent", "a client that fell silent", of_service("[]")),
        stuck("finalize: the legacy client is in use", "a second directory", of_legacy(GRANTED_LEGACY))
            .says(&["legacy-silent"]),
        unread(
            "finalize: times without an offset",
            "an exporting proxy",
            at("GET", LOGS, edit("/*/published", json!("2026-11-28T03:00:00"))),
        ),
        unread(
            "finalize: times that are words",
            "a rewriting gateway",
            at("GET", LOGS, edit("/*/published", json!("yesterday"))),
        ),
        kept(
            "finalize: events without an actor",
            "a filtering gateway",
            at("GET", LOGS, edit("/*/actor", json!(null))),
        ),
        unread("finalize: the log behind a portal", "okta-sdk-java#509", at("GET", LOGS, portal()))
            .says(&["something between this machine and {org} answered"]),
        unread("finalize: the log behind a proxy", "netsuite-suitecloud-sdk#862", at("GET", LOGS, proxy()))
            .says(&["something between this machine and {org} answered"])
            .never_says(&["okta refused"]),
        stuck(
            "finalize: the log may not be read",
            "a role without the log",
            at("GET", LOGS, okta(403, "E0000006", "Droits insuffisants", &[])),
        )
        .says(&["E0000006"]),
        unread("finalize: a log that is an object", "an envelope", at("GET", LOGS, raw(200, "{}"))),
        unread(
            "finalize: a log cut off",
            "a proxy's buffer",
            at("GET", LOGS, raw(200, "[{\"eventType\":\"app.oauth2")),
        )
        .says(&["truncated"]),
    ]
}
