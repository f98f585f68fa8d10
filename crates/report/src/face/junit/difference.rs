//! What differs between two plans, as tests: everything that differs is a failure.

use flowswap_engine::{reveal, short};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::diff::{ChangedTenants, Outcome, PlanDifference, TenantOutcome};

pub(super) fn show(report: &PlanDifference) -> Report {
    let mut suite = TestSuite::new(format!("plans {} and {}", report.old.digest, report.new.digest));
    suite.add_test_cases(compared(report));
    let mut junit = Report::new("flowswap diff");
    junit.add_test_suite(suite);
    junit
}

/// A case for each tenant and for each plugin that differs.
fn compared(difference: &PlanDifference) -> Vec<TestCase> {
    let failed = |kind: &str, why: String| {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type(kind.to_owned()).set_message(why);
        status
    };
    let plugins = difference.plugins.iter().map(|plugin| {
        let why = plugin.differences.join("; ");
        named("plugins", &plugin.name, failed("changed", reveal(&why)))
    });
    let only =
        [("added", &difference.added), ("removed", &difference.removed)].into_iter().flat_map(|(kind, parts)| {
            let names = parts.iter().flat_map(|part| part.tenants.iter().map(move |name| (name, part)));
            names.map(move |(name, part)| {
                named("tenants", name, failed(kind, format!("class {}, {}", short(&part.class), part.verdict)))
            })
        });
    let changed = difference.changed.iter().flat_map(|group| {
        group.tenants.iter().map(|name| named("tenants", name, failed("changed", describe(group, name))))
    });
    let is_same = |tenant: &&TenantOutcome| tenant.outcome == Outcome::Unchanged;
    let same = difference.tenants.iter().filter(is_same);
    let same = same.map(|tenant| named("tenants", &tenant.name, TestCaseStatus::success()));
    let order = difference.is_reordered.then(|| {
        named("tenants", "order of the tenants", failed("changed", "the tenants have another order".to_owned()))
    });
    let maker = difference.is_by_another.then(|| {
        let why = "somebody else made the new plan".to_owned();
        named("plans", "who made the plan", failed("changed", why))
    });
    plugins.chain(maker).chain(order).chain(only).chain(changed).chain(same).collect()
}

fn named(class: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(reveal(name), status);
    case.set_classname(class);
    case
}

/// What changed for one tenant of a group.
fn describe(group: &ChangedTenants, tenant: &str) -> String {
    let verdict = group.verdict.iter().map(|moved| format!("verdict: {} → {}", moved.from, moved.to));
    let class = group.class.iter().map(|moved| format!("class: {} → {}", short(&moved.from), short(&moved.to)));
    let findings = [("new finding", &group.findings_new), ("finding that is gone", &group.findings_gone)];
    let findings = findings.into_iter().flat_map(|(what, ids)| ids.iter().map(move |id| format!("{what}: {id}")));
    let own = group.own_values.iter().filter(|own| own.tenant == tenant).flat_map(|own| &own.values);
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let values = group.values.iter().chain(own);
    let values = values.map(|value| format!("{}: {} → {}", value.what, text(&value.old), text(&value.new)));
    let parts = verdict
        .chain(class)
        .chain(group.differences.iter().map(|sentence| sentence.trim_end_matches('.').to_owned()))
        .chain(findings)
        .chain(values);
    parts.map(|part| reveal(&part)).collect::<Vec<_>>().join("; ")
}
