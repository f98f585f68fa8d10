//! Rows in which a write gets an unexpected answer, whether it was carried out or not. flowswap checks a step in doubt,
//! and never believes that an object is gone because something other than its own side says so.

use flowswap_sim::{FaultKind, SYNC_EVERY};
use serde_json::json;

use super::{
    answers::{balancer, committed, edit, json_balancer, okta, portal, proxy, raw, script, without},
    row::{
        Row,
        Stage::{Applied, Planned, Retired},
        at, row,
    },
};

const SERVICES: &str = "{org} /integrations/api/v1/api-services";
const CLIENT: &str = "{org} /integrations/api/v1/api-services/{client}";
const LEGACY: &str = "{org} /api/v1/apps/{legacy}";
const RECONNECT: &str = "{gateway} /v1/directories/{directory}/reconnect";
const TEST: &str = "{gateway} /v1/directories/{directory}/test-connection";
const STATUS: &str = "{gateway} /v1/directories/{directory}/status";
const RESTORE: &str = "{gateway} /v1/directories/{directory}/restore";

const APPLY: &[&str] = &["apply", "{tenant}.json", "--yes"];
const ROLLBACK: &[&str] = &["rollback", "{tenant}", "--yes"];
const FINALIZE: &[&str] = &["finalize", "{tenant}", "--yes"];
const PURGE: &[&str] = &["finalize", "{tenant}", "--purge", "--yes"];

pub(super) fn rows() -> Vec<Row> {
    [creations(), swaps(), ways_back(), removals(), retirements(), purges()].concat()
}

/// At most a service client was created, and the directory is unchanged.
pub(super) fn only_a_client(changes: &[String]) -> bool {
    changes.iter().all(|change| change.contains("/service_clients"))
}

/// The legacy client is unchanged.
fn legacy_stays(changes: &[String]) -> bool {
    !changes.iter().any(|change| change.contains("/apps/"))
}

/// The service client and the legacy client are unchanged; the directory may be back.
fn client_stays(changes: &[String]) -> bool {
    !changes.iter().any(|change| change.contains("/service_clients") || change.contains("/apps/"))
}

/// The directory uses the one new service client, and the legacy client is unchanged.
pub(super) fn is_swapped(changes: &[String]) -> bool {
    legacy_stays(changes)
        && count(changes, "/connection/flow: ", "became \"client_credentials\"") == 1
        && count(changes, "/service_clients/", ": added") == 1
}

/// The directory uses the legacy client again, which is unchanged, and the service client is deleted.
fn is_back(changes: &[String]) -> bool {
    legacy_stays(changes)
        && count(changes, "/connection/flow: ", "became \"authorization_code\"") == 1
        && count(changes, "/service_clients/", ": removed") == 1
}

/// The legacy client was deactivated, and nothing else changed.
pub(super) fn is_retired(changes: &[String]) -> bool {
    changes.len() == 1 && count(changes, "/apps/", "/status: \"ACTIVE\" became \"INACTIVE\"") == 1
}

/// The legacy client was deleted, and nothing else changed.
fn is_purged(changes: &[String]) -> bool {
    changes.len() == 1 && count(changes, "/apps/", ": removed") == 1
}

fn count(changes: &[String], one: &str, other: &str) -> usize {
    changes.iter().filter(|change| change.contains(one) && change.contains(other)).count()
}

fn timed_out() -> FaultKind {
    script(408, &[], "")
}

/// The creation of the client.
fn creations() -> Vec<Row> {
    let lost = |name, why, fault| {
        row(name, why, Planned, APPLY).fault(at("POST", SERVICES, fault).times(1)).allowing(is_swapped).state("swapped")
    };
    let never = |name, why, fault| row(name, why, Planned, APPLY).fault(at("POST", SERVICES, fault)).code(3);
    vec![
        lost("create: 408, done", "RFC 9110 §15.5.9", committed(timed_out())),
        lost("create: a portal's 200, done", "okta-sdk-java#82", committed(portal())),
        lost("create: an empty 200, done", "a stubbed gateway", committed(raw(200, ""))),
        lost(
            "create: 502 as text, done",
            "envoyproxy",
            committed(script(502, &[("content-type", "text/plain")], "bad gateway")),
        ),
        lost("create: no secret in the answer", "a gateway that filters secrets", without("/clientSecret")),
        lost("create: no id in the answer", "a gateway that filters", without("/id")),
        never("create: a portal's 200, not done", "okta-sdk-java#82", portal())
            .code(4)
            .says(&["something between this machine and {org} answered"]),
        never("create: a proxy's 403", "netsuite-suitecloud-sdk#862", proxy())
            .code(4)
            .says(&["something between this machine and {org} answered"])
            .never_says(&["super administrator"]),
        lost("create: scopes too few in the answer", "the proof asks for each", edit("/grantedScopes", json!([]))),
        never("create: 204 and nothing done", "a stubbed gateway", script(204, &[], "")),
    ]
}

