//! Rows in which Cloud Identity Engine's own interface, or what stands before it, answers oddly.

use serde_json::{Value, json};

use super::{
    answers::{balancer, edit, portal, proxy, raw},
    row::{Row, Stage::NewGuided, at, row},
};

const GROUPS: &str = "api.cie.test /cie/directory-sync/v1/cache-groups";
const DOMAINS: &str = "api.cie.test /cie/directory-sync/v1/domains";
const RAW_KEYS: &str = include_str!("../../../fixtures/outside/cache-groups-raw-keys.json");

pub(super) fn rows() -> Vec<Row> {
    let foreign = &["something in between answered for api.cie.test"];
    let mut nameless: Value = serde_json::from_str(RAW_KEYS).unwrap();
    for object in nameless["result"]["data"]["domains"][0]["objects"].as_array_mut().unwrap() {
        *object = json!({"groupType": "security", "member": []});
    }
    let plan = |name, why| row(name, why, NewGuided, &["plan", "{tenant}"]);
    vec![
        plan("guided plan: groups with raw keys", "CIE-DSS-R2.yaml of pan.dev").fault(at(
            "POST",
            GROUPS,
            raw(200, RAW_KEYS),
        )),
        plan("guided plan: groups without any known key", "an interface that has changed")
            .fault(at("POST", GROUPS, raw(200, &nameless.to_string())))
            .code(4)
            .says(&["groups"]),
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
            .says(&["something in between answered for auth.cie.test"]),
        row("guided detect: success is false", "CIE-DSS-R2.yaml of pan.dev", NewGuided, &["detect", "{tenant}"])
            .fault(at("GET", DOMAINS, edit("/success", json!(false))))
            .code(4),
    ]
}
