//! What a person confirms or declines is recorded and checked.

use flowswap_sim::{Interface, SimConfig};

use crate::support::{Background, Lab};

/// A lab with swapped tenants whose rollback needs a person.
pub(crate) fn swapped(tenants: usize) -> Lab {
    let lab = Lab::with_tenants(tenants);
    lab.edit_config(|text| {
        let text =
            text.replace("[defaults.directory.restore]\npath = \"/v1/directories/$id/restore\"\nbody = {}\n", "");
        let owned = text.replace("[defaults.provider]", "[defaults]\nowner = \"dana\"\n\n[defaults.provider]");
        format!("{owned}\n[run]\noperator_deadline = \"1h\"\n")
    });
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab
}

/// What the person does in the console.
pub(crate) fn sign_in(lab: &Lab, index: usize) {
    lab.reconnect_as_before(&lab.sim.tenants()[index]);
}

#[test]
fn a_confirmation_is_recorded_and_only_what_flowswap_sees_counts() {
    let lab = swapped(1);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let next = lab.json(&["next"], 0);
    let row = &next["tenants"][0];
    assert_eq!((&row["owner"], &row["direction"], &row["step"]), (&"dana".into(), &"back".into(), &"swap".into()));
    let time = |key: &str| row[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    // The deadline is set before the question is recorded.
    let left = time("deadline").duration_since(time("since"));
    assert!(left <= jiff::SignedDuration::from_hours(1) && left > jiff::SignedDuration::from_mins(59), "{left:?}");

    // Two early confirmations: both are recorded, and the tenant keeps waiting.
    for expect in [1, 2] {
        let early = lab.run(&["confirm", "acme", "--note", "in a hurry"]).expect(4);
        assert!(early.stderr.contains("recorded that you confirmed `swap` of acme"), "{}", early.stderr);
        assert!(early.stdout.contains("but flowswap does not see the change; expected: "), "{}", early.stdout);
        assert_eq!(
            early.stderr.matches("flowswap has not seen the change yet").count(),
            expect - 1,
            "{}",
            early.stderr
        );
        assert_eq!(lab.json(&["next"], 0)["tenants"][0]["claims"].as_array().unwrap().len(), expect);
    }
    let claim = &lab.json(&["sheet", "acme"], 0)["claims"][0];
    assert_eq!((&claim["word"], &claim["note"]), (&"confirmed".into(), &"in a hurry".into()));

    sign_in(&lab, 0);
    lab.run(&["confirm", "acme"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
    let late = lab.run(&["confirm", "acme"]).expect(2);
    assert!(late.stderr.contains("the tenant `acme` has no open run sheet; it is rolled-back"));
}

#[test]
fn a_declined_step_stops_waiting_and_can_be_asked_again() {
    let lab = swapped(1);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let empty = lab.run(&["decline", "acme", "--reason", "  "]).expect(2);
    assert!(empty.stderr.contains("the reason is empty"), "{}", empty.stderr);
    let declined = lab.json(&["decline", "acme", "--reason", "no access"], 0);
    assert_eq!((&declined["step"], &declined["state"]), (&"swap".into(), &"rolling-back".into()));
    assert_eq!(lab.json(&["next"], 0)["tenants"].as_array().unwrap().len(), 0);
    let status = lab.run(&["status"]).expect(0);
    assert!(status.stdout.contains("declined step `swap`: no access"), "{}", status.stdout);
    let evidence = lab.run(&["evidence", "acme"]).expect(0);
    assert!(
        evidence.stdout.lines().any(|line| line.contains(" declined `swap` at ") && line.ends_with("(“no access”)")),
        "{}",
        evidence.stdout
    );

    lab.run(&["decline", "acme", "--reason", "again"]).expect(2);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"]);
    lab.run(&["confirm", "nobody"]).expect(2);
}

/// Nothing went wrong, so there is no cause to fix.
#[test]
fn next_asks_what_to_do_after_a_decline() {
    let lab = Lab::new(SimConfig::default().tenants(1).seed(1).interface(Interface::CieGuided));
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    lab.run(&["decline", "acme", "--reason", "not this week"]).expect(0);
    let next = &lab.json(&["next"], 0)["tenants"][0];
    assert_eq!(next["kind"], "declined");
    assert_eq!(next["next"], serde_json::json!(["flowswap apply plan.json", "flowswap rollback acme"]));
    assert!(next["reason"].as_str().unwrap().ends_with(" declined step `swap`: not this week"), "{next}");
    let shown = lab.run(&["next"]).expect(0).stdout;
    assert!(shown.contains("acme    ask again or roll back"), "{shown}");
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    assert_eq!(lab.json(&["next"], 0)["tenants"][0]["kind"], "run-sheet");
}

#[test]
fn watch_ends_when_no_tenant_waits() {
    let lab = swapped(1);
    let idle = lab.run(&["watch"]).expect(0);
    assert_eq!((idle.stdout.as_str(), idle.stderr.as_str()), ("", "no tenant waits\n"));

    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    sign_in(&lab, 0);
    let watched = lab.run(&["watch"]).expect(0);
    assert!(watched.stderr.contains("acme: waiting: dana must act"), "{}", watched.stderr);
    assert!(watched.stderr.contains("acme: rolled-back"), "{}", watched.stderr);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
}

#[test]
fn ctrl_c_stops_watch() {
    let lab = swapped(1);
    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let mut watching = Background::start(lab.dir(), &["watch", "acme"]);
    watching.await_talk("acme: waiting");
    watching.interrupt();
    watching.finish().expect(5);
}

#[test]
fn a_tenant_that_waits_for_time_is_not_checked_early() {
    let story = super::story::Story::new();
    let mut watching = Background::start(story.dir(), &["watch", "initech"]);
    watching.await_talk("initech: soaking: waits for confirm: syncs: 1 of 2 syncs after the swap was good");
    watching.await_talk("waiting until 2925-07-26 08:34:00+00:00 (in ");
    watching.terminate();
    // A check would have failed, because the configuration has no credential.
    watching.finish().expect(5);
}
