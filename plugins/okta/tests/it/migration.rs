//! One whole migration and its rollback: a snapshot of every request of the plugin, for review.

use flowswap_contract::{ApplyReply, EvidenceResult, ObserveReply, Observed, Op, Role, TestReply};
use serde_json::{Value, json};

use crate::{
    driver::{proposal_of, results, step_params},
    fake::FakeOkta,
    open, plan,
};

#[test]
fn a_migration_forward_and_back() {
    let (mut okta, mut org) = (open(), FakeOkta::new().with_instance());
    let before = org.apps.clone();
    let steps = plan(&mut okta, &mut org, true);
    let mut said = Vec::new();
    let step = |phase: &str, inputs: Value, outputs: Value| {
        step_params(Role::Provider, &proposal_of(&steps, phase), inputs, outputs)
    };
    macro_rules! call {
        ($title:literal, $reply:ty, $op:expr, $params:expr) => {{
            let reply: $reply = okta.call(&mut org, $op, $params).unwrap();
            said.push(format!("== {}\n{}", $title, okta.asked.join("\n")));
            okta.asked.clear();
            reply
        }};
    }

    let made = call!("provision", ApplyReply, Op::Apply, step("provision", json!({}), json!({})));
    let outputs = serde_json::to_value(&made.outputs).unwrap();
    assert_eq!(outputs["client_id"], "0oaNEW1");
    assert_eq!(results(&made.evidence), ["created: Pass", "granted-scopes: Pass"]);
    let inputs = json!({"client_id": outputs["client_id"], "client_secret": outputs["client_secret"]});

    let proved = call!("prove", TestReply, Op::Test, json!({"step": step("prove", inputs, json!({}))}));
    assert_eq!(proved.evidence.len(), 9);
    assert!(proved.evidence.iter().all(|e| e.result == EvidenceResult::Pass), "{:?}", proved.evidence);

    org.log_token("0oaNEW1", "CIE/1.0", "SUCCESS", "2026-01-01T12:05:00.000Z");
    let inputs = json!({"client_id": "0oaNEW1", "tested_at": "2026-01-01T12:00:00Z"});
    let confirmed = call!("confirm", TestReply, Op::Test, json!({"step": step("confirm", inputs, json!({}))}));
    let expected =
        ["token-grant: Pass", "legacy-silent: Pass", "credentials: Pass", "scopes: NotApplicable", "rate-limits: Pass"];
    assert_eq!(results(&confirmed.evidence), expected);

    call!("retire", ApplyReply, Op::Apply, step("retire", json!({}), json!({})));
    assert_eq!(org.app("0oaLEGACY")["status"], "INACTIVE");
    let seen = call!("observe retire", ObserveReply, Op::Observe, step("retire", json!({}), json!({})));
    assert_eq!(seen.state, Observed::Applied);

    call!("undo retire", ApplyReply, Op::Undo, step("retire", json!({}), json!({})));
    call!("undo provision", ApplyReply, Op::Undo, step("provision", json!({}), outputs));
    assert_eq!(org.apps, before, "the rollback leaves the org as it was");
    assert_eq!(org.service_ids(), ["0oaFOREIGN", "0oaOLD"]);

    call!("retire again", ApplyReply, Op::Apply, step("retire", json!({}), json!({})));
    call!("purge", ApplyReply, Op::Apply, step("purge", json!({}), json!({})));
    assert!(org.apps.iter().all(|app| app["id"] != "0oaLEGACY"));
    insta::assert_snapshot!("migration-asks", said.join("\n\n"));
}
