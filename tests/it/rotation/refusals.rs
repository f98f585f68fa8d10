//! What must not be rotated, and plans of rotations that are out of date.

use super::{ALWAYS, retired_lab, secrets};
use crate::support::Lab;

#[test]
fn only_a_finalized_tenant_is_rotated() {
    let lab = Lab::with_tenants(1);
    let plan = |code| lab.run(&["rotate", "acme", "-o", "rotation.json", "--force"]).expect(code).stdout;
    assert!(plan(4).contains("not-migrated"));
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert!(plan(4).contains("work-unfinished"));
    lab.outlive_tokens();
    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    assert!(plan(0).contains("ready"));
    lab.run(&["apply", "rotation.json", "--yes"]).expect(0);
    let second = lab.run(&["rotate", "acme", "-o", "second.json"]).expect(4);
    assert!(second.stdout.contains("work-unfinished"), "{}", second.stdout);
}

/// Of two plans, the second is made for a tenant as it is before the first is carried out.
#[test]
fn a_plan_from_before_another_rotation_is_refused() {
    let lab = retired_lab(1, ALWAYS);
    lab.run(&["rotate", "acme", "-o", "one.json"]).expect(0);
    lab.run(&["rotate", "acme", "-o", "two.json"]).expect(0);
    lab.run(&["apply", "one.json", "--yes"]).expect(0);
    let busy = lab.run(&["apply", "two.json", "--yes"]).expect(6);
    assert!(busy.stdout.contains("its client secret cannot be rotated while the tenant is swapped"), "{}", busy.stdout);
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    let late = lab.run(&["apply", "two.json", "--yes"]).expect(6);
    assert!(late.stdout.contains("rolled back after plan"), "{}", late.stdout);
    assert_eq!(secrets(&lab, "acme").len(), 2, "no third attempt was made");
}

#[test]
fn a_secret_that_is_needed_or_unknown_is_not_dropped() {
    let lab = retired_lab(2, ALWAYS);
    let (only, _) = secrets(&lab, "acme")[0].clone();
    for (drop, why) in
        [(only.as_str(), "has room for another secret"), ("ocsUNKNOWN", "has no client secret `ocsUNKNOWN`")]
    {
        let output = lab.run(&["rotate", "acme", "--drop", drop, "-o", "rotation.json"]).expect(4);
        assert!(output.stdout.contains(why), "{}", output.stdout);
    }
    let both = lab.run(&["rotate", "--drop", &only]).expect(2);
    assert!(
        both.stderr.contains("`--drop` names a secret of one tenant, but 2 tenants are selected"),
        "{}",
        both.stderr
    );
}

/// Nobody answers the question here, so nothing happens.
#[test]
fn a_rotation_asks_before_it_begins() {
    let lab = retired_lab(1, ALWAYS);
    lab.run(&["rotate", "acme", "-o", "rotation.json"]).expect(0);
    let output = lab.run(&["apply", "rotation.json"]).expect(2);
    assert!(output.stderr.contains("cannot ask for confirmation"), "{}", output.show());
    assert_eq!(secrets(&lab, "acme").len(), 1);
}
