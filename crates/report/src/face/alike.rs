//! Tenants with the same state, plan, and reason, as one row of a table.

use std::collections::BTreeMap;

use flowswap_engine::{TenantState, short};
use jiff::Timestamp;
use serde::Serialize;

use super::story::not_carried_out;
use crate::{
    cause::group,
    work::{Planned, WorkedTenant},
};

/// Tenants that differ only in their names, times, and numbers of changes.
#[derive(Debug, Serialize)]
pub(super) struct Alike<'a> {
    tenants: Vec<&'a str>,
    state: TenantState,
    state_now: Option<TenantState>,
    /// Since when the first of them is in its state.
    from: Timestamp,
    /// Since when the last of them is.
    to: Timestamp,
    /// Why, with `…` for the words that differ between them.
    why: Option<String>,
    plan: Option<&'a str>,
    /// The last plan that was made, if no run set out to carry it out.
    planned: Option<String>,
    /// The requests of all of them that were to change something.
    changes: usize,
}

/// What tenants of one row have in common besides the reason.
type Key<'a> = (TenantState, Option<TenantState>, Option<&'a str>, Option<&'a str>);

/// The rows, each at the place of its first tenant.
pub(super) fn alike(tenants: Vec<&WorkedTenant>) -> Vec<Alike<'_>> {
    let mut by_key: BTreeMap<Key<'_>, Vec<(usize, &WorkedTenant)>> = BTreeMap::new();
    for (place, tenant) in tenants.into_iter().enumerate() {
        let planned = tenant.planned.as_ref().map(|planned| planned.plan.as_str());
        let key = (tenant.state, tenant.state_now, tenant.plan.as_deref(), planned);
        by_key.entry(key).or_default().push((place, tenant));
    }
    let mut rows: Vec<(usize, Alike<'_>)> = Vec::new();
    for tenants in by_key.into_values() {
        let groups = group(tenants, |(_, tenant)| (tenant.why().unwrap_or_default(), vec![tenant.name.as_str()]));
        rows.extend(groups.into_iter().filter_map(|group| {
            let (places, tenants): (Vec<usize>, Vec<&WorkedTenant>) = group.items.into_iter().unzip();
            Some((*places.first()?, Alike::of(&tenants, group.text)?))
        }));
    }
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

impl<'a> Alike<'a> {
    /// `None` without a tenant.
    fn of(tenants: &[&'a WorkedTenant], why: String) -> Option<Self> {
        let first = tenants.first()?;
        let since = tenants.iter().map(|tenant| tenant.since);
        let planned: Vec<&Planned> = tenants.iter().filter_map(|tenant| tenant.planned.as_ref()).collect();
        Some(Self {
            tenants: tenants.iter().map(|tenant| tenant.name.as_str()).collect(),
            state: first.state,
            state_now: first.state_now,
            from: since.clone().min()?,
            to: since.max()?,
            why: Some(why).filter(|why| !why.is_empty()),
            plan: first.plan.as_deref().map(short),
            planned: not_carried_out(first.plan.is_some(), &planned),
            changes: tenants.iter().map(|tenant| tenant.changes()).sum(),
        })
    }
}
