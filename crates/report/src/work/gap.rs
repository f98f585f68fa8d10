//! What the records of a report do not tell.

use flowswap_engine::RequestOutcome;

use super::{
    attempt::{Attempt, AttemptEnd},
    run::{RunEnd, RunLine},
    statement::StatementKind,
    tenant::WorkedTenant,
};
use crate::{number::number, unknown::Unknown};

/// Something that a reader should know, and whether it is true of a tenant.
type Gap = (&'static str, fn(&WorkedTenant) -> bool);

const GAPS: [Gap; 5] = [
    ("Work on the tenant began before this report. Earlier records are not in it.", |tenant| tenant.began_before),
    ("No outcome is recorded of a request that changes something. It may have arrived.", |tenant| {
        has_request(tenant, |outcome| outcome.is_none())
    }),
    ("A request that changes something got no answer. Only later checks show whether it arrived.", |tenant| {
        has_request(tenant, |outcome| matches!(outcome, Some(RequestOutcome::Lost { .. })))
    }),
    ("A step started, and the journal does not record how that attempt ended.", |tenant| {
        tenant.attempts.iter().any(|attempt| attempt.end == AttemptEnd::Unrecorded)
    }),
    ("The journal does not record who made the plan, because an early version of flowswap wrote it.", |tenant| {
        tenant.statements.iter().any(|said| said.kind == StatementKind::Planned && said.by.is_none())
    }),
];

fn has_request(tenant: &WorkedTenant, is_it: fn(Option<&RequestOutcome>) -> bool) -> bool {
    let requests = tenant.attempts.iter().flat_map(|attempt: &Attempt| &attempt.requests);
    requests.map(|sent| sent.outcome.as_ref()).any(is_it)
}

/// What is not known: first of runs, then of tenants.
pub(crate) fn gaps(runs: &[RunLine], tenants: &[WorkedTenant]) -> Vec<Unknown> {
    let without_end = runs.iter().filter_map(|run| {
        let RunLine { id, command, .. } = run;
        let what = match run.end {
            RunEnd::Finished | RunEnd::Interrupted => return None,
            RunEnd::CutOff => format!("Run `{id}` ({command}) was cut off. Its last records can be missing."),
            RunEnd::Unrecorded => {
                format!("Run `{id}` ({command}) has no recorded end. It was cut off, or it still runs.")
            }
        };
        let tenants = tenants.iter().filter(|tenant| is_unfinished(tenant, run));
        Some(Unknown { what: what.into(), tenants: tenants.map(|tenant| tenant.name.clone()).collect() })
    });
    let anonymous = runs.iter().filter(|run| run.by.is_none()).count();
    let anonymous = (anonymous > 0).then(|| {
        let what = format!("The journal does not record who started {}.", number(anonymous, "run", "of these runs"));
        Unknown { what: what.into(), tenants: Vec::new() }
    });
    let of_tenants = GAPS.iter().map(|(what, applies)| Unknown {
        what: (*what).into(),
        tenants: tenants.iter().filter(|tenant| applies(tenant)).map(|tenant| tenant.name.clone()).collect(),
    });
    without_end.chain(anonymous).chain(of_tenants.filter(|unknown| !unknown.tenants.is_empty())).collect()
}

/// Whether the run worked on the tenant and did not end that.
fn is_unfinished(tenant: &WorkedTenant, run: &RunLine) -> bool {
    tenant.runs.contains(&run.id)
        && !tenant.ends.iter().any(|end| end.run == run.id)
        && !tenant.refusals.iter().any(|refusal| refusal.run == run.id)
}
