//! What the tenants of a class have in common. Two tenants are of one class if and only if their shapes are equal.

use flowswap_engine::{Finding, PlannedTenant, Seen, Severity};
use serde_json::{Map, Value, json};

use crate::{change::Change, own_words::OwnWords};

/// Members of steps with text that can have names and ids of the tenant in it. A tenant may be called like a phase or an output.
pub(crate) const TEXTS: [&str; 6] = ["title", "undo", "sends", "queries", "payload", "action"];

/// Findings that come and go with time alone. They change nothing that is approved, so they make no class: an approval of a class
/// would end overnight. `deadline-passed` makes one, because a rollback to a dead connection is worth less.
const OF_TIME: [&str; 1] = ["deadline-near"];

/// Everything that the tenants of a class have in common. Without steps, nothing is approved, and a reader only needs to know why.
pub(crate) fn shape(tenant: &PlannedTenant, seen: Option<&Seen>) -> Value {
    let why = json!({ "verdict": tenant.verdict, "findings": defining(&tenant.findings) });
    if tenant.steps.is_empty() {
        return why;
    }
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
        "verdict": why["verdict"],
        "findings": why["findings"],
        "app_data": tenant.app_data,
        "plugins": [tenant.provider_plugin, tenant.directory_plugin],
        "change": change.map(|Change { before, after, .. }| json!({ "before": before, "after": after })),
        "origins": own.generalize(&json!(tenant.origins)),
        "token_paths": own.generalize(&json!(tenant.token_paths)),
        "steps": steps.collect::<Value>(),
        "rollback": tenant.way_back.iter().map(|step| generalize(json!(step))).collect::<Value>(),
    })
}

/// The ids of the findings that make a class: without those that are only worth knowing, and those of time alone.
pub(crate) fn defining(findings: &[Finding]) -> Vec<String> {
    let defining =
        findings.iter().filter(|finding| finding.severity != Severity::Info && !OF_TIME.contains(&finding.id.as_str()));
    defining.map(|finding| finding.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use flowswap_engine::RULES;

    use super::OF_TIME;

    #[test]
    fn the_findings_of_time_are_rules() {
        assert!(OF_TIME.iter().all(|id| RULES.iter().any(|rule| rule.id == *id)));
    }
}
