//! Rows in which Okta itself refuses, one for each error code.

use super::{
    answers::{okta, script},
    row::{
        Row,
        Stage::{New, Planned},
        at, row,
    },
};

const APPS: &str = "{org} /api/v1/apps";
const SERVICES: &str = "{org} /integrations/api/v1/api-services";

/// The row's name, the status, the code, and text that the output must contain.
type Code = (&'static str, u16, &'static str, &'static [&'static str]);

const AT_A_LIST: [Code; 13] = [
    ("detect: E0000001", 400, "E0000001", &["E0000001"]),
    ("detect: E0000003", 400, "E0000003", &["E0000003"]),
    ("detect: E0000004", 401, "E0000004", &["This one is wrong"]),
    ("detect: E0000005", 403, "E0000005", &["valid session"]),
    ("detect: E0000006", 403, "E0000006", &["admin has a role"]),
    ("detect: E0000007", 404, "E0000007", &["E0000007"]),
    ("detect: E0000008", 404, "E0000008", &["E0000008"]),
    ("detect: E0000011", 401, "E0000011", &["This one is wrong"]),
    ("detect: E0000015", 401, "E0000015", &["feature"]),
    ("detect: E0000021", 400, "E0000021", &["E0000021"]),
    ("detect: E0000031", 400, "E0000031", &["E0000031"]),
    ("detect: E0000022", 405, "E0000022", &["E0000022"]),
    ("detect: E0000060", 501, "E0000060", &["E0000060"]),
];

const AT_A_CREATE: [Code; 11] = [
    ("apply: E0000001 at create", 400, "E0000001", &["E0000001"]),
    ("apply: E0000002 at create", 400, "E0000002", &["E0000002"]),
    ("apply: E0000028 at create", 400, "E0000028", &["E0000028"]),
    ("apply: E0000006 at create", 403, "E0000006", &["E0000006"]),
    ("apply: E0000007 at create", 404, "E0000007", &["E0000007"]),
    ("apply: E0000011 at create", 401, "E0000011", &["E0000011"]),
    ("apply: E0000015 at create", 401, "E0000015", &["E0000015"]),
    ("apply: E0000022 at create", 405, "E0000022", &["E0000022"]),
    ("apply: E0000060 at create", 501, "E0000060", &["E0000060"]),
    ("apply: E0000143 at create", 403, "E0000143", &["E0000143"]),
    ("apply: E0000195 at create", 409, "E0000195", &["E0000195"]),
];

pub(super) fn rows() -> Vec<Row> {
    let summary = "Une erreur s'est produite.";
    let at_a_list = AT_A_LIST.into_iter().map(|(name, status, code, words)| {
        row(name, "okta error codes, with a French summary", New, &["detect", "{tenant}"])
            .fault(at("GET", APPS, okta(status, code, summary, &[])))
            .code(4)
            .says(&["okta refused to list apps", code, summary])
            .says(words)
            .never_says(&["something between"])
    });
    let at_a_create = AT_A_CREATE.into_iter().map(|(name, status, code, words)| {
        row(name, "okta error codes, with a French summary", Planned, &["apply", "{tenant}.json", "--yes"])
            .fault(at("POST", SERVICES, okta(status, code, summary, &[])))
            .code(3)
            .says(&["okta refused to", code, summary])
            .says(words)
            .never_says(&["something between"])
    });
    let several = ["type: The field cannot be left blank", "grantedScopes: unknown scope", "properties: null"];
    let scope = "Bearer authorization_uri=\"https://{org}/oauth2/v1/authorize\", realm=\"https://{org}\", \
                 scope=\"okta.apps.read\", error=\"insufficient_scope\", error_description=\"The access token \
                 provided does not contain the required scopes.\", resource=\"/api/v1/apps\"";
    let singles = vec![
        row("check: a scope is missing", "support.okta.com, insufficient_scope", New, &["check", "{tenant}"])
            .fault(at("GET", APPS, script(403, &[("www-authenticate", scope)], "")))
            .code(3)
            .says(&["grant the scope okta.apps.read"])
            .never_says(&["something between", "admin has a role"]),
        row("detect: a scope is missing", "support.okta.com, insufficient_scope", New, &["detect", "{tenant}"])
            .fault(at("GET", APPS, script(403, &[("www-authenticate", scope)], "")))
            .code(4)
            .says(&["grant the scope okta.apps.read"]),
        row("apply: every cause is shown", "errorCauses is a list", Planned, &["apply", "{tenant}.json", "--yes"])
            .fault(at("POST", SERVICES, okta(400, "E0000001", "Api validation failed", &several)))
            .code(3)
            .says(&several),
        row("detect: a lasting 500", "okta status page", New, &["detect", "{tenant}"])
            .fault(at("GET", APPS, okta(500, "E0000009", "Internal Server Error", &[])))
            .code(4)
            .says(&["E0000009"]),
        row("detect: read-only mode", "okta error codes", New, &["detect", "{tenant}"])
            .fault(at("GET", APPS, okta(503, "E0000010", "Service is in read only mode", &[])))
            .code(4)
            .says(&["read-only mode"]),
        row("detect: a lasting 429", "okta error codes", New, &["detect", "{tenant}"])
            .fault(at("GET", APPS, okta(429, "E0000047", "Limite atteinte", &[])))
            .code(4)
            .says(&["E0000047", "lower `concurrency`"]),
    ];
    at_a_list.chain(at_a_create).chain(singles).collect()
}
