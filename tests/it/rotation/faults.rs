//! Every fault at every write, and a kill at every request, of a rotation and of its rollback. Afterwards the same command brings the tenant to its goal,
//! and the directory has a secret that works.

use flowswap_sim::{Exchange, Scenario, SimTenant};

use super::{secrets, synchronize};
use crate::{
    faults::{
        points::{Point, is_write, record_in, uniform},
        sweeps::{HELD, ON_WRITES, RepeatedFault},
    },
    support::{Background, Lab, print},
};

/// A part of a rotation.
struct Part {
    /// What comes before it.
    before: &'static [&'static [&'static str]],
    args: &'static [&'static str],
    /// The state that it leads to, and the secrets that are left.
    state: &'static str,
    secrets: &'static [&'static str],
    /// So many points at least, so that the sweep cannot shrink unnoticed.
    least: usize,
}

const APPLY: &[&str] = &["apply", "rotation.json", "--yes"];
const FINALIZE: &[&str] = &["finalize", "--all", "--yes"];
const PURGE: &[&str] = &["finalize", "--all", "--purge", "--yes"];
const ROLLBACK: &[&str] = &["rollback", "--all", "--yes"];

const PARTS: [Part; 5] = [
    Part { before: &[], args: APPLY, state: "swapped", secrets: &["ACTIVE", "ACTIVE"], least: 3 },
    Part { before: &[APPLY], args: FINALIZE, state: "retired", secrets: &["INACTIVE", "ACTIVE"], least: 1 },
    Part { before: &[APPLY, FINALIZE], args: PURGE, state: "finalized", secrets: &["ACTIVE"], least: 1 },
    Part { before: &[APPLY], args: ROLLBACK, state: "retired", secrets: &["ACTIVE", "INACTIVE"], least: 3 },
    Part { before: &[APPLY, FINALIZE], args: ROLLBACK, state: "retired", secrets: &["ACTIVE", "INACTIVE"], least: 4 },
];

#[test]
fn faults_at_the_writes_of_a_rotation() {
    let cases: usize =
        PARTS.iter().map(|part| sweep(part, is_change, ON_WRITES, |lab, part| drop(lab.run(part.args)))).sum();
    print(&format!("rotation: {cases} faults at writes; healed 100 %; directories without a secret that works 0"));
}

#[test]
fn a_crash_at_every_request_of_a_rotation() {
    let cases: usize = PARTS.iter().map(|part| sweep(part, |_| true, HELD, kill_when_all_are_held)).sum();
    print(&format!("rotation: {cases} crashes at requests; healed 100 %; directories without a secret that works 0"));
}

fn kill_when_all_are_held(lab: &Lab, part: &Part) {
    let mut running = Background::start(lab.dir(), part.args);
    running.await_faults(lab);
    running.kill();
    running.finish().expect(-9);
}

/// Whether a request changes an org or a directory. A token changes neither.
fn is_change(exchange: &Exchange) -> bool {
    is_write(exchange) && !exchange.path_and_query.contains("/token")
}

/// Brings so many tenants to where the part begins, and returns them.
fn prepare(lab: &Lab, part: &Part, count: usize) -> Vec<SimTenant> {
    let ready = lab.sim.tenants().into_iter().filter(|tenant| tenant.scenario == Scenario::Ready);
    let tenants: Vec<SimTenant> = ready.take(count).collect();
    let names = tenants.iter().map(|tenant| tenant.name.as_str());
    lab.run(&["plan", "-o", "plan.json", "-q"].into_iter().chain(names).collect::<Vec<_>>()).expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(FINALIZE).expect(0);
    lab.run(&["rotate", "--state", "retired", "-o", "rotation.json"]).expect(0);
    for args in part.before {
        lab.run(args).expect(0);
    }
    tenants
}

/// Hits each tenant with another fault, and then runs the same command again without faults. Returns the number of cases.
fn sweep(part: &Part, fits: fn(&Exchange) -> bool, strikes: &[RepeatedFault], begin: impl Fn(&Lab, &Part)) -> usize {
    let points = {
        let lab = Lab::new(uniform(1).record(true));
        prepare(&lab, part, 1);
        record_in(&lab, part.args, fits)
    };
    assert!(points.len() >= part.least, "only {} points: {points:#?}", points.len());
    let cases: Vec<(&Point, &RepeatedFault)> =
        points.iter().flat_map(|point| strikes.iter().map(move |strike| (point, strike))).collect();
    let lab = Lab::new(uniform(cases.len()));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1000\nmax_failures = 1000\n"));
    let tenants = prepare(&lab, part, cases.len());
    for ((point, (kind, times)), tenant) in cases.iter().zip(&tenants) {
        lab.sim.add_fault(point.fault(&lab, tenant, kind.clone(), *times));
    }
    begin(&lab, part);
    let idle = cases.iter().zip(lab.sim.faults()).filter(|(_, report)| report.fired == 0);
    let idle: Vec<String> = idle.map(|((point, strike), _)| format!("{strike:?} at {}", point.name())).collect();
    assert!(idle.is_empty(), "{:?}: these faults did not occur: {idle:#?}", part.args);
    lab.sim.clear_faults();

    let second = lab.run(part.args).expect(0);
    for ((point, strike), tenant) in cases.iter().zip(&tenants) {
        let left: Vec<String> = secrets(&lab, &tenant.name).into_iter().map(|(_, status)| status).collect();
        let case = format!("{:?}: {strike:?} at {}: {}", part.args, point.name(), second.show());
        assert_eq!(left, part.secrets, "{case}");
        assert!(lab.in_state(part.state).contains(&tenant.name), "{case}");
    }
    synchronize(&lab, &tenants);
    lab.run(&["secret", "verify"]).expect(0);
    cases.len()
}
