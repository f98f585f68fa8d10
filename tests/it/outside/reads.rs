//! Rows in which the answer to a read does not come from the API or is incomplete.

use flowswap_sim::FaultKind;
use serde_json::json;

use super::{
    answers::{PORTAL, answer, balancer, edit, json_balancer, portal, proxy, raw, script, without},
    row::{
        Row,
        Stage::{New, NewGuided},
        at, row,
    },
};

const APPS: &str = "{org} /api/v1/apps";
const SERVICES: &str = "{org} /integrations/api/v1/api-services";
const LOGS: &str = "{org} /api/v1/logs";
const DIRECTORIES: &str = "{gateway} /v1/directories";

const CHECK: &[&str] = &["check", "{tenant}"];
const DETECT: &[&str] = &["detect", "{tenant}"];
const PLAN: &[&str] = &["plan", "{tenant}"];

/// What flowswap reports about an answer of something in between, and what it must never report.
const FOREIGN: &[&str] = &["something between this machine and {org} answered"];
const NEVER_OKTAS: &[&str] = &["okta refused", "super administrator", "admin has a role"];

pub(super) fn rows() -> Vec<Row> {
    [in_between(), shapes(), links(), moments(), gateway()].concat()
}

/// Portals, proxies, and load balancers.
fn in_between() -> Vec<Row> {
    let portal_words = &["200 text/html", "server `corporate-proxy`", "titled `Network login`"];
    let proxy_words = &["403 text/html", "server `corporate-proxy`", "titled `Blocked by policy`"];
    let foreign = |name, why, args, fault| {
        let code = if args == CHECK { 3 } else { 4 };
        row(name, why, New, args).fault(fault).code(code).says(FOREIGN).never_says(NEVER_OKTAS)
    };
    vec![
        foreign("check behind a portal", "okta/okta-sdk-java#82", CHECK, at("", "{org}", portal())).says(portal_words),
        foreign("detect behind a portal", "okta/okta-sdk-java#509", DETECT, at("", "{org}", portal()))
            .says(portal_words),
        foreign("plan behind a portal", "okta/okta-sdk-java#509", PLAN, at("", "{org}", portal())).says(portal_words),
        foreign(
            "check: a portal for one list",
            "a portal that lets known paths pass",
            CHECK,
            at("GET", APPS, portal()),
        )
        .says(portal_words),
        foreign(
            "check: a portal without a content type",
            "a captive portal in a router",
            CHECK,
            at("", "{org}", script(200, &[], PORTAL)),
        )
        .says(&["titled `Network login`"]),
        foreign(
            "check behind a filtering proxy",
            "oracle/netsuite-suitecloud-sdk#862",
            CHECK,
            at("", "{org}", proxy()),
        )
        .says(proxy_words),
        foreign(
            "detect behind a filtering proxy",
            "oracle/netsuite-suitecloud-sdk#862",
            DETECT,
            at("", "{org}", proxy()),
        )
        .says(proxy_words),
        foreign("plan: a proxy at the log", "a policy by path", PLAN, at("GET", LOGS, proxy()))
            .says(proxy_words)
            .never_says(&["okta refused"]),
        foreign(
            "detect: a balancer's 404 at the apps",
            "cloud-provider-azure#933",
            DETECT,
            at("GET", APPS, balancer()),
        )
        .says(&["404 text/html", "server `awselb/2.0`"]),
        foreign("detect: a balancer's 404 at the log", "cloud-provider-azure#933", DETECT, at("GET", LOGS, balancer()))
            .says(&["404 text/html"])
            .never_says(&["okta refused"]),
        row("detect: a gateway's JSON 404 at the apps", "Kong's `no Route matched`", New, DETECT)
            .fault(at("GET", APPS, json_balancer()))
            .code(4)
            .says(&["something between this machine and okta answered"])
            .never_says(NEVER_OKTAS),
        row("check: a gateway's JSON 404 at the log", "Kong's `no Route matched`", New, CHECK)
            .fault(at("GET", LOGS, json_balancer()))
            .code(3)
            .says(&["something between this machine and okta answered"])
            .never_says(NEVER_OKTAS),
        row("check: a cloud gateway's JSON 403", "AWS WAF's `Forbidden`", New, CHECK)
            .fault(at("GET", APPS, answer(403, &json!({"message": "Forbidden"}))))
            .code(3)
            .says(&["something between this machine and okta answered"])
            .never_says(NEVER_OKTAS),
        foreign(
            "check: 502 of Envoy as text",
            "envoyproxy/envoy's `upstream connect error`",
            CHECK,
            at(
                "GET",
                APPS,
                script(502, &[("content-type", "text/plain"), ("server", "envoy")], "upstream connect error"),
            ),
        )
        .says(&["502 text/plain", "server `envoy`"]),
        foreign("check: a proxy wants credentials", "samuong/alpaca#2", CHECK, at("", "{org}", script(407, &[], "")))
            .says(&["407", "HTTPS_PROXY"]),
        row("detect: 301 to another host", "a custom domain that was renamed", New, DETECT)
            .fault(at("GET", APPS, script(301, &[("location", "https://login.elsewhere.test/apps?state=s3cr")], "")))
            .code(4)
            .says(&["a redirect", "login.elsewhere.test", "301"])
            .never_says(&["s3cr"]),
        row("check: 302 to a sign-in", "a portal that redirects", New, CHECK)
            .fault(at("", "{org}", script(302, &[("location", "http://portal.corp.test/login")], "")))
            .code(3)
            .says(&["a redirect", "portal.corp.test", "302"]),
        row("check: 307 without a host", "a relative redirect", New, CHECK)
            .fault(at("", "{org}", script(307, &[("location", "/login")], "")))
            .code(3)
            .says(&["a redirect", "307"]),
        row("check: 304 nobody asked for", "a cache in between", New, CHECK)
            .fault(at("GET", APPS, script(304, &[], "")))
            .code(3)
            .says(&["304"]),
        row("detect: compressed although not asked for", "a proxy that compresses all", New, DETECT)
            .fault(at("GET", APPS, script(200, &[("content-encoding", "gzip")], "\u{1f}\u{8}\u{0}\u{0}")))
            .code(4)
            .says(&["compressed", "gzip"]),
    ]
}

