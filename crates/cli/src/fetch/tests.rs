//! Secrets are fetched unchanged, and no error shows them.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, time::Duration};

use flowswap_config::{ProgramCall, SecretRef};
use flowswap_engine::Secret;
use insta::assert_snapshot;
use tempfile::TempDir;

use super::{COMMON_VARIABLES, FetchError, Fetcher, program::WaitLimits};

const CANARY: &str = "canary-5f0e";

fn set_mode(folder: &TempDir, name: &str, mode: u32) {
    fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn file(folder: &TempDir, content: &[u8]) -> SecretRef {
    let path = folder.path().join("token");
    fs::write(&path, content).unwrap();
    set_mode(folder, "token", 0o600);
    SecretRef::File(path)
}

fn command(program: &str, args: &[&str], env: &[&str]) -> SecretRef {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    SecretRef::Command(ProgramCall { program: program.to_owned(), args: own(args), env: own(env), timeout: None })
}

fn shell(script: &str) -> SecretRef {
    command("sh", &["-c", script], &[])
}

fn fetch_secret(reference: &SecretRef) -> Result<Secret, FetchError> {
    Fetcher::default().fetch(reference)
}

fn fetch_within(reference: &SecretRef, limits: WaitLimits) -> Result<Secret, FetchError> {
    Fetcher::default().fetch_within(reference, limits)
}

/// The text without the folder of the shell, which differs between machines.
fn without_folder_of_shell(text: &str) -> String {
    let shell = super::locate::find("sh", std::env::var_os("PATH").as_deref()).unwrap();
    text.replace(&format!("{}", shell.display()), "…/sh")
}

/// The text without the folder, which differs in every run.
fn shorten(folder: &TempDir, text: &str) -> String {
    let path = folder.path().display().to_string();
    text.replace(&format!("{path}/"), "").replace(&path, "")
}

/// The error's whole chain. Neither its display nor its debug form may contain the secret.
fn fail(secret: &SecretRef) -> String {
    let error = fetch_secret(secret).unwrap_err();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        text += &format!(": {next}");
        cause = next.source();
    }
    for shown in [&text, &format!("{error:?}")] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
    text
}

#[test]
fn one_line_break_at_the_end_is_dropped() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    for (content, secret) in
        [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a b ", " a b "), ("a\nb\n", "a\nb")]
    {
        assert_eq!(fetch_secret(&file(&folder, content.as_bytes())).unwrap().expose(), secret, "{content:?}");
    }
}

#[test]
fn a_credential_has_at_least_8_characters() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    let fetch = |content: &str| Fetcher::default().fetch_credential(&file(&folder, content.as_bytes()));
    assert_eq!(fetch("12345678\n").unwrap().expose(), "12345678");
    let error = fetch("äöüßäöü\n").unwrap_err();
    assert_snapshot!(shorten(&folder, &error.to_string()), @"the secret file `token` gave fewer than 8 characters; no credential is that short");
}

#[test]
fn each_kind_is_fetched() {
    let path = std::env::var("PATH").unwrap();
    assert_eq!(fetch_secret(&SecretRef::Env("PATH".to_owned())).unwrap().expose(), path);
    assert_eq!(fetch_secret(&shell("echo out; echo err >&2")).unwrap().expose(), "out");
    // No shell expands the arguments.
    let printed = fetch_secret(&command("printf", &["%s", "$HOME; `id`"], &[])).unwrap();
    assert_eq!(printed.expose(), "$HOME; `id`");
}

#[test]
fn a_file_that_everyone_can_read_is_refused() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    let secret = file(&folder, CANARY.as_bytes());
    for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o604, false)] {
        set_mode(&folder, "token", mode);
        assert_eq!(fetch_secret(&secret).is_ok(), is_fine, "{mode:o}");
    }
    assert_snapshot!(shorten(&folder, &fail(&secret)), @r"the secret file `token` is readable by every user of this machine; run `chmod 600 token`");
}

#[test]
fn a_failure_to_fetch_a_secret_is_explained() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    let failures = [
        SecretRef::Env("FLOWSWAP_TEST_IS_NOT_SET".to_owned()),
        SecretRef::File(folder.path().join("gone")),
        SecretRef::File(folder.path().join("")),
        file(&folder, b" \n"),
        command("no-such-program", &[CANARY], &[]),
        command("/no/such-program", &[CANARY], &[]),
        shell("exit 3"),
        command("sh", &["-c", "exit 1"], &["PATH", "FLOWSWAP_TEST_IS_NOT_SET"]),
        shell(&format!("echo {CANARY}; echo 'this is no good: {CANARY}' >&2; exit 1")),
        shell("true"),
    ];
    let texts: Vec<_> = failures.iter().map(|secret| shorten(&folder, &fail(secret))).collect();
    assert_snapshot!(without_folder_of_shell(&texts.join("\n")), @r"
    the environment variable `FLOWSWAP_TEST_IS_NOT_SET` is not set
    failed to read the secret file `gone`: No such file or directory (os error 2)
    failed to read the secret file ``: Is a directory (os error 21)
    the secret file `token` gave an empty secret
    there is no program `no-such-program` in PATH; flowswap ignores relative folders in PATH
    failed to run `/no/such-program`: No such file or directory (os error 2)
    `…/sh` failed (exit status: 3); it gets only PATH, HOME, LANG, and the variables in its `env`; pass `-v` to see what it printed
    `…/sh` failed (exit status: 1); its `env` lists variables that are not set: FLOWSWAP_TEST_IS_NOT_SET; it gets only PATH, HOME, LANG, and the variables in its `env`; pass `-v` to see what it printed
    `…/sh` failed (exit status: 1); it gets only PATH, HOME, LANG, and the variables in its `env`; pass `-v` to see what it printed
    `sh` gave an empty secret
    ");
    let mut binary = CANARY.as_bytes().to_vec();
    binary.push(0xff);
    assert!(fail(&file(&folder, &binary)).ends_with("gave data that is not UTF-8 text"));
    assert!(fail(&file(&folder, CANARY.repeat(10_000).as_bytes())).ends_with("no secret is that long"));
    assert!(fail(&SecretRef::File("/dev/zero".into())).ends_with("no secret is that long"));
}

