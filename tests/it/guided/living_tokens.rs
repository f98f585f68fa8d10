//! What the log does not show: a token that is kept for its hour, an event that has not arrived, a sign-in or a test that
//! nobody submitted. Nothing that a directory needs is deleted or retired by such appearances.

use std::time::Duration;

use flowswap_sim::SimTenant;
use jiff::SignedDuration;

use super::{
    MINUTE, OUTLIVED, let_sync, only,
    person::{Form, reconnect},
    waiting, waiting_in, world,
};
use crate::support::Lab;

fn act(lab: &Lab, tenant: &SimTenant, form: &Form) {
    reconnect(lab, tenant, &tenant.directory_id, form);
}

/// Whoever was asked says that it is done, rightly or not, and whatever waits for nobody goes on. However it ends: what came of it
/// is looked at afterwards.
fn go_on(lab: &Lab) {
    for tenant in lab.in_state("waiting") {
        let _ = lab.run(&["confirm", &tenant]);
    }
    let _ = lab.run(&["apply", "plan.json", "--yes"]);
}

#[track_caller]
fn swap(lab: &Lab, tenant: &SimTenant) {
    act(lab, tenant, &Form::right(lab, tenant));
    go_on(lab);
    let_sync(lab, OUTLIVED);
    go_on(lab);
    assert_eq!(lab.in_state("swapped"), [tenant.name.as_str()], "{}", lab.run(&["evidence", &tenant.name]).stdout);
}

/// The directory gets tokens as the client that it is connected as, and that client is there.
#[track_caller]
fn expect_alive(lab: &Lab, tenant: &SimTenant) {
    let connected = lab.directory(tenant).client_id;
    let org = lab.org(tenant);
    let is_service = org.service_clients.iter().any(|client| client.id == connected);
    let is_legacy = org.legacy.iter().any(|client| client.client_id == connected && client.status == "ACTIVE");
    assert!(is_service || is_legacy, "the directory is connected as {connected}, which is gone");
}

/// Two tests of the old flow look like two syncs but for the sign-in before each.
#[test]
fn two_sign_ins_without_submit_are_no_way_back() {
    let lab = waiting(1);
    let tenant = only(&lab);
    swap(&lab, &tenant);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    // The directory's own tokens stay away meanwhile, as if they were kept or their events late.
    lab.sim.clock().advance(Duration::from_secs(1));
    let back = Form { submits: false, ..Form::back(&lab, &tenant) };
    act(&lab, &tenant, &back);
    lab.sim.clock().advance(2 * MINUTE);
    act(&lab, &tenant, &back);
    let told = lab.run(&["confirm", "acme"]).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"], "{}", told.stdout);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1);
    expect_alive(&lab, &tenant);
    let_sync(&lab, OUTLIVED);
    lab.run(&["confirm", "acme"]).expect(4);
    expect_alive(&lab, &tenant);
}

#[test]
fn a_late_submit_recovers() {
    let lab = waiting(1);
    let tenant = only(&lab);
    act(&lab, &tenant, &Form { submits: false, ..Form::right(&lab, &tenant) });
    go_on(&lab);
    let_sync(&lab, 3);
    go_on(&lab);
    assert!(lab.in_state("swapped").is_empty());
    let found = lab.run(&["evidence", "acme"]).expect(0);
    assert!(found.stdout.contains("legacy-still-active"), "{}", found.stdout);
    swap(&lab, &tenant);
}

#[test]
fn a_directory_that_keeps_its_tokens_goes_there_and_back() {
    let lab = waiting_in(world(1).cached_tokens(true));
    let tenant = only(&lab);
    // The legacy client's token is some minutes old, and in use.
    let_sync(&lab, 2);
    act(&lab, &tenant, &Form::right(&lab, &tenant));
    go_on(&lab);
    let_sync(&lab, 3);
    go_on(&lab);
    assert_eq!(lab.in_state("soaking"), ["acme"], "no token has been outlived");
    let_sync(&lab, OUTLIVED);
    go_on(&lab);
    assert_eq!(lab.in_state("swapped"), ["acme"], "{}", lab.run(&["evidence", "acme"]).stdout);

    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    act(&lab, &tenant, &Form { submits: false, ..Form::back(&lab, &tenant) });
    let_sync(&lab, 2);
    lab.run(&["confirm", "acme"]).expect(4);
    expect_alive(&lab, &tenant);
    act(&lab, &tenant, &Form::back(&lab, &tenant));
    let_sync(&lab, 3);
    lab.run(&["confirm", "acme"]).expect(4);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "one token of the legacy client is no proof");
    let_sync(&lab, OUTLIVED);
    let back = lab.run(&["confirm", "acme"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{}", back.stdout);
    assert!(lab.org(&tenant).service_clients.is_empty());
    expect_alive(&lab, &tenant);
}

/// The legacy client is silent for an hour although the directory is connected as it, and looks like a swapped one. Whatever the
/// org's clock says, the token of the test is never a sync's.
#[test]
fn a_test_without_submit_is_never_a_swap_however_long_one_waits() {
    for ahead in [15, -15] {
        let ahead = SignedDuration::from_mins(ahead);
        let lab = waiting_in(world(1).cached_tokens(true).skew("acme.okta.test", ahead));
        let tenant = only(&lab);
        let_sync(&lab, 1);
        act(&lab, &tenant, &Form { submits: false, ..Form::right(&lab, &tenant) });
        for _ in 0..15 {
            go_on(&lab);
            assert!(lab.in_state("swapped").is_empty(), "{ahead}: {}", lab.run(&["evidence", "acme"]).stdout);
            let_sync(&lab, 2);
        }
        let _ = lab.run(&["finalize", "acme", "--yes"]);
        assert_eq!(lab.org(&tenant).legacy[0].status, "ACTIVE", "{ahead}");
        expect_alive(&lab, &tenant);
    }
}

/// The directory is connected as the new client, the log does not show it yet, and somebody says that all is as before.
#[test]
fn a_false_word_and_a_late_log_delete_no_client_that_is_in_use() {
    let lab = waiting_in(world(1).log_delay(4 * MINUTE));
    let tenant = only(&lab);
    // By now the log shows what flowswap itself did as the client.
    let_sync(&lab, 1);
    act(&lab, &tenant, &Form::right(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    for _ in 0..3 {
        let back = lab.run(&["confirm", "acme"]).expect(4);
        assert_eq!(lab.in_state("waiting"), ["acme"], "{}", back.show());
        lab.sim.clock().advance(MINUTE);
    }
    let_sync(&lab, OUTLIVED);
    lab.run(&["confirm", "acme"]).expect(4);
    expect_alive(&lab, &tenant);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "the directory is connected as it");
}

/// What was done is not in the log yet when somebody says so, and when somebody takes it back meanwhile.
#[test]
fn events_that_come_late_delete_no_client_that_is_in_use() {
    let lab = waiting_in(world(1).log_delay(4 * MINUTE));
    let tenant = only(&lab);
    act(&lab, &tenant, &Form::right(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"], "no event has arrived");
    let _ = lab.run(&["rollback", "acme", "--yes"]);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "the directory is connected as it");
    expect_alive(&lab, &tenant);
    let_sync(&lab, 3);
    let _ = lab.run(&["rollback", "acme", "--yes"]);
    expect_alive(&lab, &tenant);
}
