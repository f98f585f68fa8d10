//! A report as JUnit XML, so that CI shows a plan as it shows tests: a tenant that cannot be migrated is a failure, and one
//! with nothing to do is skipped.

use flowswap_engine::{Severity, Verdict, reveal};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{FaceError, Report};
use crate::tenant::TenantLine;

pub(super) fn show(report: Report<'_>) -> Result<String, FaceError> {
    let (name, title, cases): (_, _, Vec<_>) = match report {
        Report::Plan(plan) => {
            ("flowswap plan", format!("plan {}", plan.digest), plan.tenants.iter().map(case).collect())
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
