//! Runs the conformance kit on flowswap's own plugins, against the simulator, with the public command.

use serde_json::Value;

use crate::{
    machine::schemas,
    support::{Output, run_in},
};

/// The check for plugins that leave a step to a person.
const PERSON_CHECKS: [&str; 1] = ["operator.asks"];

/// The checks for plugins that change something themselves.
const CHANGE_CHECKS: [&str; 16] = [
    "observe.pure",
    "apply.gives",
    "apply.twice",
    "undo.twice",
    "undo.unapplied",
    "undo.every-prefix",
    "observe.before",
    "observe.after-apply",
    "observe.after-undo",
    "lost.apply.before",
    "lost.undo.before",
    "lost.apply.after",
    "lost.undo.after",
    "lost.apply.fails-after",
    "lost.undo.fails-after",
    "lost.apply.undone",
];

#[test]
fn okta_keeps_the_contract() {
    check_clean("okta", &PERSON_CHECKS);
}

#[test]
fn rest_keeps_the_contract() {
    check_clean("rest", &PERSON_CHECKS);
}

#[test]
fn cie_guided_keeps_the_contract() {
    check_clean("cie-guided", &CHANGE_CHECKS);
}

/// Asserts that all checks pass, and that only these are skipped because the plugin has no such step.
#[track_caller]
fn check_clean(plugin: &str, skipped: &[&str]) {
    let output = conformance(&[plugin]).expect(0);
    let ids_of = |outcome: &str| -> Vec<_> {
        let lines = output.stdout.lines().filter(|line| line.split(' ').next() == Some(outcome));
        lines.map(|line| line.split_whitespace().nth(1).unwrap()).collect()
    };
    let passed = ids_of("ok").len();
    assert_eq!(ids_of("skip"), skipped);
    assert!(passed > 40, "{}", output.stdout);
    let summary = format!("{plugin}: {passed} passed, 0 failed, {} skipped", skipped.len());
    assert_eq!(output.stdout.lines().last(), Some(summary.as_str()));
}

#[test]
fn without_a_matching_world_the_other_checks_are_skipped_with_a_reason() {
    let output = conformance(&["rogue", "--format", "json"]).expect(0);
    let last = output.stderr.lines().last().unwrap().to_owned();
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(report["plugin"], "rogue");
    let checks = report["checks"].as_array().unwrap();
    let of = |outcome: &str| checks.iter().filter(|check| check["outcome"] == outcome).collect::<Vec<_>>();
    assert_eq!(of("failed"), Vec::<&Value>::new());
    assert!(of("passed").iter().any(|check| check["id"] == "protocol.not-json"));
    let skipped = of("skipped");
    assert!(skipped.iter().any(|check| check["id"] == "undo.every-prefix"));
    assert!(last.starts_with(&format!("{} of {} checks did NOT run", skipped.len(), checks.len())), "{last}");
    assert!(last.contains("`flowswap-conformance`"), "{last}");
    for check in skipped {
        assert_eq!(check["why"], "the simulated tenant has no side with the keys of this plugin");
    }
}

#[test]
fn a_failed_check_reports_what_was_expected_and_what_was_seen() {
    let dir = crate::support::folder();
    let library = crate::safety::rogue::choose(dir.path(), "key-twice");
    let output = conformance(&[library.to_str().unwrap()]).expect(3);
    assert!(output.stdout.contains("FAIL  hello.keys"), "{}", output.stdout);
    assert!(output.stdout.contains("expected: every key once"), "{}", output.stdout);
    assert!(output.stdout.contains("seen:     `domain` twice"), "{}", output.stdout);
    assert!(output.stdout.contains("rogue: 15 passed, 1 failed, "), "{}", output.stdout);
    assert!(output.stderr.contains("checks did NOT run"), "{}", output.stderr);
}

#[test]
fn a_library_that_is_not_a_plugin_fails_to_start() {
    let dir = crate::support::folder();
    let library = crate::safety::rogue::choose(dir.path(), "wrong-abi");
    let output = conformance(&[library.to_str().unwrap()]).expect(3);
    assert!(output.stdout.contains("its ABI version is 2, this one is 1"), "{}", output.stdout);
    conformance(&["nobody"]).expect(2);
}

#[test]
fn the_report_follows_its_schema() {
    let args = ["plugins", "conformance", "okta"];
    let output = conformance(&["okta", "--format", "json"]).expect(0);
    schemas::check(&args, &serde_json::from_str(&output.stdout).unwrap());
}

fn conformance(args: &[&str]) -> Output {
    let dir = crate::support::folder();
    run_in(dir.path(), &[&["plugins", "conformance"], args].concat())
}