/// The connection test, the swap, and its confirmation.
fn swaps() -> Vec<Row> {
    let tested = |name, why, fault| {
        row(name, why, Planned, APPLY).fault(at("POST", TEST, fault)).code(3).allowing(only_a_client)
    };
    let lost = |name, why, fault| {
        row(name, why, Planned, APPLY)
            .fault(at("POST", RECONNECT, fault).times(1))
            .allowing(is_swapped)
            .state("swapped")
    };
    let never = |name, why, fault| {
        row(name, why, Planned, APPLY).fault(at("POST", RECONNECT, fault)).code(3).allowing(only_a_client)
    };
    let unconfirmed =
        |name, why, fault| row(name, why, Planned, APPLY).fault(fault).code(4).allowing(legacy_stays).state("soaking");
    vec![
        tested("test: a portal's 200", "okta-sdk-java#82", portal())
            .code(4)
            .says(&["something between this machine and {gateway} answered"]),
        tested("test: an empty 200", "a stubbed gateway", raw(200, "")),
        tested("test: a list", "a stubbed gateway", raw(200, "[]")),
        tested("test: a result that is null", "a stubbed gateway", edit("/result", json!(null))),
        tested("test: no receipt", "an older gateway", without("/receipt")),
        lost("submit: 408, done", "RFC 9110 §15.5.9", committed(timed_out())),
        lost("submit: 500, done", "a gateway that fails late", FaultKind::StatusAfterCommit { status: 500 }),
        lost("submit: a portal's 200, done", "okta-sdk-java#82", committed(portal())),
        lost(
            "submit: 302, done",
            "a gateway that redirects after a post",
            committed(script(302, &[("location", "/done")], "")),
        ),
        never("submit: a portal's 200, not done", "okta-sdk-java#82", portal())
            .code(4)
            .says(&["something between this machine and {gateway} answered"]),
        never("submit: a proxy's 403", "netsuite-suitecloud-sdk#862", proxy())
            .code(4)
            .says(&["something between this machine and {gateway} answered"]),
        unconfirmed("confirm: a portal at the status", "okta-sdk-java#82", at("GET", STATUS, portal()))
            .says(&["something between this machine and {gateway} answered"]),
        unconfirmed(
            "confirm: a portal at the log",
            "okta-sdk-java#509",
            at("GET", "{org} /api/v1/logs", portal()).skip(5),
        )
        .says(&["something between this machine and {org} answered"]),
        unconfirmed(
            "confirm: a balancer's 404 at the log",
            "cloud-provider-azure#933",
            at("GET", "{org} /api/v1/logs", balancer()).skip(5),
        )
        .says(&["something between this machine and {org} answered"])
        .never_says(&["okta refused"]),
        row("apply: a portal at its first look", "okta-sdk-java#509", Planned, APPLY)
            .fault(at("", "{org}", portal()))
            .code(4)
            .says(&["something between this machine and {org} answered"]),
        row("apply: a portal at the directory's first look", "okta-sdk-java#509", Planned, APPLY)
            .fault(at("", "{gateway}", portal()))
            .code(4)
            .says(&["something between this machine and {gateway} answered"]),
    ]
}

/// The rollback of the directory.
fn ways_back() -> Vec<Row> {
    let lost = |name, why, fault| {
        row(name, why, Applied, ROLLBACK)
            .fault(at("POST", RESTORE, fault).times(1))
            .allowing(is_back)
            .state("rolled-back")
    };
    let never =
        |name, why, fault| row(name, why, Applied, ROLLBACK).fault(at("POST", RESTORE, fault)).code(3).state("stuck");
    vec![
        lost("restore: 408, done", "RFC 9110 §15.5.9", committed(timed_out())),
        lost("restore: a portal's 200, done", "okta-sdk-java#82", committed(portal())),
        lost("restore: 500, done", "a gateway that fails late", FaultKind::StatusAfterCommit { status: 500 }),
        never("restore: a portal's 200, not done", "okta-sdk-java#82", portal()),
        never("restore: an empty 200, not done", "a stubbed gateway", raw(200, "")),
        never(
            "restore: 409",
            "the grant has expired",
            raw(409, "{\"error\":{\"code\":\"conflict\",\"message\":\"the old grant has expired\"}}"),
        )
        .says(&["the old grant has expired"]),
        never("restore: a balancer's 404", "cloud-provider-azure#933", balancer())
            .says(&["something between this machine and {gateway} answered"]),
    ]
}

