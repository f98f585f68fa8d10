//! A program as a target.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use super::{fleet, let_fail};
use crate::support::{Lab, Output, command, finish};

/// Lets the lab tell a script, which gets the variable `LISTED` too.
fn join(lab: &Lab, script: &str) {
    fs::write(lab.path("tell"), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(lab.path("tell"), fs::Permissions::from_mode(0o700)).unwrap();
    lab.edit_config(|text| {
        format!("{text}\n[[notify]]\nname = \"ops\"\non = [\"failed\"]\ncommand = [\"./tell\", \"me\"]\nenv = [\"LISTED\"]\n")
    });
}

fn run(lab: &Lab, args: &[&str]) -> Output {
    let mut command = command(lab.dir(), args);
    command.env("LISTED", "yes").env("UNLISTED", "no").env("PATH", std::env::var_os("PATH").unwrap());
    finish(command)
}

#[test]
fn a_program_gets_lines_of_json_on_stdin() {
    let lab = fleet(2);
    join(&lab, "cat >> told; echo \"$# $1 $LISTED$UNLISTED\" >> how; echo noise; echo noise >&2");
    lab.plan().expect(0);
    let_fail(&lab, 0);
    let_fail(&lab, 1);
    let applied = run(&lab, &["apply", "plan.json", "--yes"]).expect(3);
    assert!(!applied.show().contains("noise") && !applied.stderr.contains("warning"), "{}", applied.show());
    let told = fs::read_to_string(lab.path("told")).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let tenants: Vec<_> = told.iter().map(|news| (news["on"].as_str(), news["tenant"].as_str())).collect();
    assert_eq!(tenants, [(Some("failed"), Some("acme")), (Some("failed"), Some("globex"))]);
    for how in fs::read_to_string(lab.path("how")).unwrap().lines() {
        assert_eq!(how, "1 me yes");
    }
}

#[test]
fn a_program_that_fails_gets_the_same_again() {
    let lab = fleet(1);
    join(&lab, "test -e ready && cat >> told");
    lab.plan().expect(0);
    let_fail(&lab, 0);
    let applied = run(&lab, &["apply", "plan.json", "--yes"]).expect(3);
    assert!(applied.stderr.contains("to `ops`: `./tell` failed (exit status: 1); the next"), "{}", applied.show());
    fs::write(lab.path("ready"), "").unwrap();
    run(&lab, &["notify"]).expect(0);
    assert_eq!(fs::read_to_string(lab.path("told")).unwrap().lines().count(), 1);
}

#[test]
fn a_program_that_others_can_change_is_not_run() {
    let lab = fleet(1);
    join(&lab, "touch run");
    fs::set_permissions(lab.path("tell"), fs::Permissions::from_mode(0o777)).unwrap();
    let refused = run(&lab, &["notify", "--test"]).expect(3);
    assert!(refused.stdout.contains("tell"), "{}", refused.show());
    assert!(!lab.path("run").exists());
}
