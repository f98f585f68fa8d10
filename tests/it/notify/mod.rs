//! Who is told what: each thing once, whatever the target does, and never at the cost of a run.

mod delivered;
pub(crate) mod hook;
mod programs;
mod secret;
mod told;

use flowswap_sim::{Fault, FaultKind, Scenario, SimConfig};

use crate::support::Lab;

const ALL: &str = r#""waiting", "overdue", "stuck", "failed", "wave-done", "deadline-near""#;

/// A fleet of ready tenants, one at a time.
fn fleet(tenants: usize) -> Lab {
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; tenants]));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    lab
}

/// The org of this tenant refuses to create a client, once.
pub(crate) fn let_fail(lab: &Lab, index: usize) {
    fault(lab, index, FaultKind::Status { status: 400 });
}

/// What the org of this tenant does when a client is to be created, once.
fn fault(lab: &Lab, index: usize, kind: FaultKind) {
    let (host, method) = (lab.sim.tenants()[index].domain.clone(), Some("POST".to_owned()));
    let path = "/integrations/api/v1/api-services".to_owned();
    lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 1, skip: 0 });
}
