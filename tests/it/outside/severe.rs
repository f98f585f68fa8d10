//! Wrong answers that would have the worst outcome if flowswap believed them: it would remove a client that is in use,
//! or would retire the legacy client although the new one was never used. `recovery/way_back.rs` covers stuck
//! rollbacks.

use std::thread;

use flowswap_sim::{GATEWAY_HOST, SimTenant, diff};
use jiff::SignedDuration;
use serde_json::json;

use super::{
    answers::{balancer, edit},
    row::{At, at},
};
use crate::{
    faults::points::uniform,
    support::{Lab, print},
};

/// By how many minutes the clocks of the org and of the gateway are ahead of this machine's.
const CLOCKS: [(i64, i64); 8] = [(0, 0), (15, 0), (-15, 0), (0, 15), (0, -15), (15, 15), (-15, -15), (15, -15)];

#[test]
fn no_clock_makes_an_old_sync_count_for_the_new_client() {
    thread::scope(|scope| {
        for (org, gateway) in CLOCKS {
            scope.spawn(move || migrate_with_a_frozen_sync(org, gateway));
        }
    });
    print(&format!("severe: {} pairs of clocks, nothing confirmed without a sync", CLOCKS.len()));
}

/// The gateway always shows a last sync one minute before the swap by its own clock. The tokens of the new client in
/// the org's log are then not enough.
fn migrate_with_a_frozen_sync(org: i64, gateway: i64) {
    let config = uniform(1)
        .skew("acme.okta.test", SignedDuration::from_mins(org))
        .skew(GATEWAY_HOST, SignedDuration::from_mins(gateway));
    let lab = Lab::new(config);
    let tenant = lab.sim.tenants()[0].clone();
    lab.plan().expect(0);
    let last = lab.sim.clock().now() + SignedDuration::from_mins(gateway - 1);
    let frozen = || edit("/sync/last_success", json!(last.to_string()));
    let connection = "{gateway} /v1/directories/{directory}";
    order(&lab, &tenant, &[at("GET", connection, frozen()), at("POST", &format!("{connection}/reconnect"), frozen())]);
    let applied = lab.run(&["apply", "plan.json", "--yes"]);
    let case = format!("org {org:+} min, gateway {gateway:+} min:\n{}", applied.show());
    let connected = lab.directory(&tenant).client_id;
    let swapped = lab.org(&tenant).service_clients.iter().any(|client| client.id == connected);
    assert!(swapped, "the swap failed, so the test checks nothing; {case}");
    assert!(lab.in_state("swapped").is_empty(), "confirmed without any sync; {case}");
    let before = lab.sim.snapshot();
    let finalized = lab.run(&["finalize", "acme", "--yes"]);
    assert!(lab.in_state("retired").is_empty(), "{case}\n{}", finalized.show());
    let changes = diff(&before, &lab.sim.snapshot());
    assert!(changes.iter().all(|change| !change.contains("/apps/")), "{changes:?}; {case}");
    every_fault_fired(&lab);
}

fn order(lab: &Lab, tenant: &SimTenant, faults: &[At]) {
    for fault in faults {
        lab.sim.add_fault(fault.ordered(lab, tenant));
    }
}

#[track_caller]
fn every_fault_fired(lab: &Lab) {
    assert!(lab.sim.faults().iter().all(|report| report.fired > 0), "{:?}", lab.sim.faults());
    lab.sim.clear_faults();
}

#[test]
fn a_404_from_a_load_balancer_does_not_count_as_a_purge() {
    let lab = Lab::new(uniform(1));
    let tenant = lab.sim.tenants()[0].clone();
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    let before = lab.sim.snapshot();
    let app = "{org} /api/v1/apps/{legacy}";
    let mut deletions = 0;
    for looks_that_work in 0..6 {
        order(&lab, &tenant, &[at("DELETE", app, balancer()), at("GET", app, balancer()).skip(looks_that_work)]);
        let output = lab.run(&["finalize", "acme", "--purge", "--yes"]);
        assert_eq!(output.code, if lab.in_state("stuck").is_empty() { 4 } else { 3 }, "{}", output.show());
        assert!(output.stdout.contains("okta.test answered"), "{}", output.show());
        assert_eq!(diff(&before, &lab.sim.snapshot()), Vec::<String>::new());
        assert!(lab.in_state("finalized").is_empty());
        deletions += lab.sim.faults()[0].fired;
        lab.sim.clear_faults();
    }
    assert!(deletions > 0, "no deletion was ever tried");
    lab.run(&["finalize", "acme", "--purge", "--yes"]).expect(0);
    assert_eq!((lab.in_state("finalized"), lab.org(&tenant).legacy.len()), (vec!["acme".to_owned()], 0));
}

#[test]
fn a_404_from_a_load_balancer_does_not_count_as_a_rollback() {
    let lab = Lab::new(uniform(1));
    let tenant = lab.sim.tenants()[0].clone();
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    let client = "{org} /integrations/api/v1/api-services/{client}";
    order(&lab, &tenant, &[at("DELETE", client, balancer()), at("GET", client, balancer())]);
    let output = lab.run(&["rollback", "acme", "--yes"]).expect(3);
    assert!(output.stdout.contains("okta.test answered"), "{}", output.show());
    assert_eq!((lab.in_state("stuck"), lab.org(&tenant).service_clients.len()), (vec!["acme".to_owned()], 1));
    every_fault_fired(&lab);
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    assert_eq!((lab.in_state("rolled-back"), lab.org(&tenant).service_clients.len()), (vec!["acme".to_owned()], 0));
}
