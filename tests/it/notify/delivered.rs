//! Targets that fail, hang, refuse, and answer late: everything arrives at least once, and no run waits for it.

use std::fs;

use flowswap_engine::Entry;
use flowswap_sim::FaultKind;
use flowswap_store::{Notified, SqliteJournal, StateDir};
use serde_json::json;

use super::{
    fault, fleet,
    hook::{CANARY, Hook, Reply},
    let_fail,
};
use crate::{
    documents::documented,
    support::{Background, Lab, read_records},
};

/// Whether the journal says that a run has ended.
fn has_ended(lab: &Lab) -> bool {
    let journal = SqliteJournal::open_read_only(&lab.path(".flowswap/journal.sqlite")).unwrap();
    let records = lab.wait(read_records(&journal)).unwrap();
    records.iter().any(|record| matches!(record.draft.entry, Entry::RunEnded { .. }))
}

/// A lab in which `acme` is about to fail, and a target that is told.
fn failing(tenants: usize, replies: &[Reply]) -> (Lab, Hook) {
    let lab = fleet(tenants);
    let hook = Hook::start(replies);
    hook.join(&lab, "ops", "\"failed\"", "json");
    lab.plan().expect(0);
    let_fail(&lab, 0);
    (lab, hook)
}

#[test]
fn a_target_that_fails_is_told_again_until_it_answers() {
    let (lab, hook) = failing(1, &[Reply::Status(503), Reply::Busy(1), Reply::Close, Reply::Status(404)]);
    // The wrong address ends the attempts of this command, and changes nothing about the run.
    let applied = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let keys = hook.keys();
    let key = keys[0].clone();
    assert!(!keys.is_empty() && keys.iter().all(|other| *other == key), "{keys:?}");
    assert!(
        applied.stderr.contains("warning: 1 notification is still to be delivered to `ops`: "),
        "{}",
        applied.show()
    );
    // The others answer nothing good until all replies are used up.
    while lab.run(&["notify"]).code != 0 {
        let keys = hook.keys();
        assert!(!keys.is_empty() && keys.iter().all(|other| *other == key), "{keys:?}");
    }
    assert_eq!(hook.keys().pop(), Some(key));
    lab.run(&["notify"]).expect(0);
    assert_eq!(hook.keys(), Vec::<String>::new());
}

#[test]
fn a_target_says_how_long_to_wait() {
    let (lab, hook) = failing(1, &[Reply::Status(404), Reply::Busy(1), Reply::Busy(3600)]);
    lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    assert_eq!(hook.keys().len(), 1);
    // It waits for a second, and then not for an hour.
    lab.run(&["notify"]).expect(3);
    assert_eq!(hook.keys().len(), 2);
    assert_eq!(lab.json(&["notify"], 0)["targets"][0]["delivered"], 1);
    assert_eq!(hook.keys().len(), 1);
}

#[test]
fn a_wrong_address_is_reported_and_everything_arrives_once_it_is_mended() {
    let (lab, hook) = failing(1, &[Reply::Status(404); 2]);
    let applied = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let warning = "warning: 1 notification is still to be delivered to `ops`: the answer was 404; the next command tries again, \
                   and so does `flowswap notify`";
    assert_eq!(applied.stderr.matches(warning).count(), 1, "{}", applied.show());
    let left = lab.json(&["notify"], 3);
    let target = json!({ "name": "ops", "delivered": 0, "left": 1, "refused": 0, "error": "the answer was 404" });
    assert_eq!(left, json!({ "format": 1, "targets": [target] }));
    let_fail(&lab, 0);
    let again = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    assert!(!again.stderr.contains("notification"), "{}", again.show());
    let keys = hook.keys();
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert!(keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3], "{keys:?}");
}

#[test]
fn a_notification_that_the_target_refuses_is_given_up() {
    let (lab, hook) = failing(1, &[Reply::Status(400)]);
    let applied = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let warning = "warning: `ops` refused 1 notification, which flowswap gives up: the answer was 400";
    assert_eq!(applied.stderr.matches(warning).count(), 1, "{}", applied.show());
    assert_eq!(hook.keys().len(), 1);
    lab.run(&["notify"]).expect(0);
    assert_eq!(hook.keys(), Vec::<String>::new());
}

/// The first tenant fails, and the second takes a while. Meanwhile, the target has the first message and does not answer.
#[test]
fn a_run_does_not_wait_for_a_target() {
    let (lab, hook) = failing(2, &[Reply::Hang]);
    fault(&lab, 1, FaultKind::Delay { milliseconds: 2000 });
    let running = Background::start(lab.dir(), &["apply", "plan.json", "--yes"]);
    hook.next();
    while !has_ended(&lab) {
        std::thread::yield_now();
    }
    assert_eq!(hook.hanging(), 1, "the run ended only after the request");
    let ended = running.finish();
    assert_eq!(ended.code, 3, "{}", ended.show());
    assert!(ended.stderr.contains("still to be delivered to `ops`"), "{}", ended.show());
    assert_eq!(lab.in_state("swapped"), ["globex"]);
}

