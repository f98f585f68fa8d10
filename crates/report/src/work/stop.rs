//! A run that somebody stopped, and the tenants that it left.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_engine::{RunOutcome, STOPPED, TenantState};

use super::{
    run::{RunEnd, RunLine},
    tenant::WorkedTenant,
};
use crate::number::number;

/// What a run left when somebody stopped it.
pub(super) struct Stop<'a> {
    run: &'a RunLine,
    /// The tenants that it had begun, and their states then.
    begun: Vec<(&'a WorkedTenant, TenantState)>,
    /// How many tenants it did not get to, also those that are not in the report.
    skipped: usize,
}

/// Tenants that are as a stopped run left them. The sentence about the run counts them, so that no other one has to.
#[derive(Default)]
pub(super) struct Left<'a> {
    /// Those that it had begun.
    pub(super) begun: BTreeSet<&'a str>,
    /// Those that it did not get to.
    pub(super) skipped: BTreeSet<&'a str>,
}

impl<'a> Stop<'a> {
    /// `None` if nobody stopped the run.
    pub(super) fn of(run: &'a RunLine, tenants: &'a [WorkedTenant]) -> Option<Self> {
        let state_at_end = |tenant: &WorkedTenant| {
            let mut ends = tenant.ends.iter();
            ends.find(|end| end.run == run.id && end.interrupted).map(|end| end.state)
        };
        let begun = tenants.iter().filter_map(|tenant| Some((tenant, state_at_end(tenant)?))).collect();
        let is_skip = |tenant: &&WorkedTenant| tenant.refusals.iter().any(|it| it.run == run.id && it.is_skipped);
        // A run does not record again that it skipped a tenant which an earlier run skipped for the same reason.
        let of_run = run.outcomes.iter().find(|count| count.outcome == RunOutcome::Skipped).map(|count| count.tenants);
        let skipped = of_run.unwrap_or_default().max(tenants.iter().filter(is_skip).count());
        (run.end == RunEnd::Interrupted).then_some(Self { run, begun, skipped })
    }

    /// That the run was stopped, and what it left.
    pub(super) fn sentence(&self) -> String {
        let at = self.run.ended_at.map(|at| format!(" at {at:.0}")).unwrap_or_default();
        let tenants = |count| number(count, "tenant", "tenants");
        let begun = format!("did not finish {} ({})", tenants(self.begun.len()), self.states());
        let left = match (self.begun.len(), self.skipped) {
            (0, 0) => "left no tenant unfinished".to_owned(),
            (0, skipped) => format!("did not get to {}", tenants(skipped)),
            (_, 0) => begun,
            (_, skipped) => format!("{begun}, and did not get to {skipped}"),
        };
        format!("Somebody stopped `{}`{at}. The run {left}.", self.run.command)
    }

    /// `8 running, 6 soaking`, or `running` for all of them.
    fn states(&self) -> String {
        let mut states: BTreeMap<TenantState, usize> = BTreeMap::new();
        for (_, state) in &self.begun {
            *states.entry(*state).or_default() += 1;
        }
        match states.len() {
            1 => states.keys().map(TenantState::to_string).collect(),
            _ => states.into_iter().map(|(state, tenants)| format!("{tenants} {state}")).collect::<Vec<_>>().join(", "),
        }
    }

    /// The tenants that are still as the run left them. None if only some are, because the sentence counts all.
    pub(super) fn left(&self, tenants: &'a [WorkedTenant]) -> Left<'a> {
        let is_begun = |(tenant, state): &(&WorkedTenant, TenantState)| {
            let is_last = tenant.ends.last().is_some_and(|end| end.run == self.run.id);
            is_last && tenant.state == *state && tenant.state_now.is_none()
        };
        let is_skipped = |tenant: &&WorkedTenant| {
            let is_stop = tenant.refusals.last().is_some_and(|it| it.is_skipped && it.reasons == [STOPPED]);
            is_stop && tenant.is_refused && tenant.state_now.is_none()
        };
        let begun = self.begun.iter().filter(|it| is_begun(it)).map(|(tenant, _)| tenant.name.as_str());
        let skipped = tenants.iter().filter(is_skipped).map(|tenant| tenant.name.as_str());
        let all = |names: BTreeSet<&'a str>, count: usize| if names.len() == count { names } else { BTreeSet::new() };
        Left { begun: all(begun.collect(), self.begun.len()), skipped: all(skipped.collect(), self.skipped) }
    }
}
