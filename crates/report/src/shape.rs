//! What the tenants of a class have in common. Two tenants are of one class if and only if their shapes are equal.

use flowswap_engine::{Finding, PlannedTenant, Seen, Severity};
use serde_json::{Map, Value, json};

use crate::{change::Change, own_words::OwnWords};

/// Members of steps with text that can have names and ids of the tenant in it. A tenant may be called like a phase or an output.
pub(crate) const TEXTS: [&str; 6] = ["title", "undo", "sends", "queries", "payload", "action"];

/// Everything that the tenants of a class have in common.
pub(crate) fn shape(tenant: &PlannedTenant, seen: Option<&Seen>) -> Value {
    let own = OwnWords::of(tenant, seen);
    let generalize = |step: Value| -> Value {
        let members = step.as_object().into_iter().flatten();
        let general = |name: &String, value: &Value| {
            if TEXTS.contains(&name.as_str()) { own.generalize(value) } else { value.clone() }
        };
        members.map(|(name, value)| (name.clone(), general(name, value))).collect::<Map<_, _>>().into()
    };
    let steps = tenant.steps.iter();
    let steps =
        steps.map(|step| json!({ "id": step.id, "role": step.role, "proposal": generalize(json!(step.proposal)) }));
    let change = Change::of(tenant, seen);
    json!({
        "verdict": tenant.verdict,
        "app_data": tenant.app_data,
        "plugins": [tenant.provider_plugin, tenant.directory_plugin],
        "findings": notable(&tenant.findings),
        "change": change.map(|Change { before, after, .. }| json!({ "before": before, "after": after })),
        "origins": own.generalize(&json!(tenant.origins)),
        "token_paths": own.generalize(&json!(tenant.token_paths)),
        "steps": steps.collect::<Value>(),
        "rollback": tenant.way_back.iter().map(|step| generalize(json!(step))).collect::<Value>(),
    })
}

/// The ids of the findings, without those that are only worth knowing.
pub(crate) fn notable(findings: &[Finding]) -> Vec<String> {
    let notable = findings.iter().filter(|finding| finding.severity != Severity::Info);
    notable.map(|finding| finding.id.clone()).collect()
}
