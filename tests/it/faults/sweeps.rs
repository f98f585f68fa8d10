//! Every fault at every point of a run. After any of them, running the same command again brings the tenant to its goal
//! with one client, one secret, and one submit, as if nothing had happened.

use flowswap_sim::{Exchange, FaultKind, Scenario, SimTenant, diff};
use serde_json::Value;

use super::points::{Point, Run, is_write, record, uniform};
use crate::{
    crash::judge::connection_agrees,
    support::{Background, Lab, Output, print},
};

/// A fault, and how many requests in a row it affects.
pub(crate) type RepeatedFault = (FaultKind, u32);

const DROP_BEFORE: RepeatedFault = (FaultKind::DropBefore, 1);
const DROP_AFTER_COMMIT: RepeatedFault = (FaultKind::DropAfterCommit, 1);
const UNAVAILABLE: RepeatedFault = (FaultKind::Status { status: 503 }, 1);
const BROKEN: RepeatedFault = (FaultKind::Status { status: 500 }, 1);
const TOO_MANY: RepeatedFault = (FaultKind::TooManyRequests { reset_seconds: 1 }, 1);
/// As many times as one run tries a step.
const UNAVAILABLE_AGAIN: RepeatedFault = (FaultKind::Status { status: 503 }, 3);
/// As many times as the host tries a read, so that the plugin sees the error.
const UNAVAILABLE_FOR_LONG: RepeatedFault = (FaultKind::Status { status: 503 }, 5);
const BROKEN_AFTER_COMMIT: RepeatedFault = (FaultKind::StatusAfterCommit { status: 500 }, 1);
const CUT: RepeatedFault = (FaultKind::CutBody { milliseconds: 0 }, 1);
/// Several in a row, until the rate-limit window is over.
const STORM: RepeatedFault = (FaultKind::TooManyRequests { reset_seconds: 1 }, 6);

/// Longer than any test, so the request is still waiting when the binary is killed or gives up.
const FOR_EVER: u64 = 600_000;
const NEVER: RepeatedFault = (FaultKind::Delay { milliseconds: FOR_EVER }, 1);
const NEVER_ANSWERED: RepeatedFault = (FaultKind::DelayAfterCommit { milliseconds: FOR_EVER }, 1);
const HALF_ANSWERED: RepeatedFault = (FaultKind::CutBody { milliseconds: FOR_EVER }, 1);

pub(crate) const ON_WRITES: &[RepeatedFault] = &[
    DROP_BEFORE,
    DROP_AFTER_COMMIT,
    UNAVAILABLE,
    BROKEN,
    BROKEN_AFTER_COMMIT,
    CUT,
    TOO_MANY,
    STORM,
    UNAVAILABLE_AGAIN,
];
const ON_READS: &[RepeatedFault] = &[DROP_BEFORE, UNAVAILABLE, BROKEN, CUT, TOO_MANY, STORM, UNAVAILABLE_FOR_LONG];
/// Holds a request before it is carried out, after that, and in the middle of the answer.
pub(crate) const HELD: &[RepeatedFault] = &[NEVER, NEVER_ANSWERED, HALF_ANSWERED];

#[test]
fn faults_at_the_writes_of_an_apply() {
    sweep(Run::Forward, is_write, ON_WRITES, 4);
}

#[test]
fn faults_at_the_reads_of_an_apply() {
    sweep(Run::Forward, |exchange| !is_write(exchange), ON_READS, 13);
}

#[test]
fn faults_at_the_writes_of_a_rollback() {
    sweep(Run::Back, is_write, ON_WRITES, 2);
}

#[test]
fn faults_at_the_reads_of_a_rollback() {
    sweep(Run::Back, |exchange| !is_write(exchange), ON_READS, 3);
}

#[test]
fn faults_when_the_legacy_client_is_retired() {
    sweep(Run::Retire, is_write, ON_WRITES, 1);
}

#[test]
fn faults_when_the_legacy_client_is_purged() {
    sweep(Run::Purge, is_write, ON_WRITES, 1);
}

#[test]
fn faults_when_a_client_whose_secret_was_lost_gets_another() {
    sweep(Run::Recovery, is_about_secrets, ON_WRITES, 4);
}

#[test]
fn a_crash_when_a_client_whose_secret_was_lost_gets_another() {
    crash(Run::Recovery, is_about_secrets, 4);
}

fn is_about_secrets(exchange: &Exchange) -> bool {
    exchange.path_and_query.contains("/credentials/secrets")
}

#[test]
fn a_crash_at_every_request_of_an_apply() {
    crash(Run::Forward, |_| true, 17);
}

#[test]
fn a_crash_at_every_request_of_a_rollback() {
    crash(Run::Back, |_| true, 5);
}

#[test]
fn a_crash_when_the_legacy_client_is_retired_and_purged() {
    crash(Run::Retire, |_| true, 4);
    crash(Run::Purge, |_| true, 4);
}

#[test]
fn answers_that_come_too_late() {
    let begun = |lab: &Lab, run: Run| {
        let (short, usual) = ("[network]\ntimeout = \"10s\"\n", "[network]\n");
        lab.edit_config(|text| text.replace(usual, short));
        let output = lab.run(run.args());
        lab.edit_config(|text| text.replace(short, usual));
        output
    };
    for (run, least) in [(Run::Forward, 17), (Run::Back, 5)] {
        sweep_by(run, |_| true, &[NEVER, NEVER_ANSWERED], least, begun);
    }
}