/// The process is killed after the target got the message, and before it could keep that.
#[test]
fn after_a_crash_the_same_is_told_again() {
    let (lab, hook) = failing(1, &[Reply::Hang]);
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes"]);
    let (_, first) = hook.next();
    running.kill();
    drop(running);
    assert_eq!(lab.json(&["notify"], 0)["targets"][0]["delivered"], 1);
    assert_eq!(hook.bodies(), [first]);
    lab.run(&["notify"]).expect(0);
    assert_eq!(hook.keys(), Vec::<String>::new());
}

/// What the process could keep before it was killed is not told again.
#[test]
fn after_a_crash_nothing_is_told_again_that_was_kept() {
    let (lab, hook) = failing(2, &[Reply::Status(200), Reply::Hang]);
    let_fail(&lab, 1);
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes"]);
    let (_, first) = hook.next();
    let (_, second) = hook.next();
    running.kill();
    drop(running);
    assert_ne!(first["key"], second["key"]);
    lab.run(&["notify"]).expect(0);
    assert_eq!(hook.bodies(), [second]);
}

#[test]
fn one_process_delivers_at_a_time() {
    let (lab, hook) = failing(1, &[]);
    let state = StateDir::at(lab.path(".flowswap"));
    let other = Notified::lock(&state).unwrap().unwrap();
    lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    let elsewhere = lab.run(&["notify"]).expect(0);
    assert!(elsewhere.stderr.contains("another flowswap process delivers"), "{}", elsewhere.show());
    assert_eq!(hook.keys(), Vec::<String>::new());
    drop(other);
    lab.run(&["notify"]).expect(0);
    assert_eq!(hook.keys().len(), 1);
}

#[test]
fn a_damaged_file_is_reported_and_not_overwritten() {
    let (lab, hook) = failing(1, &[]);
    let path = lab.path(".flowswap/notified.json");
    fs::write(&path, "{").unwrap();
    let applied = lab.run(&["apply", "plan.json", "--yes"]).expect(3);
    assert!(applied.stderr.contains("warning: `ops` is not told of anything: failed to read `"), "{}", applied.show());
    lab.run(&["notify"]).expect(3);
    assert_eq!((fs::read_to_string(path).unwrap(), hook.keys()), ("{".to_owned(), Vec::new()));
}

#[test]
fn every_target_can_be_tried() {
    let lab = fleet(1);
    let hook = Hook::start(&[Reply::Status(200), Reply::Status(403)]);
    hook.join(&lab, "good", "\"failed\"", "json");
    hook.join(&lab, "chat", "\"failed\"", "slack");
    let none = fleet(1).run(&["notify", "--test"]).expect(2);
    assert!(none.stderr.contains("it has no `[[notify]]`"), "{}", none.show());
    let tried = lab.json(&["notify", "--test"], 3);
    let errors: Vec<_> = tried["targets"].as_array().unwrap().iter().map(|target| target["error"].clone()).collect();
    assert!(errors.contains(&json!(null)) && errors.contains(&json!("the answer was 403")), "{tried}");
    let session = documented("told").whole();
    let output = lab.run(&["notify", "--test"]).expect(0);
    session.typed("flowswap notify --test", &output);
    insta::assert_snapshot!(output.show(), @r"
    exit code: 0
    ----- stdout -----
    TARGET  DELIVERED  LEFT  RESULT
    good    1          0     the test message arrived
    chat    1          0     the test message arrived
    ----- stderr -----
    ");
    let mut bodies: Vec<_> = [hook.next(), hook.next(), hook.next(), hook.next()].into();
    bodies.retain(|(name, _)| name == "chat");
    let text = "this is a test of flowswap: messages arrive here";
    // Slack formats no name, and fetches no link in one.
    assert_eq!(bodies[1].1, json!({ "text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false }));
    assert!(!lab.path(".flowswap/notified.json").exists(), "a test keeps nothing");
    session.typed("flowswap notify", &lab.run(&["notify"]).expect(0));
}

/// Who sets a target up learns of a wrong address before something happens.
#[test]
fn check_finds_a_target_that_cannot_be_used() {
    let lab = fleet(1);
    let hook = Hook::start(&[]);
    hook.join(&lab, "good", "\"failed\"", "json");
    assert!(lab.run(&["check", "-v"]).expect(0).stdout.contains("notify good"));
    fs::write(lab.path("good.url"), format!("http://hooks.test/{CANARY}")).unwrap();
    let failed = lab.run(&["check"]).expect(3);
    assert!(failed.stdout.contains("its URL is not an https URL"), "{}", failed.show());
    assert!(!failed.show().contains(CANARY));
    assert!(hook.bodies().is_empty(), "a check tells nobody anything");
}
