//! With `--format json`, a command that fails says why on the last line of stderr.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::schemas;
use crate::support::{Lab, Output, command, finish, folder, run_in};

/// The error of a command that failed with this code. Nothing is on stdout.
#[track_caller]
fn error(output: &Output, code: i32) -> Value {
    assert_eq!((output.code, output.stdout.as_str()), (code, ""), "{}", output.stderr);
    let last = output.stderr.lines().last().unwrap();
    let error = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"));
    schemas::check_document("error", &error);
    assert_eq!(error["exit"], code);
    error
}

fn run(dir: &Path, line: &str) -> Output {
    run_in(dir, &line.split(' ').collect::<Vec<_>>())
}

#[test]
fn a_command_that_fails_says_why() {
    let dir = folder();
    for format in ["json", "jsonl"] {
        let failed = error(&run(dir.path(), &format!("status --format {format} --config no\u{202e}where.toml")), 2);
        assert_eq!(failed["error"], "there is no configuration `no\u{202e}where.toml`");
        let hint = "write one with `flowswap --config no\u{202e}where.toml init`, or name another with `--config`";
        assert_eq!(failed["hint"], hint);
        assert_eq!((&failed["causes"], &failed["problems"]), (&json!([]), &json!([])));
    }
    let shown = run(dir.path(), "status --format json --config no\u{202e}where.toml").stderr;
    assert!(shown.contains("no\\u202ewhere.toml"), "{shown}");
}

#[test]
fn an_error_has_its_causes() {
    let dir = folder();
    fs::write(dir.path().join("plan.json"), "{").unwrap();
    let failed = error(&run(dir.path(), "show plan.json --format json"), 2);
    assert!(!failed["causes"].as_array().unwrap().is_empty(), "{failed:#}");
}

#[test]
fn a_wrong_command_line_is_an_error_all_the_same() {
    let dir = folder();
    let table = [
        ("--format json plan --json", "unexpected argument '--json' found", json!("use `--format json`")),
        (
            "plan -out=p.json --format=json",
            "unexpected argument '-out=p.json' found",
            json!("did you mean `--output=p.json`?"),
        ),
        ("apply --format json", "the following required arguments were not provided: <PLAN>", json!(null)),
        ("--format json", "the command is missing", json!("list the commands: flowswap --help")),
        ("record --format json -o r.jsonl plan --zzz", "unexpected argument '--zzz' found", json!(null)),
    ];
    for (line, message, hint) in table {
        let failed = error(&run(dir.path(), line), 2);
        assert_eq!((&failed["error"], &failed["hint"]), (&json!(message), &hint), "{line}");
    }
    let mut by_variable = command(dir.path(), &["apply"]);
    by_variable.env("FLOWSWAP_FORMAT", "jsonl");
    error(&finish(by_variable), 2);
    let help = run(dir.path(), "plan --help --format json").expect(0);
    assert!(help.stdout.contains("Usage:"), "help is for people: {}", help.stdout);
}

#[test]
fn a_wrong_configuration_says_where() {
    let lab = Lab::with_tenants(2);
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 0\nmax_failure = 3\n"));
    let failed = error(&lab.run(&["status", "--format", "json"]), 2);
    assert_eq!(failed["error"], "the configuration is wrong");
    let text = fs::read_to_string(lab.path("migrate.toml")).unwrap();
    let problems = failed["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{failed:#}");
    for problem in problems {
        assert_eq!(problem["file"], "migrate.toml");
        let line = text.lines().nth(problem["line"].as_u64().unwrap() as usize - 1).unwrap();
        let rest = &line[problem["column"].as_u64().unwrap() as usize - 1..];
        assert!(["0", "max_failure"].iter().any(|place| rest.starts_with(place)), "{problem:#}: {rest}");
    }
}
