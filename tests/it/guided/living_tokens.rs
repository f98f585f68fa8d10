//! Facts that the log does not show: a token that is cached for its hour, an event that has not arrived, a sign-in or a
//! test that was not submitted. In none of these cases does flowswap delete or retire a client that a directory needs.

use std::time::Duration;

use flowswap_sim::SimTenant;
use jiff::SignedDuration;

use super::{
    MINUTE, UNTIL_TOKENS_EXPIRED, let_sync, only,
    person::{Form, reconnect},
    waiting, waiting_in, world,
};
use crate::support::Lab;

fn act(lab: &Lab, tenant: &SimTenant, form: &Form) {
    reconnect(lab, tenant, &tenant.directory_id, form);
}

/// Confirms every waiting tenant, rightly or not, and continues the plan. Ignores the exit codes; the caller checks the
/// result.
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
    let_sync(lab, UNTIL_TOKENS_EXPIRED);
    go_on(lab);
    assert_eq!(lab.in_state("swapped"), [tenant.name.as_str()], "{}", lab.run(&["evidence", &tenant.name]).stdout);
}

/// Asserts that the client that the directory uses exists and is active.
#[track_caller]
fn expect_alive(lab: &Lab, tenant: &SimTenant) {
    let connected = lab.directory(tenant).client_id;
    let org = lab.org(tenant);
    let is_service = org.service_clients.iter().any(|client| client.id == connected);
    let is_legacy = org.legacy.iter().any(|client| client.client_id == connected && client.status == "ACTIVE");
    assert!(is_service || is_legacy, "the directory uses client {connected}, which no longer exists");
}

/// Two tests of the old flow look like two syncs, except for the sign-in before each.
#[test]
fn two_sign_ins_without_submit_do_not_count_as_a_rollback() {
    let lab = waiting(1);
    let tenant = only(&lab);
    swap(&lab, &tenant);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    // The directory requests no tokens meanwhile, as if it cached them or their events were late.
    lab.sim.clock().advance(Duration::from_secs(1));
    let back = Form { submits: false, ..Form::back(&lab, &tenant) };
    act(&lab, &tenant, &back);
    lab.sim.clock().advance(2 * MINUTE);
    act(&lab, &tenant, &back);
    let told = lab.run(&["confirm", "acme"]).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"], "{}", told.stdout);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1);
    expect_alive(&lab, &tenant);
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
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
fn a_directory_that_caches_its_tokens_is_migrated_and_rolled_back() {
    let lab = waiting_in(world(1).cached_tokens(true));
    let tenant = only(&lab);
    // The legacy client's token is some minutes old and in use.
    let_sync(&lab, 2);
    act(&lab, &tenant, &Form::right(&lab, &tenant));
    go_on(&lab);
    let_sync(&lab, 3);
    go_on(&lab);
    assert_eq!(lab.in_state("soaking"), ["acme"], "no token has expired yet");
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
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
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "one token of the legacy client is not enough");
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    let back = lab.run(&["confirm", "acme"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{}", back.stdout);
    assert!(lab.org(&tenant).service_clients.is_empty());
    expect_alive(&lab, &tenant);
}

/// The legacy client is silent for an hour although the directory still uses it, so the tenant looks swapped. Even if
/// the org's clock is wrong, the token of the connection test must not count as the token of a sync.
#[test]
fn a_test_without_submit_never_counts_as_a_swap() {
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

/// The directory uses the new client, the log does not show it yet, and a person confirms the rollback.
#[test]
fn a_false_confirmation_and_a_late_log_delete_no_client_in_use() {
    let lab = waiting_in(world(1).log_delay(4 * MINUTE));
    let tenant = only(&lab);
    // By now the log shows the requests that flowswap itself made as the client.
    let_sync(&lab, 1);
    act(&lab, &tenant, &Form::right(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    for _ in 0..3 {
        let back = lab.run(&["confirm", "acme"]).expect(4);
        assert_eq!(lab.in_state("waiting"), ["acme"], "{}", back.show());
        lab.sim.clock().advance(MINUTE);
    }
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    lab.run(&["confirm", "acme"]).expect(4);
    expect_alive(&lab, &tenant);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "the directory uses this client");
}

/// The log does not show the reconnect yet when a person confirms it, nor when somebody starts a rollback.
#[test]
fn late_events_delete_no_client_in_use() {
    let lab = waiting_in(world(1).log_delay(4 * MINUTE));
    let tenant = only(&lab);
    act(&lab, &tenant, &Form::right(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"], "no event has arrived");
    let _ = lab.run(&["rollback", "acme", "--yes"]);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "the directory uses this client");
    expect_alive(&lab, &tenant);
    let_sync(&lab, 3);
    let _ = lab.run(&["rollback", "acme", "--yes"]);
    expect_alive(&lab, &tenant);
}
