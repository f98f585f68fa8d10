//! Every global option has a variable. An option wins over its variable, and the variable over the configuration.

use std::{fs, process::Command};

use serde_json::Value;

use crate::support::{Lab, command, finish, folder, repository};

/// The global options with their variables, as help shows them.
fn variables() -> Vec<(String, String)> {
    let dir = folder();
    let help = crate::support::run_in(dir.path(), &["status", "--help"]).expect(0).stdout;
    let (_, global) = help.split_once("Global options:").unwrap();
    let mut found = Vec::new();
    let mut option = String::new();
    for line in global.lines().map(str::trim) {
        if let Some((_, long)) = line.split_once("--").filter(|_| line.starts_with('-') && !line.contains(": ")) {
            option = long.split([' ', '.', '=']).next().unwrap().to_owned();
        }
        if let Some(variable) = line.strip_prefix("[env: ").and_then(|line| line.strip_suffix(']')) {
            found.push((option.clone(), variable.trim_end_matches('=').to_owned()));
        }
    }
    found
}

#[test]
fn the_variables_are_documented() {
    let document = fs::read_to_string(repository().join("crates/cli/docs/automation.md")).unwrap();
    let variables = variables();
    assert_eq!(variables.len(), 13, "{variables:?}");
    for (option, variable) in variables {
        assert!(document.contains(&format!("| `--{option}` | `{variable}` |")), "automation.md lacks `{variable}`");
    }
}

fn status(lab: &Lab, args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = command(lab.dir(), &[&["status"], args].concat());
    command.envs(variables.iter().copied());
    command
}

#[test]
fn an_option_wins_over_its_variable() {
    let lab = Lab::with_tenants(1);
    let json = finish(status(&lab, &[], &[("FLOWSWAP_FORMAT", "json")])).expect(0).stdout;
    assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
    let text = finish(status(&lab, &["--format", "human"], &[("FLOWSWAP_FORMAT", "json")])).expect(0).stdout;
    assert!(text.starts_with("TENANT"), "{text}");
    let silent = [("FLOWSWAP_QUIET", "yes")];
    let mut next = command(lab.dir(), &["next"]);
    next.envs(silent);
    assert_eq!(finish(next).expect(0).stderr, "");
    // Each of these would contradict the other as an option.
    finish(status(&lab, &["-v"], &silent)).expect(0);
    finish(status(&lab, &["-q"], &[("FLOWSWAP_VERBOSE", "1")])).expect(0);
}

#[test]
fn a_wrong_value_names_its_variable() {
    let lab = Lab::with_tenants(1);
    for (variable, value, expected) in [
        ("FLOWSWAP_FORMAT", "yaml", "\n  [possible values: human, json, jsonl]"),
        ("FLOWSWAP_PROGRESS", "loud", "\n  [possible values: auto, bar, lines, none]"),
        ("FLOWSWAP_CONCURRENCY", "0", ": expected a whole number, at least 1"),
        ("FLOWSWAP_CONCURRENCY", "many", ": expected a whole number, at least 1"),
        ("FLOWSWAP_QUIET", "perhaps", ": expected `true` or `false`"),
        ("FLOWSWAP_NO_COLOR", "2", ": expected `true` or `false`"),
        ("FLOWSWAP_VERBOSE", "very", ": expected a whole number from 0 to 255"),
    ] {
        let refused = finish(status(&lab, &[], &[(variable, value)])).expect(2).stderr;
        let said = format!("error: invalid value '{value}' for '{variable}'{expected}\n");
        assert!(refused.starts_with(&said), "{refused}");
    }
    let refused = finish(status(&lab, &["--concurrency", "0"], &[("FLOWSWAP_CONCURRENCY", "2")])).expect(2).stderr;
    assert!(refused.contains("for '--concurrency <N>'"), "{refused}");
}

#[test]
fn the_state_folder_can_be_anywhere() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    let before = finish(status(&lab, &[], &[])).expect(0).stdout;
    assert!(before.contains("planned"), "{before}");
    let elsewhere = finish(status(&lab, &[], &[("FLOWSWAP_STATE", "elsewhere")])).expect(0).stdout;
    assert!(elsewhere.contains("unplanned"), "{elsewhere}");
    let back = finish(status(&lab, &["--state-dir", ".flowswap"], &[("FLOWSWAP_STATE", "elsewhere")])).expect(0).stdout;
    // A person can paste the next command.
    assert_eq!(back, before.replace("flowswap apply", "flowswap --state-dir .flowswap apply"));
}

#[test]
fn the_demo_never_uses_the_state_of_real_tenants() {
    let dir = folder();
    let mut demo = command(dir.path(), &["demo", "--tenants", "3", "--keep", "demo"]);
    demo.env("FLOWSWAP_STATE", dir.path().join("real"));
    finish(demo).expect(0);
    assert!(dir.path().join("demo/.flowswap").exists() && !dir.path().join("real").exists());
}
