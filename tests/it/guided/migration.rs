//! The way of tenants whose directories a person reconnects: forward with proof, and back.

use super::{
    let_sync, only,
    person::{Form, reconnect},
    waiting,
};

#[test]
fn a_person_reconnects_and_both_sides_prove_it() {
    let lab = waiting(1);
    let tenant = only(&lab);
    // Nothing has happened, and nothing is claimed.
    let again = lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert!(again.stdout.contains("a person must act"), "{}", again.stdout);

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    let soaking = lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("soaking"), ["acme"], "{}", soaking.stdout);
    let_sync(&lab, 1);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("soaking"), ["acme"], "one sync is no proof");
    let_sync(&lab, 1);
    let done = lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"], "{}{}", done.stdout, done.stderr);

    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("retired"), ["acme"]);
    lab.audit(1);
}

#[test]
fn a_person_takes_a_tenant_back() {
    let lab = waiting(1);
    let tenant = only(&lab);
    let before = lab.directory(&tenant);
    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let_sync(&lab, 3);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"]);
    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    assert_eq!(lab.org(&tenant).legacy[0].status, "INACTIVE");

    // The legacy client is active again before the person is asked.
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    assert_eq!(
        (lab.in_state("waiting"), lab.org(&tenant).legacy[0].status.as_str()),
        (vec!["acme".to_owned()], "ACTIVE")
    );
    // A sign-in alone is not the way back.
    reconnect(&lab, &tenant, &tenant.directory_id, &Form { submits: false, ..Form::back(&lab, &tenant) });
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let_sync(&lab, 1);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "the directory needs it");

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::back(&lab, &tenant));
    let_sync(&lab, 2);
    let back = lab.run(&["rollback", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{}{}", back.stdout, back.stderr);
    assert!(lab.org(&tenant).service_clients.is_empty());
    let after = lab.directory(&tenant);
    assert_eq!((after.flow, after.client_id), (before.flow, before.client_id));
}