/// Answers of an unexpected form.
fn shapes() -> Vec<Row> {
    let unknown = |name, why, fault| row(name, why, New, DETECT).fault(fault).code(4);
    vec![
        unknown("detect: 204 where a list is expected", "a stubbed gateway", at("GET", APPS, script(204, &[], "")))
            .says(&["list apps"]),
        unknown("detect: 205 where a list is expected", "RFC 9110 §15.3.6", at("GET", APPS, script(205, &[], "")))
            .says(&["list apps"]),
        unknown("detect: 200 with an empty body", "a cut connection that ends well", at("GET", APPS, raw(200, "")))
            .says(&["list apps"]),
        unknown(
            "detect: an object where a list is expected",
            "an envelope",
            at("GET", APPS, raw(200, "{\"apps\":[]}")),
        )
        .says(&["list apps"]),
        unknown("detect: null where a list is expected", "a stubbed gateway", at("GET", APPS, raw(200, "null")))
            .says(&["list apps"]),
        unknown("detect: integrations as an object", "an envelope", at("GET", SERVICES, raw(200, "{}")))
            .says(&["list API service integrations"]),
        unknown("detect: a list cut off", "a proxy's buffer", at("GET", APPS, raw(200, "[{\"id\":\"0oa1\",\"na")))
            .says(&["truncated"]),
        unknown(
            "detect: a list that breaks off on the wire",
            "a reset",
            at("GET", APPS, FaultKind::CutBody { milliseconds: 0 }),
        )
        .says(&["{org}"]),
        unknown("detect: an answer over the limit", "an endless download", at("GET", APPS, raw(200, &oversized())))
            .says(&["16 MiB"]),
        unknown("detect: apps without ids", "a filtering gateway", at("GET", APPS, without("/*/id"))).says(&["id"]),
        unknown("detect: an id that is a number", "a rewriting gateway", at("GET", APPS, edit("/*/id", json!(7))))
            .says(&["list apps"]),
        row("detect: null where redirect URIs are", "okta's own recordings have nulls", New, DETECT)
            .fault(at("GET", APPS, edit("/*/settings/oauthClient/redirect_uris", json!(null))))
            .code(4),
        unknown(
            "detect: the same member twice",
            "RFC 8259 §4",
            at("GET", APPS, raw(200, "[{\"id\":\"0oaA\",\"id\":\"0oaB\",\"label\":\"x\",\"status\":\"ACTIVE\"}]")),
        ),
        row("check: an object where apps are listed", "check decodes what it reads", New, CHECK)
            .fault(at("GET", APPS, raw(200, "{}")))
            .code(3)
            .says(&["list-apps"]),
        row("check: an array where the organization is", "check decodes what it reads", New, CHECK)
            .fault(at("GET", "{org} /.well-known", raw(200, "[]")))
            .code(3)
            .says(&["organization"]),
        row("check: text where the log is", "check decodes what it reads", New, CHECK)
            .fault(at("GET", LOGS, script(200, &[("content-type", "text/plain")], "OK")))
            .code(3)
            .says(&["read-logs"]),
    ]
}

fn oversized() -> String {
    format!("[\"{}\"]", "x".repeat(17 << 20))
}

