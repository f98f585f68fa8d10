//! Tenants whose directories a person reconnects: the migration with its proof, and the rollback.

use super::{
    UNTIL_TOKENS_EXPIRED, lab, let_sync, only,
    person::{Form, reconnect, service_client},
    waiting,
};
use crate::support::{command, terminal::Terminal};

#[test]
fn a_person_reconnects_and_both_sides_prove_it() {
    let lab = waiting(1);
    let tenant = only(&lab);
    // Nothing has happened, and nobody has confirmed anything.
    let again = lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert!(again.stdout.contains("a person must act"), "{}", again.stdout);

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    // A connection test looks the same in the log, so the person must confirm that the sheet was followed to its end.
    let noticed = lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert!(
        noticed.stdout.contains("If you have finished the run sheet, run `flowswap confirm acme`"),
        "{}",
        noticed.stdout
    );
    let listed = lab.json(&["next"], 0);
    let expect = serde_json::json!(["flowswap sheet acme", "flowswap confirm acme"]);
    assert_eq!((&listed["tenants"][0]["kind"], &listed["tenants"][0]["next"]), (&"confirm".into(), &expect));
    assert!(lab.json(&["status"], 0)["tenants"][0]["awaited"]["earliest"].is_string());
    let soaking = lab.run(&["confirm", "acme"]).expect(4);
    assert_eq!(lab.in_state("soaking"), ["acme"], "{}", soaking.stdout);
    let_sync(&lab, 1);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("soaking"), ["acme"], "one sync is not enough");
    let_sync(&lab, 1);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("soaking"), ["acme"], "the old token may be in use");
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    let done = lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"], "{}{}", done.stdout, done.stderr);

    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("retired"), ["acme"]);
    lab.audit(1);
}

/// In interactive mode flowswap reports the new client's first token by itself. Test Connection also gets a token, so
/// the person must still follow the sheet to its end.
#[test]
fn flowswap_notices_a_reconnect_by_itself() {
    let lab = lab(1);
    let tenant = only(&lab);
    lab.plan().expect(0);
    let mut screen = Terminal::start(command(lab.dir(), &["apply", "plan.json", "--yes", "--interactive"]));
    screen.await_words("Click “Submit”");
    screen.await_words("flowswap decline acme");
    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    screen.await_words("getting tokens as the service client");
    screen.await_words("Finish the run sheet");
    screen.enter("d");
    let (code, seen) = screen.finish();
    assert_eq!(code, 4, "{seen}");
    assert_eq!(lab.in_state("soaking"), ["acme"]);
}

/// After a wrong move the sheet and the secret stay available, so that the person can repeat the move.
#[test]
fn a_wrong_reconnect_can_be_corrected_with_the_same_sheet() {
    let lab = waiting(1);
    let tenant = only(&lab);
    let wrong = Form { name: "corporate".to_owned(), ..Form::right(&lab, &tenant) };
    reconnect(&lab, &tenant, &tenant.directory_id, &wrong);
    let told = lab.run(&["confirm", "acme"]).expect(3);
    assert!(told.stdout.contains("`flowswap explain directory-renamed`"), "{}", told.stdout);
    let stuck = lab.run(&["stuck"]).expect(0);
    assert!(stuck.stdout.contains("acme no longer exists, but a new directory corporate does"), "{}", stuck.stdout);
    let sheet = lab.run(&["sheet", "acme"]).expect(0);
    assert!(
        sheet.stdout.contains("flowswap saw this step done; after you correct it: flowswap apply "),
        "{}",
        sheet.stdout
    );
    let args = ["secret", "copy", "acme", "--print"];
    let (code, screen) = Terminal::start(command(lab.dir(), &args)).finish();
    assert_eq!((code, screen.trim()), (0, service_client(&lab, &tenant).1.as_str()));

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("soaking"), ["acme"]);
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"]);
}

#[test]
fn a_person_rolls_a_tenant_back() {
    let lab = waiting(1);
    let tenant = only(&lab);
    let before = lab.directory(&tenant);
    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
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
    // A sign-in alone does not complete the rollback.
    reconnect(&lab, &tenant, &tenant.directory_id, &Form { submits: false, ..Form::back(&lab, &tenant) });
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let_sync(&lab, 1);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "the directory needs it");

    reconnect(&lab, &tenant, &tenant.directory_id, &Form::back(&lab, &tenant));
    let_sync(&lab, 2);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    assert_eq!(lab.org(&tenant).service_clients.len(), 1, "its token may be in use");
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    let back = lab.run(&["confirm", "acme"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{}{}", back.stdout, back.stderr);
    assert!(lab.org(&tenant).service_clients.is_empty());
    let after = lab.directory(&tenant);
    assert_eq!((after.flow, after.client_id), (before.flow, before.client_id));
}
