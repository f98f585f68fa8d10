//! Programs that print a secret: they get no credential of others, and what they print is in no report.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use flowswap_sim::SimTenant;

use crate::support::{Lab, Output, command, finish, terminal::Terminal};

/// What a failing program prints. It could be a secret.
const CANARY: &str = "canary-of-a-program";
/// The credential of a tenant's directory, which the program for its org must not get.
const OTHER: &str = "canary-of-the-gateway";

/// A lab whose only tenant gets the token of its org from the program `give`, and that of its directory from a variable.
fn lab(script: &str) -> (Lab, SimTenant) {
    let lab = Lab::with_tenants(1);
    let tenant = lab.sim.tenants().remove(0);
    lab.edit_config(|text| {
        let credential = "credential = { command = [\"./give\", \"argument\"], env = [\"GIVE_KEY\"] }";
        text.replacen("credential = { file = \"tokens/{name}.token\" }", credential, 1)
    });
    let program = lab.path("give");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(program, Permissions::from_mode(0o700)).unwrap();
    (lab, tenant)
}

fn run(lab: &Lab, args: &[&str]) -> Output {
    let mut command = command(lab.dir(), args);
    command.env("GIVE_KEY", "key-for-the-program").env("PATH", "/usr/bin:/bin").env("OTHER_CREDENTIAL", OTHER);
    finish(command)
}

#[test]
fn a_program_gets_no_variable_that_the_configuration_does_not_list() {
    let (lab, tenant) = lab("/usr/bin/env > seen; /bin/cat tokens/acme.token");
    let output = run(&lab, &["check", "-v"]).expect(0);
    let seen = fs::read_to_string(lab.path("seen")).unwrap();
    let mut names: Vec<_> = seen.lines().map(|line| line.split('=').next().unwrap()).collect();
    // The shell adds these itself.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(names, ["GIVE_KEY", "HOME", "PATH"], "{seen}");
    assert!(seen.contains("GIVE_KEY=key-for-the-program") && !seen.contains(OTHER), "{seen}");
    let file = lab.path("give").canonicalize().unwrap();
    let shown = output.stdout.lines().find(|line| line.contains("this machine  command")).unwrap();
    assert!(shown.contains("pass") && shown.ends_with(&format!("give` runs `{}`", file.display())), "{shown}");
    assert!(!output.show().contains(&tenant.admin_token));
}

#[test]
fn what_a_failing_program_prints_is_shown_only_on_request_and_is_in_no_report() {
    let (lab, _) = lab(&format!("echo {CANARY}; printf '{CANARY}-\\033[31mred\\n' >&2; exit 3"));
    let told = "failed (exit status: 3); it gets only PATH, HOME, LANG, and the variables in its `env`";
    for args in [&["check"][..], &["detect"], &["detect", "--format", "json"], &["plan", "-o", "plan.json"]] {
        let output = run(&lab, args);
        assert!(!output.show().contains(CANARY), "{}", output.show());
        if args != ["plan", "-o", "plan.json"] {
            assert!(output.show().contains(told), "{}", output.show());
            assert!(output.show().contains("pass `-v` to see what it printed"), "{}", output.show());
        }
    }
    let output = run(&lab, &["detect", "-v", "--format", "json"]);
    assert!(!output.stdout.contains(CANARY) && output.stdout.contains(told), "{}", output.stdout);
    assert!(!output.stdout.contains("pass `-v`"), "{}", output.stdout);
    assert!(output.stderr.contains("printed this on stderr (it may contain a secret):\n"), "{}", output.stderr);
    // Its stdout is meant to be the secret, and is not shown at all.
    assert!(output.stderr.contains("[secret]-<U+001B>[31mred\n"), "{}", output.stderr);
    assert!(!output.stderr.contains(CANARY), "{}", output.stderr);
    for file in ["plan.json", ".flowswap/journal.sqlite", ".flowswap/journal.sqlite-wal"] {
        let content = fs::read(lab.path(file)).unwrap_or_default();
        assert!(!content.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{file}");
    }
}

/// A person at the terminal reads for which program flowswap waits, and what the program asks for.
#[test]
fn a_person_sees_what_a_slow_program_waits_for() {
    let (lab, _) = lab("echo 'touch the key' >&2; until [ -e touched ]; do sleep 0.1; done; cat tokens/acme.token");
    lab.edit_config(|text| text.replace("env = [\"GIVE_KEY\"] }", "env = [\"GIVE_KEY\"], timeout = \"5m\" }"));
    let mut check = command(lab.dir(), &["check"]);
    check.env("PATH", "/usr/bin:/bin");
    let mut screen = Terminal::start(check);
    screen.await_words("waiting up to 300 s for `");
    screen.await_words("give` to print a secret");
    screen.await_words("touch the key");
    fs::write(lab.path("touched"), "").unwrap();
    let (code, shown) = screen.finish();
    assert_eq!(code, 0, "{shown}");
}

#[test]
fn a_program_that_is_too_slow_is_ended_at_its_own_limit() {
    let (lab, _) = lab("sleep 600");
    lab.edit_config(|text| text.replace("env = [\"GIVE_KEY\"] }", "timeout = \"1s\" }"));
    let output = run(&lab, &["check"]).expect(3);
    assert!(output.stdout.contains("give` printed no secret within 1 s and was stopped"), "{}", output.show());
}