/// Every valid form of a `Link` to the next page (RFC 8288) is followed: the second page, which is refused, is reached.
/// A page with an unreadable `Link` does not count as the last page.
fn links() -> Vec<Row> {
    const FOLLOWED: [(&str, &str); 5] = [
        ("detect: Link with `Rel`", "<https://{org}/api/v1/apps?after=0oa1>; Rel=\"next\""),
        ("detect: Link with `Next`", "<https://{org}/api/v1/apps?after=0oa1>; rel=\"Next\""),
        ("detect: Link with spaces", "<https://{org}/api/v1/apps?after=0oa1>; rel = \"next\""),
        ("detect: Link with two relations", "<https://{org}/api/v1/apps?after=0oa1>; rel=\"next last\""),
        (
            "detect: Link of several, with commas",
            "<https://{org}/api/v1/apps?limit=200>; rel=\"self\", <https://{org}/api/v1/apps?after=0oa1,2;3>; title=\"a, b; c\"; rel=next",
        ),
    ];
    const UNREADABLE: [(&str, &str); 3] = [
        ("detect: Link without an end", "<https://{org}/api/v1/apps?after=0oa1; rel=\"next\""),
        ("detect: Link without brackets", "https://{org}/api/v1/apps?after=0oa1; rel=\"next\""),
        ("detect: Link to another host", "<https://elsewhere.test/api/v1/apps?after=0oa1>; rel=\"next\""),
    ];
    let page = |link: &str| script(200, &[("content-type", "application/json"), ("link", link)], "[]");
    let followed = FOLLOWED.into_iter().map(|(name, link)| {
        row(name, "jhermsmeier/node-http-link-header#21, #31", New, DETECT)
            .fault(at("GET", APPS, proxy()).query("after=0oa1"))
            .fault(at("GET", APPS, page(link)).times(1))
            .code(4)
            .says(&["titled `Blocked by policy`"])
    });
    let unreadable = UNREADABLE.into_iter().map(|(name, link)| {
        row(name, "a rewriting proxy", New, DETECT)
            .fault(at("GET", APPS, page(link)))
            .code(4)
            .says(&["list apps"])
            .never_says(&["no-legacy-client"])
    });
    followed.chain(unreadable).collect()
}

/// Faults that end soon, so flowswap waits.
fn moments() -> Vec<Row> {
    let healed = |name, why, fault| row(name, why, New, DETECT).fault(fault).says(&["ready"]);
    vec![
        healed(
            "detect: 500 twice, then an answer",
            "recordings of Okta",
            at("GET", APPS, super::answers::okta(500, "E0000009", "Internal Server Error", &[])).times(2),
        ),
        healed(
            "detect: 503 twice, then an answer",
            "maintenance",
            at("GET", APPS, FaultKind::Status { status: 503 }).times(2),
        ),
        healed(
            "detect: a storm of 429",
            "a shared rate limit",
            at("GET", APPS, FaultKind::TooManyRequests { reset_seconds: 1 }).times(3),
        ),
        healed(
            "detect: the connection closed twice",
            "a proxy that restarts",
            at("GET", APPS, FaultKind::DropBefore).times(2),
        ),
    ]
}

/// Answers from the directory's side.
fn gateway() -> Vec<Row> {
    let foreign = &["something between this machine and {gateway} answered"];
    vec![
        row("check: a portal before the directory", "okta/okta-sdk-java#82", New, CHECK)
            .fault(at("", "{gateway}", portal()))
            .code(3)
            .says(foreign)
            .says(&["titled `Network login`"]),
        row("detect: a proxy before the directory", "netsuite-suitecloud-sdk#862", New, DETECT)
            .fault(at("", "{gateway}", proxy()))
            .code(4)
            .says(foreign),
        row("plan: a balancer's 404 for the directory", "cloud-provider-azure#933", New, PLAN)
            .fault(at("GET", DIRECTORIES, balancer()))
            .code(4)
            .says(foreign),
        row("detect: a sync time that is a word", "an owner's gateway", New, DETECT)
            .fault(at("GET", "{gateway} /v1/directories/", edit("/sync/last_success", json!("yesterday"))))
            .says(&["time-unreadable"]),
        row("detect: directories as an object", "an envelope", New, DETECT)
            .fault(at("GET", DIRECTORIES, raw(200, "[]")))
            .code(4)
            .says(&["directory-unreadable"]),
        row("check: the gateway in front of CIE says 401", "pan.dev identity-services.yaml", NewGuided, CHECK)
            .fault(at("", "api.cie.test", raw(401, include_str!("../../../fixtures/outside/scm-gateway-401.json"))))
            .code(3)
            .says(&["Access denied", "3f6e0a52-0000-4000-8000-000000000001"]),
    ]
}
