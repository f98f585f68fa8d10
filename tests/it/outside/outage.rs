//! A cause that affects a whole fleet is reported once, and no request is repeated for every tenant.

use flowswap_sim::{Fault, SimConfig};

use super::answers::portal;
use crate::support::{Lab, Output};

const TENANTS: usize = 300;

/// The maximum number of lines for one cause.
const LINES: usize = 30;

#[track_caller]
fn expect_one_cause(output: &Output, cause: &str) {
    let said = format!("{}{}", output.stdout, output.stderr);
    let lines = said.lines().count();
    assert!(lines <= LINES, "{lines} lines:\n{}", output.show());
    assert!(said.contains(cause), "{}", output.show());
    assert!(said.contains(&TENANTS.to_string()), "the number of tenants is missing: {}", output.show());
}

#[test]
fn a_portal_in_front_of_three_hundred_tenants_is_reported_once() {
    let lab = Lab::new(SimConfig::default().tenants(TENANTS).record(true));
    let (method, path, query) = (None, String::new(), String::new());
    lab.sim.add_fault(Fault { host: "*".to_owned(), method, path, query, kind: portal(), times: 0, skip: 0 });
    expect_one_cause(
        &lab.run(&["check", "--progress", "none"]).expect(3),
        "something between this machine and … answered",
    );
    // Four requests to an org and one to its directory; no request is repeated.
    let asked = lab.sim.traffic().len();
    assert!(asked <= 5 * TENANTS, "{asked} requests for {TENANTS} tenants");
    expect_one_cause(
        &lab.run(&["detect", "--progress", "none"]).expect(4),
        "something between this machine and … answered",
    );
}

#[test]
fn three_hundred_unreachable_tenants_are_reported_once() {
    let lab = Lab::with_tenants(TENANTS);
    let address = lab.sim.addr().to_string();
    lab.edit_config(|text| text.replace(&address, "127.0.0.1:1"));
    expect_one_cause(&lab.run(&["check", "--progress", "none"]).expect(3), "connection refused");
    expect_one_cause(&lab.run(&["detect", "--progress", "none"]).expect(4), "connection refused");
}