/// The deletion of the service client, and the check after it.
fn removals() -> Vec<Row> {
    let lost = |name, why, fault| {
        row(name, why, Applied, ROLLBACK)
            .fault(at("DELETE", CLIENT, fault).times(1))
            .allowing(is_back)
            .state("rolled-back")
    };
    let never = |name, why, fault| {
        row(name, why, Applied, ROLLBACK)
            .fault(at("DELETE", CLIENT, fault))
            .code(3)
            .allowing(client_stays)
            .state("stuck")
            .never_says(&["rolled-back"])
    };
    let unseen = |name, why, fault| {
        row(name, why, Applied, ROLLBACK).fault(at("GET", CLIENT, fault)).code(3).allowing(is_back).state("stuck")
    };
    // The directory syncs by itself, so it has a valid token of the new client.
    let still_in_use = |name, why, log: Option<FaultKind>| {
        let row = row(name, why, Applied, ROLLBACK).config(|world| world.scheduled_sync(SYNC_EVERY));
        let row = log.into_iter().fold(row, |row, kind| row.fault(at("GET", "{org} /api/v1/logs", kind)));
        row.code(4).allowing(client_stays).state("rolling-back").never_says(&["rolled-back"])
    };
    let foreign = &["something between this machine and {org} answered"];
    vec![
        never("delete the client: a balancer's 404", "cloud-provider-azure#933", balancer()).says(foreign),
        never("delete the client: a gateway's JSON 404", "Kong", json_balancer())
            .says(&["something between this machine and okta answered"]),
        never("delete the client: a proxy's 403", "netsuite-suitecloud-sdk#862", proxy()).says(foreign),
        never("delete the client: a portal's 200", "okta-sdk-java#82", portal()).says(foreign),
        never(
            "delete the client: E0000007, and it is listed",
            "terraform-provider-okta#647",
            okta(404, "E0000007", "Introuvable", &[]),
        )
        .says(&["lists it"]),
        never("delete the client: E0000006", "okta error codes", okta(403, "E0000006", "Droits insuffisants", &[]))
            .says(&["E0000006"]),
        never("delete the client: E0000008", "okta error codes", okta(404, "E0000008", "Chemin inconnu", &[]))
            .says(&["E0000008"]),
        never("delete the client: 204, and it is there", "a stubbed gateway", script(204, &[], "")).says(&["deletion"]),
        lost("delete the client: 408, done", "RFC 9110 §15.5.9", committed(timed_out())),
        lost("delete the client: a balancer's 404, done", "cloud-provider-azure#933", committed(balancer())),
        lost("delete the client: 500, done", "okta status page", FaultKind::StatusAfterCommit { status: 500 }),
        still_in_use("rollback: a token of the new client may be in use", "tokens live an hour", None),
        still_in_use("rollback: the log behind a portal", "okta-sdk-java#509", Some(portal())).says(foreign),
        still_in_use("rollback: the log behind a proxy", "netsuite-suitecloud-sdk#862", Some(proxy())).says(foreign),
        still_in_use("rollback: a balancer's 404 at the log", "cloud-provider-azure#933", Some(balancer()))
            .says(foreign),
        still_in_use("rollback: an empty log", "a log that lost its events", Some(raw(200, "[]"))),
        still_in_use(
            "rollback: the log may not be read",
            "a role without the log",
            Some(okta(403, "E0000006", "Non", &[])),
        )
        .code(3)
        .state("stuck")
        .says(&["the provider cannot tell who uses the client", "delete it yourself"]),
        unseen("look after the deletion: a balancer's 404", "cloud-provider-azure#933", balancer()).says(foreign),
        unseen("look after the deletion: a portal", "okta-sdk-java#82", portal()).says(foreign),
        unseen("look after the deletion: a gateway's JSON 404", "Kong", json_balancer())
            .says(&["something between this machine and okta answered"]),
        row("look after the deletion: the list is a portal's", "okta-sdk-java#82", Applied, ROLLBACK)
            .fault(at("GET", CLIENT, FaultKind::Delay { milliseconds: 1 }))
            .fault(at("GET", SERVICES, portal()))
            .code(3)
            .allowing(is_back)
            .state("stuck")
            .says(foreign),
    ]
}

