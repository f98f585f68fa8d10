//! Rows in which Cloud Identity Engine's own interface, or something in front of it, gives an unexpected answer.

use serde_json::{Value, json};

use super::{
    answers::{balancer, edit, portal, proxy, raw},
    row::{Row, Stage::NewGuided, at, row},
};

const GROUPS: &str = "api.cie.test /cie/directory-sync/v1/cache-groups";
const DOMAINS: &str = "api.cie.test /cie/directory-sync/v1/domains";
const RAW_KEYS: &str = include_str!("../../../fixtures/outside/cache-groups-raw-keys.json");

pub(super) fn rows() -> Vec<Row> {
    let foreign = &["something between this machine and api.cie.test answered"];
    let mut nameless: Value = serde_json::from_str(RAW_KEYS).unwrap();
    for object in nameless["result"]["data"]["domains"][0]["objects"].as_array_mut().unwrap() {
        *object = json!({"groupType": "security", "member": []});
    }
    vec![
        row(
            "guided apply: groups without any known key",
            "an interface that has changed",
            NewGuided,
            &["apply", "plan.json", "--yes"],
        )
        .prepare(|lab| {
            lab.plan().expect(0);
        })
        .fault(at("POST", GROUPS, raw(200, &nameless.to_string())))
        .code(3)
        .says(&["groups"])
        .never_says(&["provision done"]),
        row("guided check: a portal", "okta-sdk-java#82", NewGuided, &["check", "{tenant}"])
            .fault(at("", "api.cie.test", portal()))
            .code(3)
            .says(foreign),
        row("guided detect: a proxy", "netsuite-suitecloud-sdk#862", NewGuided, &["detect", "{tenant}"])
            .fault(at("", "api.cie.test", proxy()))
            .code(4)
            .says(foreign),
        row("guided detect: a balancer's 404", "cloud-provider-azure#933", NewGuided, &["detect", "{tenant}"])
            .fault(at("", "api.cie.test", balancer()))
            .code(4)
            .says(foreign),
        row("guided check: a portal before the tokens", "okta-sdk-java#82", NewGuided, &["check", "{tenant}"])
            .fault(at("", "auth.cie.test", portal()))
            .code(3)
            .says(&["something between this machine and auth.cie.test answered"]),
        row("guided detect: success is false", "CIE-DSS-R2.yaml of pan.dev", NewGuided, &["detect", "{tenant}"])
            .fault(at("GET", DOMAINS, edit("/success", json!(false))))
            .code(4),
    ]
}
