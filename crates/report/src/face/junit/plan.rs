//! A plan as tests: a tenant that cannot be migrated is a failure, and one with nothing to do is skipped.

use flowswap_engine::{Severity, Verdict, reveal, short};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::{plan::PlanReport, tenant::TenantLine};

pub(super) fn show(report: &PlanReport) -> Report {
    let mut suite = TestSuite::new(format!("plan {}", report.digest));
    suite.add_test_cases(report.tenants.iter().map(case));
    let mut junit = Report::new("flowswap plan");
    junit.add_test_suite(suite);
    junit
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
    case.set_classname(format!("class {}", short(&tenant.class)));
    case
}

/// What was seen of a tenant and needs attention.
fn reasons(tenant: &TenantLine) -> String {
    let notable = tenant.findings.iter().filter(|finding| finding.severity != Severity::Info);
    notable.map(|finding| reveal(&format!("{}: {}", finding.id, finding.message))).collect::<Vec<_>>().join("; ")
}
