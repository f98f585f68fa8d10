//! The way of tenants whose directories a person reconnects: forward with proof, and back.

use super::{
    OUTLIVED, lab, let_sync, only,
    person::{Form, reconnect, service_client},
    waiting,
};
use crate::support::{command, terminal::Terminal};

#[test]
fn a_person_reconnects_and_both_sides_prove_it() {
    let lab = waiting(1);
    let tenant = only(&lab);
    // Nothing has happened, and nothing is claimed.
    let again = lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert!(again.stdout.contains("a person must act"), "{}", again.stdout);

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    // A test of the connection looks the same in the log; whoever carried the sheet out to its end says so.
    let noticed = lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert!(
        noticed.stdout.contains("`flowswap confirm acme` says that the sheet was carried out"),
        "{}",
        noticed.stdout
    );
    assert!(lab.json(&["status"], 0)["tenants"][0]["awaited"]["earliest"].is_string());
    let soaking = lab.run(&["confirm", "acme"]).expect(4);
    assert_eq!(lab.in_state("soaking"), ["acme"], "{}", soaking.stdout);
    let_sync(&lab, 1);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("soaking"), ["acme"], "one sync is no proof");
    let_sync(&lab, 1);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("soaking"), ["acme"], "the old token may be in use");
    let_sync(&lab, OUTLIVED);
    let done = lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"], "{}{}", done.stdout, done.stderr);

    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("retired"), ["acme"]);
    lab.audit(1);
}

/// Somebody at the terminal is told by itself that the new client's first token was seen. Test Connection gets one, too, so
/// that is not the end of the sheet.
#[test]
fn what_was_done_is_noticed_by_itself() {
    let lab = lab(1);
    let tenant = only(&lab);
    lab.plan().expect(0);
    let mut screen = Terminal::start(command(lab.dir(), &["apply", "plan.json", "--yes", "--interactive"]));
    screen.await_words("Press “Submit”");
    screen.await_words("flowswap decline acme");
    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    screen.await_words("gets tokens as the service client");
    screen.await_words("go on with the sheet to its end");
    screen.enter("d");
    let (code, seen) = screen.finish();
    assert_eq!(code, 4, "{seen}");
    assert_eq!(lab.in_state("soaking"), ["acme"]);
}

/// A wrong move is not the end: the sheet and the secret stay at hand until the tenant is back, and the move is made again.
#[test]
fn what_was_done_wrongly_is_done_again_by_the_same_sheet() {
    let lab = waiting(1);
    let tenant = only(&lab);
    let wrong = Form { name: "corporate".to_owned(), ..Form::right(&lab, &tenant) };
    reconnect(&lab, &tenant, &tenant.directory_id, &wrong);
    let told = lab.run(&["confirm", "acme"]).expect(3);
    assert!(told.stdout.contains("`flowswap explain directory-renamed`"), "{}", told.stdout);
    let stuck = lab.run(&["stuck"]).expect(0);
    assert!(stuck.stdout.contains("acme is not there any more, and corporate is"), "{}", stuck.stdout);
    let sheet = lab.run(&["sheet", "acme"]).expect(0);
    assert!(
        sheet.stdout.contains("this was seen to be done; once it is put right: flowswap apply "),
        "{}",
        sheet.stdout
    );
    let args = ["secret", "copy", "acme", "--print"];
    let (code, screen) = Terminal::start(command(lab.dir(), &args)).finish();
    assert_eq!((code, screen.trim()), (0, service_client(&lab, &tenant).1.as_str()));

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("soaking"), ["acme"]);
    let_sync(&lab, OUTLIVED);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"]);
}

#[test]
fn a_person_takes_a_tenant_back() {
    let lab = waiting(1);
    let tenant = only(&lab);
    let before = lab.directory(&tenant);
    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    let_sync(&lab, OUTLIVED);
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
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "its token may be in use");
    let_sync(&lab, OUTLIVED);
    let back = lab.run(&["confirm", "acme"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{}{}", back.stdout, back.stderr);
    assert!(lab.org(&tenant).service_clients.is_empty());
    let after = lab.directory(&tenant);
    assert_eq!((after.flow, after.client_id), (before.flow, before.client_id));
}