/// Runs the command with a fault for each tenant, then again without faults. `least` is the minimum number of points,
/// so that the sweep cannot shrink unnoticed.
#[track_caller]
fn sweep(run: Run, fits: impl Fn(&Exchange) -> bool, strikes: &[RepeatedFault], least: usize) {
    sweep_by(run, fits, strikes, least, |lab, run| lab.run(run.args()));
}

/// Kills the command while a different request of every tenant is held.
#[track_caller]
fn crash(run: Run, fits: impl Fn(&Exchange) -> bool, least: usize) {
    let cases = sweep_by(run, fits, HELD, least, |lab, run| kill_when_all_are_held(lab, run).expect(-9));
    let line = format!(
        "crash points: {cases} requests of {run:?}, not carried out, carried out or half answered; healed 100 %"
    );
    print(&line);
}

#[track_caller]
fn sweep_by(
    run: Run,
    fits: impl Fn(&Exchange) -> bool,
    strikes: &[RepeatedFault],
    least: usize,
    begin: impl Fn(&Lab, Run) -> Output,
) -> usize {
    let points = record(run, fits);
    assert!(points.len() >= least, "only {} points: {points:#?}", points.len());
    let cases: Vec<(&Point, &RepeatedFault)> =
        points.iter().flat_map(|point| strikes.iter().map(move |strike| (point, strike))).collect();
    let lab = Lab::new(uniform(cases.len()));
    // All tenants at once; no number of failures stops the run from starting others.
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1000\nmax_failures = 1000\n"));
    let ready = lab.sim.tenants().into_iter().filter(|tenant| tenant.scenario == Scenario::Ready);
    let tenants: Vec<SimTenant> = ready.take(cases.len()).collect();
    let names: Vec<String> = tenants.iter().map(|tenant| tenant.name.clone()).collect();
    let before = lab.sim.snapshot();
    run.prepare(&lab, &names);
    let others = lab.sim.faults().len();
    for ((point, (kind, times)), tenant) in cases.iter().zip(&tenants) {
        lab.sim.add_fault(point.fault(&lab, tenant, kind.clone(), *times));
    }
    let first = begin(&lab, run);
    let idle: Vec<String> = cases
        .iter()
        .zip(&lab.sim.faults()[others..])
        .filter(|(_, report)| report.fired == 0)
        .map(|((point, strike), _)| format!("{strike:?} at {}", point.name()))
        .collect();
    assert!(idle.is_empty(), "these faults did not occur: {idle:#?}\n{}", first.stderr);

    // If many tenants fail in the same way at once, flowswap repeats fewer requests, and faults are left.
    lab.sim.clear_faults();
    let second = lab.run(run.args());
    let now = lab.sim.snapshot();
    let mut failures = String::new();
    for ((point, strike), tenant) in cases.iter().zip(&tenants) {
        let problems = judge(run, &lab, tenant, &before, &now);
        if !problems.is_empty() {
            let told = |text: &str| -> String {
                text.lines().filter(|line| line.starts_with(&tenant.name)).map(|line| format!("    {line}\n")).collect()
            };
            failures += &format!("{strike:?} at {}: {problems:#?}\n", point.name());
            failures += &format!("  first:\n{}  second:\n{}", told(&first.stderr), told(&second.stderr));
        }
    }
    assert!(failures.is_empty(), "{failures}");
    second.expect(0);
    if run != Run::Back {
        let made: Vec<usize> = tenants.iter().map(|tenant| lab.clients_made(tenant)).collect();
        assert_eq!(made, vec![1; tenants.len()], "a client was made twice");
    }
    lab.audit(if run == Run::Back { 0 } else { tenants.len() });
    cases.len()
}

/// Starts the command, waits until a fault holds every tenant, and kills the process.
fn kill_when_all_are_held(lab: &Lab, run: Run) -> Output {
    let mut running = Background::start(lab.dir(), run.args());
    running.await_faults(lab);
    running.kill();
    running.finish()
}

/// What is wrong with a tenant after the run has succeeded.
fn judge(run: Run, lab: &Lab, tenant: &SimTenant, before: &Value, now: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    if run == Run::Back {
        let is_ours = |line: &String| line.contains(&tenant.domain) || line.contains(&tenant.directory_id);
        problems.extend(diff(before, now).into_iter().filter(is_ours));
        return problems;
    }
    let (org, directory) = (lab.org(tenant), lab.directory(tenant));
    let [client] = org.service_clients.as_slice() else {
        return vec![format!("{} service clients", org.service_clients.len())];
    };
    let mut expect = |what: &str, is: String, expected: &str| {
        if is != expected {
            problems.push(format!("{what} is {is}, and not {expected}"));
        }
    };
    expect("the directory's client", directory.client_id.clone(), &client.id);
    expect("the directory's flow", directory.flow.clone(), "client_credentials");
    expect("the number of submits", directory.submits.to_string(), "1");
    // Inactive secrets count too, because no unknown secret may remain.
    let secrets = now["orgs"][&org.domain]["service_clients"][&client.id]["secrets"].as_object().unwrap().len();
    expect("the number of secrets", secrets.to_string(), "1");
    let legacy: Vec<&str> = org.legacy.iter().map(|legacy| legacy.status.as_str()).collect();
    let expected = match run {
        Run::Forward | Run::Recovery | Run::Back => "ACTIVE",
        Run::Retire => "INACTIVE",
        Run::Purge => "",
    };
    expect("the legacy client", legacy.join(" "), expected);
    problems.extend(connection_agrees(now, tenant).err());
    problems
}