/// The legacy client is deactivated.
fn retirements() -> Vec<Row> {
    let deactivate = "{org} /api/v1/apps/{legacy}/lifecycle/deactivate";
    let lost = |name, why, fault| {
        row(name, why, Applied, FINALIZE)
            .fault(at("POST", deactivate, fault).times(1))
            .allowing(is_retired)
            .state("retired")
    };
    let never = |name, why, fault| row(name, why, Applied, FINALIZE).fault(fault).code(3);
    let foreign = &["something between this machine and {org} answered"];
    // flowswap looks at the org first, and reads the grants and the users of the app. Only then it reads the app itself.
    vec![
        lost("retire: 408, done", "RFC 9110 §15.5.9", committed(timed_out())),
        lost("retire: a portal's 200, done", "okta-sdk-java#82", committed(portal())),
        never("retire: a portal's 200, not done", "okta-sdk-java#82", at("POST", deactivate, portal()))
            .code(4)
            .says(foreign),
        never("retire: a proxy's 403", "netsuite-suitecloud-sdk#862", at("POST", deactivate, proxy()))
            .code(4)
            .says(foreign),
        never("retire: a balancer's 404", "cloud-provider-azure#933", at("POST", deactivate, balancer()))
            .code(4)
            .says(foreign),
        never("retire: 200, and it is active", "a stubbed gateway", at("POST", deactivate, raw(200, "{}")))
            .says(&["is ACTIVE"]),
        never("retire: E0000143", "okta error codes", at("POST", deactivate, okta(403, "E0000143", "Interdit", &[])))
            .says(&["E0000143"]),
        never(
            "retire: the app behind a balancer's 404",
            "cloud-provider-azure#933",
            at("GET", LEGACY, balancer()).skip(2),
        )
        .code(4)
        .says(foreign),
        never("retire: the app behind a portal", "okta-sdk-java#509", at("GET", LEGACY, portal()).skip(2))
            .code(4)
            .says(foreign),
    ]
}

/// The legacy client is deleted for good.
fn purges() -> Vec<Row> {
    let never = |name, why, fault| row(name, why, Retired, PURGE).fault(fault).code(3).never_says(&["finalized"]);
    let lost = |name, why, fault| {
        row(name, why, Retired, PURGE)
            .fault(at("DELETE", LEGACY, fault).times(1))
            .allowing(is_purged)
            .state("finalized")
    };
    let foreign = &["something between this machine and {org} answered"];
    vec![
        never("purge: a balancer's 404", "cloud-provider-azure#933", at("DELETE", LEGACY, balancer()))
            .code(4)
            .says(foreign),
        never("purge: a gateway's JSON 404", "Kong", at("DELETE", LEGACY, json_balancer()))
            .code(4)
            .says(&["something between this machine and okta answered"]),
        never("purge: a portal's 200", "okta-sdk-java#82", at("DELETE", LEGACY, portal())).code(4).says(foreign),
        never("purge: a proxy's 403", "netsuite-suitecloud-sdk#862", at("DELETE", LEGACY, proxy()))
            .code(4)
            .says(foreign),
        never("purge: 204, and it is there", "a stubbed gateway", at("DELETE", LEGACY, script(204, &[], "")))
            .says(&["still there"]),
        never(
            "purge: E0000056",
            "okta error codes",
            at("DELETE", LEGACY, okta(403, "E0000056", "Suppression interdite", &[])),
        )
        .says(&["E0000056"]),
        never(
            "purge: E0000007, and it is listed",
            "terraform-provider-okta#647",
            at("DELETE", LEGACY, okta(404, "E0000007", "Introuvable", &[])),
        )
        .says(&["lists it"]),
        never(
            "purge: the app behind a balancer's 404",
            "cloud-provider-azure#933",
            at("GET", LEGACY, balancer()).skip(2),
        )
        .code(4)
        .says(foreign),
        lost("purge: 408, done", "RFC 9110 §15.5.9", committed(timed_out())),
        lost("purge: a balancer's 404, done", "cloud-provider-azure#933", committed(balancer())),
    ]
}
