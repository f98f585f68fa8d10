//! Work as tests: a tenant that failed is a failure, one that a run left in the middle is an error, and one that waits or was not
//! touched is skipped. `crates/cli/docs/review.md` has the table for readers.

use std::time::Duration;

use flowswap_engine::{TenantState, reveal};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::work::{Attempt, WorkReport, WorkedTenant};

pub(super) fn show(report: &WorkReport) -> Report {
    let mut suite = TestSuite::new("tenants");
    suite.add_property(Property::new("journal-records", report.journal.records.to_string()));
    suite.add_property(Property::new("journal-hash", report.journal.hash.as_str()));
    for run in &report.runs {
        suite.add_property(Property::new("run", format!("{} ({})", run.id, run.command)));
    }
    suite.add_test_cases(report.tenants.iter().map(case));
    let mut junit = Report::new("flowswap report");
    junit.add_test_suite(suite);
    junit
}

fn case(tenant: &WorkedTenant) -> TestCase {
    use TenantState as S;
    let status = match tenant.state {
        S::Failed | S::Stuck => bad(tenant, NonSuccessKind::Failure),
        S::Running => bad(tenant, NonSuccessKind::Error),
        _ if tenant.is_refused => skipped(tenant),
        S::Swapped | S::Retired | S::Finalized | S::RolledBack => TestCaseStatus::success(),
        S::Waiting | S::Soaking | S::RollingBack | S::Planned | S::Unplanned => skipped(tenant),
    };
    let mut case = TestCase::new(reveal(&tenant.name), status);
    // The same in every report, so that CI follows a tenant from one report to the next.
    case.set_classname("flowswap");
    case.set_time(time(tenant));
    case
}

fn bad(tenant: &WorkedTenant, kind: NonSuccessKind) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(tenant.state.to_string()).set_message(why(tenant));
    status
}

fn skipped(tenant: &WorkedTenant) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_type(tenant.state.to_string()).set_message(why(tenant));
    status
}

/// Why the tenant is not where a run should take it.
fn why(tenant: &WorkedTenant) -> String {
    let reason = tenant.why().unwrap_or_else(|| match tenant.state {
        TenantState::Running => "no run has ended its work on the tenant".to_owned(),
        TenantState::Planned | TenantState::Unplanned => "nothing was done".to_owned(),
        state => state.to_string(),
    });
    reveal(&reason)
}

/// How long flowswap worked on the steps that succeeded.
fn time(tenant: &WorkedTenant) -> Duration {
    let times = tenant.attempts.iter().filter_map(Attempt::duration);
    times.filter_map(|time| Duration::try_from(time).ok()).sum()
}
