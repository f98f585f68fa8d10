//! Which tenants a face shows step by step. A page or a comment that shows too much is read by nobody.

use std::collections::BTreeSet;

use crate::work::{Attention, WorkReport};

/// The names of the tenants to show step by step: at most so many, and first those that need attention. Nothing happened to those
/// that no run got to.
pub(super) fn detailed(report: &WorkReport, most: usize) -> BTreeSet<&str> {
    let tenants = report.by_attention().into_iter();
    let (told, untouched): (Vec<_>, Vec<_>) = tenants.partition(|tenant| tenant.attention() < Attention::Skipped);
    told.into_iter().chain(untouched).take(most).map(|tenant| tenant.name.as_str()).collect()
}