/// A program ends at its limit, no matter which outputs it closed; output before the limit is used.
#[test]
fn a_slow_program_is_given_time_up_to_a_limit() {
    let limits = WaitLimits { notify_after: Duration::from_millis(1), kill_after: Duration::from_millis(400) };
    let in_time =
        ["echo out", "sleep 0.1; echo 'touch the key' >&2; sleep 0.1; echo out", "echo out; exec >&- 2>&-; sleep 0.1"];
    for script in in_time {
        assert_eq!(fetch_within(&shell(script), limits).unwrap().expose(), "out", "{script}");
    }
    for script in ["sleep 60", "echo out; sleep 60", "exec >&- 2>&-; sleep 60", "sleep 60 & sleep 60"] {
        let started = std::time::Instant::now();
        let error = fetch_within(&shell(script), limits).unwrap_err().to_string();
        let error = without_folder_of_shell(&error);
        assert!(error.starts_with("`…/sh` printed no secret within 0 s"), "{script}: {error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{script}");
    }
    let endless = fetch_within(&shell("yes"), limits).unwrap_err().to_string();
    assert!(endless.ends_with("no secret is that long"), "{endless}");
}

#[test]
fn the_configuration_sets_another_limit_for_a_program() {
    let with_limit = |script: &str, limit| match shell(script) {
        SecretRef::Command(call) => SecretRef::Command(ProgramCall { timeout: Some(limit), ..call }),
        other => other,
    };
    let short = WaitLimits { notify_after: Duration::from_secs(60), kill_after: Duration::from_millis(1) };
    let fetched = fetch_within(&with_limit("sleep 0.2; echo out", Duration::from_secs(60)), short);
    assert_eq!(fetched.unwrap().expose(), "out");
    let error = fetch_secret(&with_limit("sleep 60", Duration::from_millis(1_400))).unwrap_err().to_string();
    assert!(without_folder_of_shell(&error).starts_with("`…/sh` printed no secret within 1 s"), "{error}");
}

/// Cargo gives every test variables of its own, so a program that inherited the environment would show them.
#[test]
fn a_program_gets_the_common_variables_and_those_that_are_listed() {
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some() && std::env::var_os("CARGO_PKG_VERSION").is_some());
    let names_with = |env: &[&str]| {
        let printed = fetch_secret(&command("env", &[], env)).unwrap();
        let names: BTreeSet<_> =
            printed.expose().lines().map(|line| line.split('=').next().unwrap().to_owned()).collect();
        names
    };
    let common = COMMON_VARIABLES.iter().filter(|name| std::env::var_os(name).is_some()).map(|name| (*name).to_owned());
    let mut expected: BTreeSet<_> = common.collect();
    assert_eq!(names_with(&[]), expected);
    expected.insert("CARGO_PKG_NAME".to_owned());
    assert_eq!(names_with(&["CARGO_PKG_NAME"]), expected);
}

#[test]
fn a_program_is_looked_up_once() {
    let fetcher = Fetcher::default();
    for script in ["echo a", "echo b", "exit 1"] {
        let _ = fetcher.fetch(&shell(script));
    }
    let _ = fetcher.fetch(&command("no-such-program", &[], &[]));
    let programs = fetcher.programs();
    assert_eq!(programs.keys().collect::<Vec<_>>(), ["sh"]);
    assert!(programs["sh"].is_absolute() && programs["sh"].exists(), "{programs:?}");
    // The file that was found is used again, even if the search would find another.
    fetcher.programs.lock().unwrap().insert("sh".to_owned(), "/no/sh".into());
    assert_eq!(fetcher.fetch(&shell("echo a")).unwrap_err().to_string(), "failed to run `/no/sh`");
}

#[test]
fn a_fetched_secret_is_not_in_its_debug_output() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    let fetched = fetch_secret(&file(&folder, CANARY.as_bytes())).unwrap();
    assert_eq!(fetched.expose(), CANARY);
    assert!(!format!("{fetched:?}").contains(CANARY));
}
