//! A report as JUnit XML, so that CI shows a plan as it shows tests: a tenant that cannot be migrated is a failure, and one
//! with nothing to do is skipped. Of two plans, everything that differs is a failure.

use flowswap_engine::{Severity, Verdict, reveal};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{FaceError, Report};
use crate::{
    diff::{ChangedTenants, Outcome, PlanDifference, TenantOutcome},
    tenant::TenantLine,
};

pub(super) fn show(report: Report<'_>) -> Result<String, FaceError> {
    let (name, title, cases): (_, _, Vec<_>) = match report {
        Report::Plan(plan) => {
            ("flowswap plan", format!("plan {}", plan.digest), plan.tenants.iter().map(case).collect())
        }
        Report::Difference(difference) => {
            let title = format!("plans {} and {}", difference.old.digest, difference.new.digest);
            ("flowswap diff", title, compared(difference))
        }
    };
    let mut suite = TestSuite::new(title);
    suite.add_test_cases(cases);
    let mut junit = quick_junit::Report::new(name);
    junit.add_test_suite(suite);
    Ok(junit.to_string()?)
}

fn case(tenant: &TenantLine) -> TestCase {
    let mut status = match tenant.verdict {
        Verdict::Ready => TestCaseStatus::success(),
        Verdict::Migrated | Verdict::NotApplicable => TestCaseStatus::skipped(),
        Verdict::Blocked | Verdict::Unknown => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    if tenant.verdict != Verdict::Ready {
        status.set_type(tenant.verdict.to_string()).set_message(reasons(tenant));
    }
    let mut case = TestCase::new(reveal(&tenant.name), status);
    case.set_classname(format!("class {}", tenant.class));
    case
}

/// What was seen of a tenant and needs attention.
fn reasons(tenant: &TenantLine) -> String {
    let notable = tenant.findings.iter().filter(|finding| finding.severity != Severity::Info);
    notable.map(|finding| reveal(&format!("{}: {}", finding.id, finding.message))).collect::<Vec<_>>().join("; ")
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
                named("tenants", name, failed(kind, format!("class {}, {}", part.class, part.verdict)))
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
    plugins.chain(order).chain(only).chain(changed).chain(same).collect()
}

fn named(class: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(reveal(name), status);
    case.set_classname(class);
    case
}

/// What changed for one tenant of a group.
fn describe(group: &ChangedTenants, tenant: &str) -> String {
    let verdict = group.verdict.iter().map(|moved| format!("verdict: {} → {}", moved.from, moved.to));
    let class = group.class.iter().map(|moved| format!("class: {} → {}", moved.from, moved.to));
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
