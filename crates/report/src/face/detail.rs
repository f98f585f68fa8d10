//! Which tenants a face shows step by step. A page or a comment that shows too much is read by nobody.

use std::collections::BTreeSet;

use flowswap_engine::TenantState;

use crate::work::{AttemptEnd, WorkReport, WorkedTenant};

/// The names of the tenants to show step by step: at most so many, and first those that need attention.
pub(super) fn detailed(report: &WorkReport, most: usize) -> BTreeSet<&str> {
    let those = |attention: bool| report.tenants.iter().filter(move |tenant| needs_attention(tenant) == attention);
    those(true).chain(those(false)).take(most).map(|tenant| tenant.name.as_str()).collect()
}

/// Whether a reader would look for the tenant: it is not where a run should take it, or something failed on the way.
fn needs_attention(tenant: &WorkedTenant) -> bool {
    use TenantState as S;
    let is_settled =
        matches!(tenant.state, S::Swapped | S::Retired | S::Finalized | S::RolledBack | S::Planned | S::Unplanned);
    let has_failed = tenant.attempts.iter().any(|attempt| attempt.end == AttemptEnd::Failed);
    !is_settled || has_failed || tenant.is_refused
}
